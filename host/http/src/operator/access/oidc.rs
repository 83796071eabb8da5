//! Logging in by an identity provider: OpenID Connect, with an authorization code and PKCE.
//!
//! Which login a browser comes back from is kept in memory and in a cookie; both must fit, so that nobody can be logged in
//! as somebody else by a link.

mod exchange;
mod pages;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hookbox_core::access::{Role, RulesHash, SecretHash};
use hookbox_core::clock::Monotonic;
use hookbox_core::config::OidcRoles;
use hookbox_core::secret::Secret;
use hookbox_core::time::Millis;
use openidconnect::core::CoreProviderMetadata;
use openidconnect::{
    ClientId, ClientSecret, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeVerifier, RedirectUrl,
};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cookie::Over;

pub(in crate::operator) use pages::{begin, come_back};

/// Where the provider sends browsers back to.
pub const CALLBACK: &str = "/login/callback";
/// Somebody who logs in has to be back within this.
const BACK_WITHIN: Millis = Millis(10 * Millis::MINUTE.0);
/// Logins that are under way; one more forgets the oldest.
const UNDER_WAY_MAX: usize = 1000;
/// Of one address (IPv6: one /64), so that nobody who begins many ends those of others.
const UNDER_WAY_FROM_ONE_MAX: usize = 50;
/// What the provider says of itself is asked for again after this: its keys change now and then.
const KNOWN_FOR: Millis = Millis(10 * Millis::MINUTE.0);
/// Questions to the provider at one time.
const ASKING_MAX: usize = 4;

/// One request to the provider. It blocks, follows no redirect, and its answer has a bound.
pub type Fetch = Arc<dyn Fn(HttpRequest) -> Result<HttpResponse, FetchError> + Send + Sync>;

/// The provider was not reached.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// What is known of the provider, and what it knows of us.
pub struct OidcParts {
    /// `https://ID.EXAMPLE.COM`, as its own tokens say it.
    pub issuer: String,
    pub client_id: String,
    /// None for a public client.
    pub client_secret: Option<Secret>,
    /// Where browsers reach this listener, without a path.
    pub url: String,
    pub scopes: Vec<String>,
    pub roles: OidcRoles,
    pub fetch: Fetch,
}

pub struct Oidc {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    scopes: Vec<String>,
    roles: OidcRoles,
    /// Whoever was given a role by other ones logs in again.
    pub(super) rules: RulesHash,
    fetch: Fetch,
    metadata: Mutex<Option<(Monotonic, CoreProviderMetadata)>>,
    under_way: Mutex<BTreeMap<SecretHash, UnderWay>>,
    asking: Arc<Semaphore>,
}

/// A login that a browser has begun.
struct UnderWay {
    since: Monotonic,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    begun: Begun,
}

/// By whom, and where they want to go.
struct Begun {
    /// The share of their address.
    from: u128,
    next: String,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    name: String,
    role: Role,
}

/// Why somebody was not logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoPerson {
    #[error("the login was not begun in this browser, or took more than ten minutes: begin it again")]
    Unknown,
    #[error("the identity provider refused it: {0}")]
    Refused(String),
    #[error("the identity provider cannot be asked: {0}")]
    Unreachable(String),
    #[error("the identity provider's answer does not hold: {0}")]
    Invalid(String),
    #[error("{name} has no role here: operator.oidc.roles in hooks.yaml gives none to what the claim {claim} says")]
    NoRole { name: String, claim: String },
}

/// Whether nobody on the way can read along.
fn is_private(scheme: Option<&str>, host: Option<&str>) -> bool {
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    let is_local = || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    scheme == Some("https") || (scheme == Some("http") && is_local())
}

impl Oidc {
    /// Fails where a URL is none.
    pub fn new(parts: OidcParts) -> Result<Oidc, String> {
        let redirect = format!("{}{CALLBACK}", parts.url.trim_end_matches('/'));
        let secret = parts.client_secret.map(|secret| String::from_utf8(secret.expose().to_vec()));
        let secret = secret.transpose().map_err(|_| "client_secret: must be text".to_owned())?;
        let rules = json!([parts.issuer, parts.client_id, parts.roles.claim, parts.roles.values]);
        Ok(Oidc {
            rules: RulesHash::of(rules.to_string().as_bytes()),
            issuer: IssuerUrl::new(parts.issuer).map_err(|error| format!("issuer: {error}"))?,
            client_id: ClientId::new(parts.client_id),
            client_secret: secret.map(ClientSecret::new),
            redirect: RedirectUrl::new(redirect).map_err(|error| format!("url: {error}"))?,
            scopes: parts.scopes,
            roles: parts.roles,
            fetch: parts.fetch,
            metadata: Mutex::default(),
            under_way: Mutex::default(),
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
        })
    }

