//! Where a request comes from: a browser that was lured here may change nothing.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};

use axum::http::header::{CONTENT_TYPE, FORWARDED, HOST, HeaderName, ORIGIN, VIA};
use axum::http::{HeaderMap, HeaderValue, request};

use super::cookie::Over;
use super::table::Takes;
use crate::json;
use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What those send along who pass on a request of somebody else.
const OF_PROXIES: [HeaderName; 6] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// What a listener goes by.
#[derive(Debug)]
pub(super) struct Names {
    /// What `Host` may say, in lower case.
    all: BTreeSet<String>,
    /// Those of them that only this machine uses.
    own: BTreeSet<String>,
}

impl Names {
    /// As [`Access::new`](super::Access::new).
    pub(super) fn of(listens_on: SocketAddr, hosts: &[String]) -> Names {
        let port = listens_on.port();
        let mut own = BTreeSet::new();
        if !listens_on.ip().is_unspecified() {
            own.insert(listens_on.to_string());
        }
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            own.insert(format!("{name}:{port}"));
            if port == 80 || port == 443 {
                own.insert(name.to_owned());
            }
        }
        let mut all = own.clone();
        for host in hosts {
            let host = host.parse().map_or_else(|_| host.to_ascii_lowercase(), |ip: Ipv6Addr| format!("[{ip}]"));
            let bare = host.rsplit(']').next().is_some_and(|rest| !rest.contains(':'));
            // A proxy may pass on the name with the port that it speaks to.
            all.extend(bare.then(|| format!("{host}:{port}")));
            all.insert(host);
        }
        Names { all, own }
    }

    /// A page of another site can reach this address under a name of its own (DNS rebinding), not under ours.
    pub(super) fn check(&self, head: &request::Parts) -> Result<(), Problem> {
        let host = only(&head.headers, &HOST).and_then(|host| host.to_str().ok());
        let target = head.uri.authority().map(|authority| authority.as_str());
        if host.is_some_and(|host| self.has(host)) && target.is_none_or(|host| self.has(host)) {
            return Ok(());
        }
        let hosts: Vec<&str> = self.all.iter().map(String::as_str).collect();
        let cure = format!("use one of {}, or add the name that is used to operator.hosts", hosts.join(", "));
        Err(Problem::foreign_host().because(cure))
    }

    fn has(&self, host: &str) -> bool {
        self.all.contains(&host.to_ascii_lowercase())
    }

    /// Whether somebody on this machine speaks to this listener, and no proxy on it does for somebody else.
    pub(super) fn is_own(&self, headers: &HeaderMap) -> bool {
        let host = only(headers, &HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| self.own.contains(&host.to_ascii_lowercase()))
            && !OF_PROXIES.iter().any(|name| headers.contains_key(name))
    }

    /// A form or a script of another site can send a write along with what the browser knows, but not as JSON and not
    /// without saying where it comes from.
    pub(super) fn same(&self, headers: &HeaderMap, over: Over, proof: Proof) -> Result<(), Problem> {
        let foreign = || Problem::foreign_origin().because("only a page of this host may send this");
        if headers.contains_key(ORIGIN) && self.origin(headers, over).is_none() {
            return Err(foreign());
        }
        if headers.contains_key(SEC_FETCH_SITE) {
            let site = only(headers, &SEC_FETCH_SITE).map(HeaderValue::as_bytes);
            if !matches!(site, Some(b"same-origin" | b"none")) {
                return Err(foreign());
            }
        }
        let told = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
        match proof {
            Proof::Needed if !told => Err(Problem::foreign_origin()
                .because("send the header Origin with the address of this host, as browsers do; or a token in place of the cookie")),
            _ => Ok(()),
        }
    }

    /// The scheme of a page of this host that asks.
    fn origin(&self, headers: &HeaderMap, over: Over) -> Option<Over> {
        let origin = only(headers, &ORIGIN)?.to_str().ok()?;
        let (scheme, host) = match (origin.strip_prefix("http://"), origin.strip_prefix("https://")) {
            (Some(host), _) if over == Over::Plain => (Over::Plain, host),
            (_, Some(host)) => (Over::Tls, host),
            _ => return None,
        };
        self.has(host).then_some(scheme)
    }

    /// Whether the browser speaks TLS: with this listener, or with a proxy in front, which its page says.
    pub(super) fn spoken(&self, headers: &HeaderMap, over: Over) -> Over {
        self.origin(headers, over).unwrap_or(over)
    }
}

/// Whether a request must say where it comes from: a browser sends a cookie along by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Needed,
    Free,
}

pub(super) fn content_type(headers: &HeaderMap, takes: Takes) -> Result<(), Problem> {
    let given = only(headers, &CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is = |essence| json::is_essence(given, essence);
    match takes {
        // No form can send these types.
        _ if is("application/json") && takes != Takes::Form => Ok(()),
        Takes::Json => {
            Err(Problem::json_wanted().because("send the header Content-Type: application/json, with {} as the body"))
        }
        Takes::Wasm if is("application/wasm") => Ok(()),
        Takes::Wasm => Err(Problem::wasm_wanted()
            .because("send the header Content-Type: application/wasm, and the component as the body")),
        Takes::Form if is("application/x-www-form-urlencoded") => Ok(()),
        Takes::Form => Err(Problem::form_wanted()
            .because("send the header Content-Type: application/x-www-form-urlencoded; programs use the API")),
    }
}

/// The header's value where it is there once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}
