//! hooks.yaml, as an operator meets it.

use hookbox_core::config::{Config, SecretSource, StoreLocation};
use hookbox_core::name::{HandlerName, PluginName, ProviderName};
use hookbox_core::schedule::When;
use hookbox_core::time::Millis;
use proptest::prelude::*;

#[expect(clippy::unwrap_used, reason = "a test")]
fn mistakes(text: &str) -> Vec<String> {
    Config::parse(text).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[expect(clippy::unwrap_used, reason = "a test")]
fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

#[test]
fn the_shipped_file_is_right() {
    let config = Config::parse(include_str!("../../../hooks.yaml")).unwrap();
    assert_eq!(config.providers[&provider("github")].scheme.name(), "github-256");
    assert_eq!(config.providers[&provider("shop")].scheme.name(), "generic");
}

#[test]
fn what_the_shipped_file_shows_as_comments_is_right_too() {
    // Lines of the manual that are keys: uncommented, the file must still read.
    let manual = include_str!("../../../hooks.yaml");
    let keys: Vec<String> = manual
        .lines()
        .filter_map(|line| {
            let text = line
                .strip_prefix('#')
                .map_or(line.to_owned(), |rest| rest.strip_prefix(' ').unwrap_or(rest).to_owned());
            let key = text.trim_start().split([':', ' ']).next().unwrap_or_default();
            let known = ["keep", "succeeded_for", "succeeded_max", "dead_for", "dead_max", "events_for"].contains(&key);
            known.then_some(text)
        })
        .collect();
    assert_eq!(keys.len(), 6);
    let config = Config::parse(&keys.join("\n")).unwrap();
    assert_eq!(config.keep, Config::parse("").unwrap().keep);
}

#[test]
fn an_empty_file_means_the_defaults() {
    for text in ["", "# nothing\n", "\n\n", "server:\nproviders: {}\n"] {
        let config = Config::parse(text).unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.operator.listen.to_string(), "127.0.0.1:5555");
        assert_eq!(config.server.body_bytes_max, 1 << 20);
        assert_eq!(config.engine.slots, 16);
        assert_eq!(config.store, StoreLocation::Sled("./data".into()));
        assert!(config.providers.is_empty() && config.plugins.is_empty() && config.schedules.is_empty());
    }
}

