//! Requests that hooks.yaml lets a plugin send.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use hookbox_core::config::{Config, Plugin};
use hookbox_core::egress::{Destination, Scheme};
use hookbox_core::name::PluginName;

fn read(text: &str) -> Result<Plugin, String> {
    let config = Config::parse(&format!("plugins: {{ a: {{ {text} }} }}"));
    Ok(config.map_err(|mistakes| mistakes.to_string())?.plugins[&PluginName::parse("a").unwrap()].clone())
}

#[test]
fn a_plugin_sends_nothing_unless_it_is_granted() {
    let plugin = read("limits: { memory: 1MiB }").unwrap();
    assert!(plugin.http.grants.is_empty() && plugin.http.networks.is_empty() && plugin.http.secrets.is_empty());
}

#[test]
fn grants_networks_and_limits_are_read() {
    let plugin = read(
        "limits: { requests: 5, requests_at_once: 2, responses: 1MiB }, grants: { networks: [ 10.0.0.0/8 ], http: [ \
         'POST https://hooks.slack.com', { to: 'https://api.stripe.com', headers: { Authorization: stripe_key, x-b: [ \
         { name: other, file: o.key }, stripe_key ] } } ] }",
    )
    .unwrap();
    let http = &plugin.http;
    assert_eq!((http.requests_max, http.at_once_max, http.response_bytes_max), (5, 2, 1 << 20));
    let shown: Vec<String> = http.grants.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["POST https://hooks.slack.com", "https://api.stripe.com"]);
    let headers: Vec<String> =
        http.grants[1].headers.iter().map(|(name, secrets)| format!("{name} {secrets:?}")).collect();
    assert_eq!(headers, [r#"authorization ["stripe_key"]"#, r#"x-b ["other", "stripe_key"]"#]);
    let sources: Vec<String> = http.secrets.iter().map(|(name, source)| format!("{name} {source}")).collect();
    assert_eq!(sources, ["other file o.key", "stripe_key env STRIPE_KEY"]);
    let settings = plugin.settings(Default::default(), Default::default());
    let to = Destination::parse(Scheme::Https, "hooks.slack.com").unwrap();
    assert!(settings.egress.is_granted("POST", &to) && !settings.egress.is_granted("GET", &to));
}

#[test]
fn what_is_no_grant_is_told_with_its_place() {
    for (text, told) in [
        ("grants: { http: [ hooks.slack.com ] }", "plugins.a.grants.http[0]: has no scheme"),
        ("grants: { http: [ { headers: { a: b } } ] }", "plugins.a.grants.http[0].to: is missing"),
        ("grants: { http: [ { to: 'https://a.b', header: {} } ] }", "plugins.a.grants.http[0].header: unknown key"),
        (
            "grants: { http: [ { to: 'https://a.b', headers: { host: b } } ] }",
            "plugins.a.grants.http[0].headers.host: is written by hookbox itself",
        ),
        (
            "grants: { http: [ { to: 'https://a.b', headers: { 'a b': b } } ] }",
            "plugins.a.grants.http[0].headers.\"a b\": is no name of a header",
        ),
        (
            "grants: { http: [ { to: 'https://a.b', headers: { a: { name: k, file: x } } }, { to: 'https://a.b', headers: \
             { a: k } } ] }",
            "plugins.a.grants.http[1].headers.a: secret \"k\" is read from two places",
        ),
        (
            "grants: { http: [ { to: 'http://a.b', headers: { a: k } } ] }",
            "plugins.a.grants.http[0].headers: would go over http://, where others can read the secret: write https://",
        ),
        (
            "grants: { networks: [ 10.0.0.0/8 ], http: [ { to: 'http://192.0.2.1', headers: { a: k } } ] }",
            "plugins.a.grants.http[0].headers: would go over http://",
        ),
        ("grants: { networks: [ 10.0.0.1/8 ] }", "plugins.a.grants.networks[0]: has bits beyond its prefix"),
        ("limits: { requests_at_once: 0 }", "plugins.a.limits.requests_at_once: must be 1..=64, got 0"),
        ("limits: { responses: 1GiB }", "plugins.a.limits.responses: must be 0..=256MiB, got 1GiB"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn a_secret_goes_over_plain_http_to_networks_of_ones_own() {
    for to in ["http://billing.internal", "http://10.1.2.3:8080", "http://*.internal"] {
        let text = format!("grants: {{ networks: [ 10.0.0.0/8 ], http: [ {{ to: '{to}', headers: {{ a: k }} }} ] }}");
        assert_eq!(read(&text).unwrap().http.grants.len(), 1, "{to}");
    }
    // Without a secret it may go anywhere that is granted.
    assert!(read("grants: { http: [ 'http://a.b', { to: 'http://a.b', headers: {} } ] }").is_ok());
}

#[test]
fn a_secret_that_stands_in_the_file_is_not_quoted() {
    let error = read("grants: { http: [ { to: 'https://a.b', headers: { a: 'Hunter2 Hunter2' } } ] }").unwrap_err();
    assert!(!error.contains("unter2"), "{error}");
}
