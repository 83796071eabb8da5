//! The cookie of a browser's session. No script can read it, no other site has it sent along, and where TLS is spoken it
//! goes over nothing else.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use hookbox_core::access::{SESSION_MAX, SecretHash};

const PLAIN: &str = "hookbox_session";
/// Browsers take a cookie of such a name only from the host itself, for all its paths, over TLS.
const SECURE: &str = "__Host-hookbox_session";
/// A login by a provider that was begun. It comes along when the provider sends the browser back, which is another site.
const BEGUN: &str = "hookbox_login";
const SECURELY_BEGUN: &str = "__Host-hookbox_login";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Plain,
    Tls,
}

/// Of the ids that a browser shows: there may be one of another host on the same machine. Where the listener speaks TLS, a
/// cookie counts that no other host can have set; where it does not, a proxy in front may.
pub(super) fn shown(headers: &HeaderMap, over: Over) -> Vec<SecretHash> {
    match over {
        Over::Plain => named(headers, &[SECURE, PLAIN]),
        Over::Tls => named(headers, &[SECURE]),
    }
}

/// The logins that it has begun.
pub(super) fn begun_by(headers: &HeaderMap, over: Over) -> Vec<SecretHash> {
    match over {
        Over::Plain => named(headers, &[BEGUN]),
        Over::Tls => named(headers, &[SECURELY_BEGUN]),
    }
}

pub(super) fn begun(state: &str, over: Over) -> String {
    let (name, secure) = match over {
        Over::Plain => (BEGUN, ""),
        Over::Tls => (SECURELY_BEGUN, "; Secure"),
    };
    format!("{name}={state}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax{secure}")
}

fn name(over: Over) -> &'static str {
    match over {
        Over::Plain => PLAIN,
        Over::Tls => SECURE,
    }
}

fn named(headers: &HeaderMap, wanted: &[&str]) -> Vec<SecretHash> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ids = pairs.filter(|(name, _)| wanted.contains(name));
    ids.take(4).map(|(_, id)| SecretHash::of(id.as_bytes())).collect()
}

pub(super) fn set(id: &str, over: Over) -> String {
    written(id, over, SESSION_MAX.0 / 1000)
}

pub(super) fn cleared(over: Over) -> String {
    written("", over, 0)
}

fn written(id: &str, over: Over, seconds: u64) -> String {
    let (name, secure) = (name(over), if over == Over::Tls { "; Secure" } else { "" });
    format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_hidden_from_scripts_and_other_sites() {
        insta::assert_snapshot!(set("id", Over::Plain), @"hookbox_session=id; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict");
        insta::assert_snapshot!(set("id", Over::Tls), @"__Host-hookbox_session=id; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure");
        insta::assert_snapshot!(cleared(Over::Plain), @"hookbox_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b; hookbox_session=one".parse().unwrap());
        headers.append(COOKIE, "__Host-hookbox_session=two; hookbox_sessions=three; x".parse().unwrap());
        assert_eq!(
            shown(&headers, Over::Plain),
            [SecretHash::of(b"one"), SecretHash::of(b"two")],
            "a proxy may speak TLS"
        );
        assert_eq!(shown(&headers, Over::Tls), [SecretHash::of(b"two")], "any host below the domain can set the other");
        assert_eq!(shown(&HeaderMap::new(), Over::Plain), []);
    }
}