    /// What a browser speaks with this listener, by the address that the provider knows.
    fn over(&self) -> Over {
        if self.redirect.url().scheme() == "https" { Over::Tls } else { Over::Plain }
    }

    /// A turn to ask the provider, which lasts as long as the asking does, whether or not somebody still waits for it.
    fn turn(&self) -> Result<OwnedSemaphorePermit, NoPerson> {
        let turn = Arc::clone(&self.asking).try_acquire_owned();
        turn.map_err(|_| NoPerson::Unreachable("too many log in at this moment: try again".to_owned()))
    }

    /// What it says of itself may name other hosts: the client's secret goes over TLS there, too, or stays in the machine.
    fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let uri = request.uri();
        if !is_private(uri.scheme_str(), uri.host()) {
            return Err(FetchError(format!(
                "{} is not asked: it does not begin with https://",
                uri.host().unwrap_or("-")
            )));
        }
        (self.fetch)(request)
    }

    /// What people know the provider by.
    pub(super) fn shown(&self) -> &str {
        self.issuer.url().host_str().unwrap_or("the identity provider")
    }

    fn remember(&self, state: SecretHash, login: UnderWay) {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, other| login.since.since(other.since) < BACK_WITHIN);
        let own = all.values().filter(|other| other.begun.from == login.begun.from).count();
        if own >= UNDER_WAY_FROM_ONE_MAX || all.len() >= UNDER_WAY_MAX {
            let is_one = |other: &UnderWay| own < UNDER_WAY_FROM_ONE_MAX || other.begun.from == login.begun.from;
            let oldest = all.iter().filter(|(_, other)| is_one(other)).min_by_key(|(_, other)| other.since);
            let oldest = oldest.map(|(state, _)| *state);
            oldest.map(|oldest| all.remove(&oldest));
        }
        all.insert(state, login);
    }

    /// Once: whoever comes back a second time begins anew.
    fn recall(&self, state: &SecretHash, now: Monotonic) -> Option<UnderWay> {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(state).filter(|login| now.since(login.since) < BACK_WITHIN)
    }

    fn known(&self, now: Monotonic) -> Option<CoreProviderMetadata> {
        let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(at, _)| now.since(*at) < KNOWN_FOR).map(|(_, metadata)| metadata.clone())
    }

    fn learned(&self, metadata: CoreProviderMetadata, now: Monotonic) {
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, metadata));
    }

    fn forget(&self) {
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under_way(from: u128, since: u64) -> UnderWay {
        let (nonce, verifier) = (Nonce::new("n".to_owned()), PkceCodeVerifier::new("v".repeat(43)));
        UnderWay { since: Monotonic(since), nonce, verifier, begun: Begun { from, next: String::new() } }
    }

    #[test]
    fn whoever_begins_many_logins_ends_their_own_and_no_others() {
        let parts = OidcParts {
            issuer: "https://id.example.com".to_owned(),
            client_id: "hookbox".to_owned(),
            client_secret: None,
            url: "https://ops.example.com".to_owned(),
            scopes: Vec::new(),
            roles: OidcRoles { claim: "groups".to_owned(), values: Vec::new() },
            fetch: Arc::new(|_| Err(FetchError("nobody is asked".to_owned()))),
        };
        let oidc = Oidc::new(parts).unwrap();
        let state = |number: u64| SecretHash::of(&number.to_be_bytes());
        oidc.remember(state(0), under_way(1, 0));
        for number in 1..=2 * UNDER_WAY_MAX as u64 {
            oidc.remember(state(number), under_way(2, number));
        }
        assert_eq!(oidc.under_way.lock().unwrap().len(), 1 + UNDER_WAY_FROM_ONE_MAX);
        assert!(oidc.recall(&state(0), Monotonic(10)).is_some());
        assert!(oidc.recall(&state(1), Monotonic(10)).is_none());
        for number in 10_000..10_000 + 2 * UNDER_WAY_MAX as u64 {
            oidc.remember(state(number), under_way(number.into(), number));
        }
        assert_eq!(oidc.under_way.lock().unwrap().len(), UNDER_WAY_MAX);
    }

    #[test]
    fn the_provider_is_asked_where_nobody_reads_along() {
        for (scheme, host, good) in [
            ("https", "id.example.com", true),
            ("http", "127.0.0.1", true),
            ("http", "[::1]", true),
            ("http", "localhost", true),
            ("http", "id.example.com", false),
            ("http", "localhost.example.com", false),
            ("ftp", "127.0.0.1", false),
        ] {
            assert_eq!(is_private(Some(scheme), Some(host)), good, "{scheme}://{host}");
        }
    }
}