#[test]
fn every_key_is_read() {
    let config = Config::parse(
        r##"
server: { listen: "0.0.0.0:80", limits: { body: 2MiB, in_flight: 10 } }
operator: { listen: "127.0.0.1:1", token: { file: token.txt }, hosts: [ ops.example.com ] }
store: sled:/var/lib/hookbox
engine: { slots: 4 }
keep: { succeeded_for: 1d, dead_max: 10 }
providers:
  my-shop: { scheme: standard-webhooks, secrets: [ { env: A }, { file: b.key } ], tolerance: 10m, body: 4KiB }
plugins:
  p:
    limits: { memory: 128MiB, timeout: 1m, cpu: 2s }
    grants: { kv: 1MiB, secrets: [ slack_url, { name: x, env: Y } ], emit: [ "digest/*" ] }
    config: { channel: "#dev", depth: 3, on: { a: [ 1 ] } }
    handlers: { on-push: { attempts: 8, timeout: 2m, backoff: 0ms } }
schedules:
  nightly: { plugin: p, handler: h, cron: "0 2 * * *", timezone: europe/london, day_rule: and, overlap: skip, missed: latest, payload: { a: 1 } }
  often: { plugin: p, handler: h, every: 45m }
  p.h: { plugin: p, handler: h, weekly: "MON 09:00" }
"##,
    )
    .unwrap();
    let shop = &config.providers[&provider("my-shop")];
    assert_eq!(shop.secrets, [SecretSource::Env("A".into()), SecretSource::File("b.key".into())]);
    assert_eq!((shop.tolerance, shop.body_bytes_max), (Some(Millis(600_000)), Some(4096)));
    let plugin = &config.plugins[&PluginName::parse("p").unwrap()];
    assert_eq!(plugin.config["depth"], "3");
    assert_eq!(plugin.config["on"], r#"{"a":[1]}"#);
    assert_eq!(plugin.config["channel"], "#dev");
    assert_eq!(plugin.secrets["slack_url"], SecretSource::Env("SLACK_URL".into()));
    assert_eq!(plugin.secrets["x"], SecretSource::Env("Y".into()));
    assert_eq!(plugin.handlers[&HandlerName::parse("on-push").unwrap()].attempts, Some(8));
    let when: Vec<String> =
        config.schedules.iter().map(|schedule| format!("{} {}", schedule.name, schedule.when)).collect();
    assert_eq!(when, ["nightly 0 2 * * * (Europe/London)", "often every 45m", "p.h 0 9 * * MON (UTC)"]);
    assert_eq!(config.schedules[0].payload.as_ref().unwrap().data, br#"{"a":1}"#);
    assert!(matches!(config.schedules[1].when, When::Every { period: Millis(2_700_000) }));
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_cure() {
    let told = mistakes(
        r#"
sever: {}
server: { listen: nowhere, limits: { body: 1, in_flight: 0, colour: red } }
operator: { token: hunter2, hosts: [ "a b" ] }
store: postgres://db
engine: { slots: many }
keep: { succeeded_for: 1ms, events_for: 1d }
providers:
  health: {}
  Bad Name: {}
  github: { tolerance: 5m }
  stripe: { tolerance: 0s, secrets: whsec_1, scheme: stirpe }
  shop: { secrets: [ { env: A, file: B }, hunter2, {} ] }
plugins:
  p:
    limits: { memory: 64MB, timeout: 2h }
    grants: { http: [ x ], emit: [ "*/x", 3 ], secrets: [ "a b", 7, { env: A } ] }
    handlers: { on-push: { attempts: 0 }, "Bad!": {} }
schedules:
  a: { plugin: p, handler: h }
  b: { plugin: p, handler: h, cron: "61 * * * *", every: 5m }
  c: { plugin: p, handler: h, every_minutes: 45 }
  d: { plugin: p, handler: h, every: 5m, timezone: UTC }
  e: { plugin: p, cron: "0 0 31 2 *", handler: h, timezone: Mars/Base, overlap: allow }
  f: { daily: 9, day_rule: xor }
"#,
    );
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_should_be_a_secret_is_not_printed() {
    for text in [
        "providers: { shop: { secrets: [ hunter2 ] } }",
        "providers: { shop: { secrets: hunter2 } }",
        "providers: { shop: { secrets: [ { env: 'hunter2 ' } ] } }",
        "operator: { token: hunter2 }",
        "providers: [ hunter2\n",
    ] {
        let told = mistakes(text).join("\n");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_text_that_is_not_yaml_is_one_mistake() {
    for text in ["providers: {", "a: b: c", "providers: { a: {}, a: {} }", "- x\n- y\n", "just text"] {
        assert_eq!(mistakes(text).len(), 1, "{text:?}: {:?}", mistakes(text));
    }
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..20 {
        let last = n - 1;
        text += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{last}"); 10].join(","));
    }
    assert_eq!(mistakes(&text).len(), 1);
    assert!(Config::parse(&"#".repeat(2 << 20)).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n]{0,200}") {
        let _ = Config::parse(&text);
    }

    #[test]
    fn no_tree_makes_the_reader_panic(
        section in prop::sample::select(vec!["server", "operator", "store", "engine", "keep", "providers", "plugins", "schedules"]),
        value in prop::sample::select(vec!["[]", "{}", "1", "x", "null", "{ a: 1 }", "{ a: { b: [ {} ] } }", "[ { env: 1 } ]", "{ shop: { secrets: 3 } }", "{ p: { grants: 1, config: [], handlers: { a: [] } } }", "{ s: { cron: 1, every: {} } }"]),
    ) {
        let _ = Config::parse(&format!("{section}: {value}\n"));
    }
}
