//! The identity provider that lets people log in to the operator's listener.

use std::net::IpAddr;

use super::provider::url;
use super::reader::{Field, Section};
use super::source::SecretSource;
use crate::access::Role;

/// Values that one role is given to.
const VALUES_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 255;
/// Further scopes that are asked for.
const SCOPES_MAX: usize = 16;
/// Whatever the claim says.
const ANY: &str = "*";

/// As it is written below `operator.oidc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretSource>,
    /// Where browsers reach this listener.
    pub url: String,
    /// Besides `openid`.
    pub scopes: Vec<String>,
    pub roles: OidcRoles,
}

/// Who has which role, by what the provider says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcRoles {
    pub claim: String,
    /// The highest role first.
    pub values: Vec<(Role, Vec<String>)>,
}

impl OidcRoles {
    /// The highest role that one of the values gives; none where none does.
    pub fn role(&self, said: &[String]) -> Option<Role> {
        let gives = |values: &[String]| values.iter().any(|value| value == ANY || said.contains(value));
        self.values.iter().find(|(_, values)| gives(values)).map(|(role, _)| *role)
    }
}

impl Oidc {
    pub(super) fn read(field: Field<'_>) -> Option<Oidc> {
        let mut section = field.section();
        let issuer = wanted(&mut section, "issuer", "the URL that the provider calls itself by", secure_url);
        let client_id = wanted(&mut section, "client_id", "the name that the provider knows this host by", text);
        let client_secret = section.take("client_secret").and_then(SecretSource::read);
        let here = "where browsers reach this listener, such as https://ops.example.com";
        let url = wanted(&mut section, "url", here, url);
        let scopes = section.list("scopes", 0..=SCOPES_MAX);
        let scopes = scopes.map(|scopes| scopes.iter().filter_map(|scope| scope.parsed(text)).collect());
        let scopes = scopes.unwrap_or_else(|| ["profile", "email"].map(str::to_owned).to_vec());
        let claim = section.parsed("claim", role_claim).unwrap_or_else(|| "groups".to_owned());
        let mut given = section.section("roles");
        let mut values = Vec::new();
        for (role, key) in [(Role::Admin, "admin"), (Role::Operator, "operator"), (Role::Viewer, "viewer")] {
            let list = given.list(key, 0..=VALUES_MAX).unwrap_or_default();
            values.push((role, list.iter().filter_map(|value| value.parsed(text)).collect::<Vec<_>>()));
        }
        if values.iter().all(|(_, values)| values.is_empty()) {
            section
                .place_of("roles")
                .wrong("gives nobody a role; write who has which, such as { admin: [ops-admins], viewer: [\"*\"] }");
        }
        given.finish();
        section.finish();
        let roles = OidcRoles { claim, values };
        Some(Oidc { issuer: issuer?, client_id: client_id?, client_secret, url: url?, scopes, roles })
    }
}

fn wanted(
    section: &mut Section<'_>,
    key: &'static str,
    what: &str,
    parse: impl FnOnce(&str) -> Result<String, String>,
) -> Option<String> {
    match section.take(key) {
        Some(field) => field.parsed(parse),
        None => {
            section.place_of(key).wrong(format_args!("is missing; write {what}"));
            None
        }
    }
}

/// The client's secret goes there: over TLS, or within this machine.
fn secure_url(text: &str) -> Result<String, String> {
    let text = url(text)?;
    let plain = text.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let local = |host: &str| {
        let name = host.strip_prefix('[').map_or_else(|| host.split(':').next(), |v6| v6.split(']').next());
        name.is_some_and(|name| name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
    };
    match plain.is_none_or(local) {
        true => Ok(text),
        false => Err(format!("must begin with https://, since a secret is sent there, got {text:?}")),
    }
}

/// Of the claims that OpenID Connect itself defines two say who somebody is; the others may be what they call themselves.
fn role_claim(claim: &str) -> Result<String, String> {
    const CHOSEN: [&str; 18] = [
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
        "email_verified",
    ];
    let first = claim.split(['.', '#']).next().unwrap_or(claim);
    match CHOSEN.contains(&first) {
        true => Err(format!(
            "{claim} is what somebody says of themselves: name a claim that the provider decides, such as groups"
        )),
        false => text(claim),
    }
}

fn text(text: &str) -> Result<String, String> {
    let good = (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err(format!("must be 1 to {TEXT_BYTES_MAX} bytes of text")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_provider_is_read_and_gives_the_highest_role() {
        let config = Config::parse(
            "operator:\n  oidc:\n    issuer: https://id.example.com\n    client_id: hookbox\n    client_secret: { env: ID_SECRET }\n    \
             url: https://ops.example.com\n    roles: { admin: [root], operator: [ops, dev], viewer: ['*'] }\n",
        );
        let oidc = config.unwrap().operator.oidc.unwrap();
        assert_eq!((oidc.scopes.len(), oidc.roles.claim.as_str()), (2, "groups"));
        let role = |said: &[&str]| oidc.roles.role(&said.iter().map(|said| (*said).to_owned()).collect::<Vec<_>>());
        assert_eq!(role(&["dev", "root"]), Some(Role::Admin));
        assert_eq!(role(&["dev"]), Some(Role::Operator));
        assert_eq!(role(&["*"]), Some(Role::Viewer));
        assert_eq!(role(&[]), Some(Role::Viewer));
        let none = OidcRoles { claim: "groups".to_owned(), values: vec![(Role::Admin, vec!["root".to_owned()])] };
        assert_eq!(none.role(&["*".to_owned(), "Root".to_owned()]), None);
    }

    #[test]
    fn a_provider_is_asked_over_tls_or_within_the_machine() {
        for good in ["https://id.example.com/realms/a", "http://127.0.0.1:80", "http://localhost", "http://[::1]:8/x"] {
            assert_eq!(secure_url(good).as_deref(), Ok(good));
        }
        for bad in ["http://id.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com:80", "id"] {
            assert!(secure_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_place_of_a_secret_is_known_to_whoever_looks_after_them() {
        let config = Config::parse(
            "operator:\n  token: { env: TOKEN }\n  oidc:\n    issuer: https://id.example.com\n    client_id: a\n    \
             client_secret: { file: id }\n    url: https://ops.example.com\n    roles: { viewer: ['*'] }\n\
             providers: { shop: { secrets: [{ env: SHOP }] } }\n\
             plugins: { p: { grants: { secrets: [key] } } }\n\
             alerts: { channels: { chat: { slack: { env: CHAT } } } }\n",
        );
        let config = config.unwrap();
        let names: BTreeSet<String> = config.sources().map(ToString::to_string).collect();
        let expected = [SecretSource::File("id".into()).to_string()];
        let expected = expected
            .into_iter()
            .chain(["TOKEN", "SHOP", "KEY", "CHAT"].map(|name| SecretSource::Env(name.into()).to_string()));
        assert_eq!(names, expected.collect());
    }

    #[test]
    fn what_is_missing_is_told() {
        let told = Config::parse("operator: { oidc: { issuer: id.example.com } }").unwrap_err().0;
        let told: Vec<_> = told.iter().map(|mistake| mistake.path.as_str()).collect();
        for path in ["issuer", "client_id", "url", "roles"] {
            assert!(told.contains(&format!("operator.oidc.{path}").as_str()), "{path}: {told:?}");
        }
    }
}
