//! Requests that a plugin may send.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::network;
use super::plugin::granted_secrets;
use super::reader::{Field, Section};
use super::source::SecretSource;
use crate::egress::{
    Egress, GRANTS_MAX, Grant, REQUESTS, REQUESTS_AT_ONCE, REQUESTS_AT_ONCE_MAX, REQUESTS_MAX, RESPONSE_BYTES,
    RESPONSE_BYTES_MAX,
};
use crate::limits::FoundSecrets;

/// Headers that carry secrets, of one grant.
const HEADERS_MAX: usize = 16;
const HEADER_BYTES_MAX: usize = 64;
/// What the host itself writes, and what tells where a request ends.
const OWN_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// What hooks.yaml says of them; nothing may be sent without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    pub grants: Vec<Grant>,
    pub networks: Vec<IpNet>,
    /// Secrets that grants name for headers.
    pub secrets: BTreeMap<String, SecretSource>,
    pub requests_max: u32,
    pub at_once_max: u32,
    pub response_bytes_max: u64,
}

impl Default for Http {
    fn default() -> Http {
        Http {
            grants: Vec::new(),
            networks: Vec::new(),
            secrets: BTreeMap::new(),
            requests_max: REQUESTS,
            at_once_max: REQUESTS_AT_ONCE,
            response_bytes_max: RESPONSE_BYTES,
        }
    }
}

impl Http {
    pub(super) fn read(limits: &mut Section<'_>, grants: &mut Section<'_>) -> Http {
        let usual = Http::default();
        let mut http = Http {
            requests_max: limits.number("requests", 0..=REQUESTS_MAX).unwrap_or(usual.requests_max),
            at_once_max: limits.number("requests_at_once", 1..=REQUESTS_AT_ONCE_MAX).unwrap_or(usual.at_once_max),
            response_bytes_max: limits.size("responses", 0..=RESPONSE_BYTES_MAX).unwrap_or(usual.response_bytes_max),
            networks: network::list(grants, "networks"),
            ..usual
        };
        for item in grants.list("http", 0..=GRANTS_MAX).unwrap_or_default() {
            let grant = if item.is_map() { http.with_headers(item.section()) } else { item.parsed(Grant::parse) };
            http.grants.extend(grant);
        }
        http
    }

    pub(crate) fn egress(&self, secrets: FoundSecrets) -> Egress {
        Egress {
            grants: self.grants.clone(),
            networks: self.networks.clone(),
            secrets,
            requests_max: self.requests_max,
            at_once_max: self.at_once_max,
            response_bytes_max: self.response_bytes_max,
        }
    }

    /// `{ to: POST https://api.stripe.com, headers: { authorization: stripe_key } }`
    fn with_headers(&mut self, mut section: Section<'_>) -> Option<Grant> {
        let grant = match section.take("to") {
            Some(field) => field.parsed(Grant::parse),
            None => {
                section.place_of("to").wrong("is missing; write it as in POST https://api.stripe.com");
                None
            }
        };
        let (place, entries) = section.section("headers").into_values();
        if grant.as_ref().is_some_and(Grant::is_for_any_host) && !entries.is_empty() {
            place.wrong("must not go to any host whatever: name the host that the secret is for");
        }
        if grant.as_ref().is_some_and(|grant| grant.is_exposed(&self.networks)) && !entries.is_empty() {
            place.wrong(
                "would go over http://, where others can read the secret: write https://, or, where the host is in a \
                 network of yours, grant that in grants.networks",
            );
        }
        if entries.len() > HEADERS_MAX {
            place.wrong(format_args!("must name at most {HEADERS_MAX} headers, has {}", entries.len()));
        }
        let mut headers = BTreeMap::new();
        for entry in entries {
            let place = place.key(&entry.key, entry.line);
            match header(&entry.key) {
                Ok(name) => {
                    headers.insert(name, self.named(place.field(entry.value)));
                }
                Err(reason) => place.wrong(reason),
            }
        }
        section.finish();
        grant.map(|mut grant| {
            grant.headers = headers;
            grant
        })
    }

    /// The names of the secrets that one header may carry.
    fn named(&mut self, field: Field<'_>) -> Vec<String> {
        let place = field.place().clone();
        let items = if field.is_list() { field.list(1..=HEADERS_MAX).unwrap_or_default() } else { vec![field] };
        let found = granted_secrets(items);
        for (name, source) in &found {
            if self.secrets.get(name).is_some_and(|other| other != source) {
                place.wrong(format_args!("secret {name:?} is read from two places; give one of them another name"));
            }
        }
        let names = found.keys().cloned().collect();
        self.secrets.extend(found);
        names
    }
}

fn header(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.is_empty() || name.len() > HEADER_BYTES_MAX || !name.bytes().all(token) {
        return Err("is no name of a header".to_owned());
    }
    if OWN_HEADERS.contains(&name.as_str()) {
        return Err("is written by hookbox itself".to_owned());
    }
    Ok(name)
}
