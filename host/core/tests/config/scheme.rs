//! Schemes of one's own, and secrets that end.

use hookbox_core::config::Config;
use hookbox_core::verify::{Scheme, describe, schemes};

use crate::{provider, wrong};

#[test]
fn a_scheme_that_cannot_be_meant_is_refused_with_its_cure() {
    let told = |scheme: &str| wrong(&format!("providers: {{ acme: {{ scheme: {{ {scheme} }} }} }}"));
    for (scheme, cure) in [
        ("header: X-Sig", "needs algorithm and the place of the signature"),
        ("algorithm: hmac-sha256", "needs algorithm and the place of the signature"),
        ("algorithm: hmac-md5, header: X-Sig", "known: hmac-sha1, hmac-sha256"),
        ("algorithm: hmac-sha256, header: X-Sig, content: \"{ts}.{body}\"", "say where it is"),
        ("algorithm: hmac-sha256, header: X-Sig, timestamp: { header: X-Ts }", "the timestamp is not signed"),
        ("algorithm: sha256, header: X-Sig", "no signature without {secret}"),
        ("algorithm: hmac-sha256, header: X-Sig, content: \"{bdy}\"", "{bdy} is no place; known: {body}"),
        ("algorithm: hmac-sha256, header: X-Sig, content: \"{id}{body}\", id: \"{header:X-Id}\"", "a text behind {id}"),
        ("algorithm: hmac-sha256, header: X-Sig, content: \"{id}.{body}\"", "id must be one header"),
        ("algorithm: hmac-sha256, header: Cookie", "must be the name of a header"),
        ("like: strip", "did you mean \"stripe\"?"),
        ("like: stripe, heder: X-Sig", "did you mean \"header\"?"),
        ("like: meta, challenge: { echo: a, only: subscribe }", "must be PARAMETER=VALUE"),
        ("algorithm: hmac-sha256, header: X-Sig, json: a", "must have one place of the signature"),
    ] {
        let told = told(scheme);
        assert!(told.contains(cure), "{scheme}: {told}");
    }
}

#[test]
fn a_secret_ends_with_its_day_or_at_its_time() {
    let ends = |end: &str| {
        let config = Config::parse(&format!("providers: {{ a: {{ secrets: [{{ env: A, not_after: {end} }}] }} }}"));
        config.map(|config| config.providers[&provider("a")].secrets[0].not_after.unwrap().to_string())
    };
    assert_eq!(ends("2026-12-31").unwrap(), "2026-12-31T23:59:59.999Z");
    assert_eq!(ends("\"2026-12-31T12:00:00+01:00\"").unwrap(), "2026-12-31T11:00:00.000Z");
    for bad in ["soon", "2026-13-01", "1969-01-01", "[]"] {
        let mistakes = ends(bad).unwrap_err().to_string();
        assert!(mistakes.contains("providers.a.secrets[0].not_after"), "{mistakes}");
    }
    let neither = Config::parse("providers: { a: { secrets: [{ not_after: 2026-12-31 }] } }").unwrap_err();
    assert!(neither.to_string().contains("must have one key"), "{neither}");
}

#[test]
fn every_preset_can_be_changed() {
    for scheme in schemes() {
        let like = Scheme::from_yaml(&format!("like: {}", scheme.name()));
        assert!(like.is_ok(), "{}: {like:?}", scheme.name());
    }
}

#[test]
fn a_challenge_is_written_as_the_preset_has_it() {
    let text = "like: meta\nchallenge: { echo: hub.challenge, verify: hub.verify_token, only: hub.mode=subscribe }";
    assert_eq!(describe(&Scheme::from_yaml(text).unwrap()), describe(Scheme::named("meta").unwrap()));
}

#[test]
fn a_scheme_that_means_two_things_is_refused() {
    for (scheme, told) in [
        ("timestamp: { header: X-T, json: t }, content: \"{timestamp}.{body}\"", "one place of the time"),
        ("type: \"{entry:v1=}\", separator: \",\"", "entries are read for the signature alone"),
        ("content: \"{header:X-Sig}{body}\"", "part of what it signs"),
    ] {
        let text = format!(
            "algorithm: hmac-sha256\nheader: X-Sig\n{}\n",
            scheme.replace(", ", "\n").replace("X-T\njson", "X-T, json")
        );
        let error = Scheme::from_yaml(&text).unwrap_err().to_string();
        assert!(error.contains(told), "{text}\n{error}");
    }
}
