//! hooks.yaml: what is accepted, what is refused, and in which words.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod alerts;
mod http;
mod limits;
mod properties;
mod rollback;
mod schedules;
mod scheme;
mod yaml;

use std::path::PathBuf;

use hookbox_core::body_schema::Otherwise;
use hookbox_core::config::{
    self, Config, Engine, Http, Operator, Plugin, Provider, Retention, SCHEDULE_KINDS, SecretSource, Server,
    StoreLocation, TlsFiles,
};
use hookbox_core::name::{HandlerName, PluginName, ProviderName};
use hookbox_core::policy::{Policy, PolicyPatch};
use hookbox_core::run::RunPolicy;
use hookbox_core::schedule::{MISSED_WITHIN, Rules};
use hookbox_core::time::Millis;

const SHIPPED: &str = include_str!("../../../../hooks.yaml");

fn good(text: &str) -> Config {
    Config::parse(text).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

fn wrong(text: &str) -> String {
    match Config::parse(text) {
        Ok(config) => panic!("{text}\nis accepted: {config:?}"),
        Err(mistakes) => mistakes.to_string(),
    }
}

fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

fn env(name: &str) -> SecretSource {
    SecretSource::Env(name.to_owned())
}

#[test]
fn an_empty_file_means_the_defaults() {
    for text in ["", "\n", "# nothing\n", "---\n", "{}", "server:\nplugins:\nstore: ~\n"] {
        assert_eq!(good(text), Config::default(), "{text:?}");
    }
    let usual = Config::default();
    assert_eq!(usual.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((usual.server.body_bytes_max, usual.server.in_flight_max), (1 << 20, 1024));
    assert_eq!(usual.server.bodies_bytes_max, 64 << 20);
    assert_eq!(usual.operator.listen.to_string(), "127.0.0.1:5555");
    assert_eq!(usual.store, StoreLocation::Sled(PathBuf::from("./data")));
    assert_eq!(usual.engine, Engine { slots: 16, stack_bytes: 512 << 10 });
    assert_eq!(usual.retention.succeeded_for.to_string(), "7d");
    assert_eq!(usual.retention.dead_for.to_string(), "90d");
}

#[test]
fn the_shipped_file_is_good_and_changes_no_default() {
    let shipped = good(SHIPPED);
    let names: Vec<_> = shipped.providers.keys().map(ProviderName::as_str).collect();
    assert_eq!(names, ["github", "shop", "stripe"]);
    for (name, found) in &shipped.providers {
        assert_eq!(*found, Provider::preset_for(name), "{name}");
    }
    assert!(shipped.plugins.values().all(|plugin| *plugin == Plugin::default()));
    assert_eq!(shipped.plugins.len(), 4);
    assert_eq!(Config { providers: Default::default(), plugins: Default::default(), ..shipped }, Config::default());
}

/// The manual with every comment taken off that holds a key.
#[test]
fn what_the_shipped_file_comments_out_is_good_too() {
    let mut text = String::new();
    for line in SHIPPED.lines() {
        let bare = line.trim_start();
        let uncommented = bare.strip_prefix("# ").filter(|rest| {
            let word = rest.trim_start().split([':', ' ']).next().unwrap_or_default();
            let key = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            key && rest.contains(&format!("{word}:")) || rest.trim_start().starts_with("- {")
        });
        match uncommented {
            Some(rest) if line.starts_with("  ") || rest.starts_with("store:") => {
                let indent = &line[..line.len() - bare.len()];
                text.push_str(&format!("{indent}{rest}\n"));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    let full = good(&text);
    let usual = good(SHIPPED);
    // These have no default to show.
    assert_eq!(full.server.public_url.as_deref(), Some("https://hooks.example.com"));
    let server = Server { trusted_proxies: Vec::new(), public_url: None, tls: None, ..full.server.clone() };
    assert_eq!((&server, &full.store, full.engine), (&usual.server, &usual.store, usual.engine));
    assert_eq!(full.retention, usual.retention);
    assert_eq!(full.rollback.map(|rule| rule.to_string()).as_deref(), Some("failures: 50%, over: 20"));
    assert_eq!(full.operator.token, Some(env("HOOKBOX_TOKEN")));
    assert_eq!(full.operator.trusted_proxies, full.server.trusted_proxies);
    assert_eq!(full.providers[&provider("shop")].secrets, usual.providers[&provider("shop")].secrets);
    assert_eq!(full.providers[&provider("stripe")].tolerance, Some(Millis(300_000)));
    assert!(full.providers.contains_key(&provider("acme")) && full.providers.contains_key(&provider("acme_two")));
    let welcome = &full.plugins[&PluginName::parse("welcome").unwrap()];
    let handler = HandlerName::parse("welcome").unwrap();
    let policy = welcome.policy_of(&handler).policy();
    assert!(policy.concurrency.is_some() && policy.key.is_some() && policy.rate.is_some());
    assert!(policy.unique_per.is_some() && policy.expires.is_some());
    let usual = Policy { concurrency: None, key: None, rate: None, unique_per: None, expires: None, ..policy };
    assert_eq!(usual, Policy::default());
    // A pin and keys have no default to show, either.
    assert_eq!((welcome.pinned.len(), full.trust().usual.keys.len()), (1, 1));
    assert!(welcome.signatures.keys.is_some() && full.trust().usual.require_signed);
    // Nor have requests.
    assert_eq!((welcome.http.grants.len(), welcome.http.networks.len()), (2, 1));
    let http = Http { grants: Vec::new(), networks: Vec::new(), secrets: Default::default(), ..welcome.http.clone() };
    let welcome = Plugin { pinned: Vec::new(), signatures: Default::default(), http, ..welcome.clone() };
    assert_eq!(
        Plugin {
            timeout: None,
            handlers: Default::default(),
            filters: Default::default(),
            rollback: None,
            ..welcome.clone()
        },
        Plugin::default()
    );
    let [nightly] = full.schedules.as_slice() else { panic!("{:?}", full.schedules) };
    let Rules { start, end, count, pause_after, policy, .. } = nightly.rules;
    assert!(start.is_some() && end.is_some() && count == Some(365) && pause_after == Some(10));
    let handlers = Policy::default();
    assert_eq!((policy.timeout, policy.attempts), (Some(handlers.timeout), Some(handlers.attempts)));
    let none =
        Rules { start: None, end: None, count: None, pause_after: None, policy: RunPolicy::default(), ..nightly.rules };
    assert_eq!(Rules { missed_within: None, ..none }, Rules::default());
    assert_eq!(none.missed_within, Some(MISSED_WITHIN));
    // Each key is there.
    let section = SHIPPED.split("schedules:").last().unwrap();
    for key in Rules::OPTIONS.into_iter().chain(SCHEDULE_KINDS).chain(["timezone", "day_rule", "phase", "payload"]) {
        assert!(section.contains(&format!("{key}: ")), "{key} is not in the manual");
    }
}

#[test]
fn tls_needs_both_of_its_files() {
    let config = good("server: { tls: { cert: a.pem, key: a.key } }");
    assert_eq!(config.server.tls, Some(TlsFiles { cert: "a.pem".into(), key: "a.key".into() }));
    insta::assert_snapshot!(wrong("server: { tls: { cert: a.pem } }"), @"server.tls.key: is missing; write the path of the private key as a PEM file (line 1)");
    assert!(wrong("server: { tls: { cert: a.pem, key: a.key, chain: b.pem } }").contains("unknown key"));
}

#[test]
fn a_schema_is_for_the_types_that_it_names() {
    let text = "providers: { shop: { schemas: [ { schema: a.json }, { type: \"order.*\", schema: b.json, otherwise: dead-letter } ] } }";
    let schemas = good(text).providers.remove(&provider("shop")).unwrap().schemas;
    assert!(schemas[0].events.matches("shop", "user.created") && schemas[0].otherwise == Otherwise::Refuse);
    assert!(schemas[1].events.matches("shop", "order.paid") && schemas[1].otherwise == Otherwise::DeadLetter);
    assert!(!schemas[1].events.matches("shop", "user.created"));
    let told = wrong("providers: { shop: { schemas: [ { type: \"a b\" }, { schema: a.json, otherwise: drop } ] } }");
    for part in ["must be an event type", "schemas[0].schema: is missing", "must be refuse or dead-letter"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    insta::assert_snapshot!(wrong(include_str!("../fixtures/mistakes.yaml")));
}

#[test]
fn a_mistake_knows_its_line() {
    let mistakes = Config::parse("server:\n  limits:\n    body: 1\nstore: x\n").unwrap_err();
    let lines: Vec<_> = mistakes.0.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [Some(3), Some(4)]);
    let told: Vec<_> = mistakes.0.iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "server.limits.body: must be 1KiB..=32MiB, got 1 (line 3)");
    assert_eq!(told[1], "store: must be sled: and a folder, such as sled:./data (line 4)");
}

#[test]
fn ranges_include_their_ends() {
    for (path, ends, outside) in [
        ("server: { limits: { body: $ } }", ["1KiB", "32MiB"], ["1023", "33554433"]),
        ("server: { limits: { bodies: $ } }", ["32MiB", "64GiB"], ["33554431", "65GiB"]),
        ("server: { limits: { in_flight: $ } }", ["1", "65536"], ["0", "65537"]),
        ("server: { limits: { per_source: $ } }", ["1/s", "100000/s"], ["0/s", "100001/s"]),
        ("server: { limits: { connections: $ } }", ["64", "1000000"], ["63", "1000001"]),
        ("server: { trusted_proxies: [$] }", ["10.0.0.0/8", "::1"], ["10.0.0.0/33", "proxy"]),
        ("operator: { trusted_proxies: [$] }", ["10.0.0.0/8", "::1"], ["10.0.0.0/33", "proxy"]),
        ("providers: { stripe: { rate: $ } }", ["1/s", "100000/s"], ["0/s", "50"]),
        ("providers: { stripe: { allow_from: [$] } }", ["192.0.2.7", "2001:db8::/32"], ["any", "1.2.3"]),
        ("engine: { slots: $ }", ["1", "512"], ["0", "513"]),
        ("keep: { succeeded_for: $ }", ["1s", "3650d"], ["999ms", "3651d"]),
        ("keep: { dead_for: $ }", ["1s", "3650d"], ["0s", "87600h1"]),
        ("keep: { events_for: $ }", ["1s", "3650d"], ["0s", "3651d"]),
        ("keep: { succeeded_max: $ }", ["1", "100000000"], ["0", "100000001"]),
        ("keep: { dead_max: $ }", ["1", "100000000"], ["0", "-1"]),
        ("keep: { cancelled_for: $ }", ["1s", "3650d"], ["999ms", "3651d"]),
        ("keep: { cancelled_max: $ }", ["1", "100000000"], ["0", "100000001"]),
        ("providers: { stripe: { tolerance: $ } }", ["1s", "1h"], ["0s", "3601s"]),
        ("providers: { stripe: { limits: { body: $ } } }", ["1KiB", "32MiB"], ["1", "33MiB"]),
        ("plugins: { a: { limits: { memory: $ } } }", ["1MiB", "1GiB"], ["1048575", "1025MiB"]),
        ("plugins: { a: { limits: { cpu: $ } } }", ["1ms", "1h"], ["0s", "3601s"]),
        ("plugins: { a: { limits: { timeout: $ } } }", ["1ms", "1h"], ["0s", "3601s"]),
        ("plugins: { a: { grants: { kv: $ } } }", ["0", "1GiB"], ["-1", "1025MiB"]),
        ("plugins: { a: { handlers: { b: { attempts: $ } } } }", ["1", "100"], ["0", "101"]),
        ("plugins: { a: { handlers: { b: { timeout: $ } } } }", ["1ms", "1h"], ["0ms", "2h"]),
        ("plugins: { a: { handlers: { b: { backoff: $ } } } }", ["0s", "1h"], ["3601s", "1"]),
        ("schedules: { a: { plugin: b, handler: c, every: $ } }", ["1s", "365d"], ["999ms", "366d"]),
        ("schedules: { a: { plugin: b, handler: c, hourly: $ } }", ["0", "59"], ["60", "-1"]),
        ("schedules: { a: { plugin: b, handler: c, every_minutes: $ } }", ["1", "30"], ["0", "31"]),
    ] {
        for value in ends {
            good(&path.replace('$', value));
        }
        for value in outside {
            let told = wrong(&path.replace('$', value));
            assert!(told.contains(": must be ") && told.contains(value) && told.lines().count() == 1, "{told}");
        }
    }
}

#[test]
fn a_provider_has_the_scheme_of_its_name() {
    let config = good("providers: { github: {}, stripe: {}, shop: , my-shop: { scheme: stripe } }");
    let schemes: Vec<_> = config.providers.iter().map(|(n, p)| format!("{n} {}", p.scheme.name())).collect();
    assert_eq!(schemes, ["github github-256", "my-shop stripe", "shop generic", "stripe stripe"]);
    assert_eq!(config.providers[&provider("my-shop")].secrets, [env("WEBHOOK_SECRET_MY_SHOP").into()]);
}

#[test]
fn a_scheme_that_is_meant_is_offered() {
    let told = wrong("providers: { my-shop: { scheme: strip } }");
    assert!(told.starts_with("providers.my-shop.scheme: \"strip\" is no scheme; did you mean \"stripe\"?"), "{told}");
}

#[test]
fn a_tolerance_needs_a_scheme_that_signs_a_time() {
    assert_eq!(
        wrong("providers: { github: { tolerance: 5m } }"),
        "providers.github.tolerance: scheme github-256 signs no time, so there is nothing to tolerate; leave it out \
         (line 1)"
    );
}

#[test]
fn two_providers_may_want_the_same_variable() {
    let config = good("providers: { my-shop: {}, my_shop: {} }");
    assert!(config.providers.values().all(|provider| provider.secrets == [env("WEBHOOK_SECRET_MY_SHOP").into()]));
}

#[test]
fn a_variable_makes_its_provider_live() {
    let name = config::provider_for_env("WEBHOOK_SECRET_MY_SHOP").unwrap();
    assert_eq!(name.as_str(), "my-shop");
    assert_eq!(config::secret_variable(&name), "WEBHOOK_SECRET_MY_SHOP");
    assert_eq!(config::secret_variable(&provider("my_shop")), "WEBHOOK_SECRET_MY_SHOP");
    let plain = config::provider_for_env("WEBHOOK_SECRET_GITHUB").unwrap();
    assert_eq!(plain.as_str(), "github");
    for other in ["WEBHOOK_SECRET_", "WEBHOOK_SECRET_HEALTH", "WEBHOOK_SECRET__A", "WEBHOOK_SECRET_a", "PATH", "SHOP"] {
        assert_eq!(config::provider_for_env(other), None, "{other}");
    }
}

#[test]
fn secrets_are_sources_and_never_quoted() {
    let config = good("providers: { shop: { secrets: [ { env: NEW }, { file: old.key } ] } }");
    let sources = &config.providers[&provider("shop")].secrets;
    assert_eq!(*sources, [env("NEW").into(), SecretSource::File(PathBuf::from("old.key")).into()]);
    assert_eq!(format!("{} {}", sources[0].source, sources[1].source), "env NEW file old.key");
    for literal in [
        "providers: { shop: { secrets: [ hunter2-hunter2 ] } }",
        "providers: { shop: { secrets: hunter2-hunter2 } }",
        "providers: { shop: { secrets: [ { env: hunter2-hunter2 } ] } }",
        "providers: { shop: { secrets: [ { value: hunter2-hunter2 } ] } }",
        "providers: { shop: { secrets: [ { hunter2-hunter2 } ] } }",
        "providers: { shop: { secrets: [ { env: A, file: hunter2-hunter2 } ] } }",
        "operator: { token: hunter2-hunter2 }",
        "plugins: { a: { grants: { secrets: [ 'Hunter2 hunter2-hunter2' ] } } }",
        "plugins: { a: { grants: { secrets: [ { name: a, value: hunter2-hunter2 } ] } } }",
        "store: postgres://me:hunter2-hunter2@db/hookbox",
        "operator: { token: hunter2-hunter2 ",
    ] {
        let told = wrong(literal);
        assert!(!told.contains("unter2"), "{told}");
    }
}

/// The token may be in the environment alone, which is not read here.
#[test]
fn the_operator_may_listen_beyond_loopback() {
    for text in ["'[::1]:5555'", "'0.0.0.0:5555'", "'0.0.0.0:5555', token: { env: HOOKBOX_TOKEN }"] {
        good(&format!("operator: {{ listen: {text} }}"));
    }
    assert!(wrong("operator: { listen: '0.0.0.0' }").starts_with("operator.listen: must be an IP address and a port"));
}

#[test]
fn a_plugin_never_passes_for_a_provider() {
    good("plugins: { a: { grants: { emit: [ 'digest/*', 'shop-notes/a.*' ] } } }");
    for (pattern, cure) in [
        ("*/*", "name one, such as digest/*"),
        ("*/user.created", "name one, such as digest/*"),
        ("git*/push", "name one, such as digest/*"),
        ("github/push", "the provider github; choose another name"),
        ("stripe/*", "the provider stripe; choose another name"),
    ] {
        let told = wrong(&format!("plugins: {{ a: {{ grants: {{ emit: [ '{pattern}' ] }} }} }}"));
        assert!(told.starts_with("plugins.a.grants.emit[0]: ") && told.contains(cure), "{told}");
    }
}

#[test]
fn the_two_listeners_differ() {
    let told = wrong("server: { listen: 127.0.0.1:5555 }");
    assert_eq!(told, "operator.listen: must differ from server.listen, both are 127.0.0.1:5555 (line 1)");
    good("server: { listen: 127.0.0.1:0 }\noperator: { listen: 127.0.0.1:0 }");
}

#[test]
fn host_names_have_no_scheme_and_no_port() {
    let config = good("operator: { hosts: [ Hooks.example.com, 10.0.0.1, '::1' ] }");
    assert_eq!(config.operator.hosts, ["hooks.example.com", "10.0.0.1", "::1"]);
    for host in ["'*'", "https://a.example", "a.example:80", "''"] {
        assert!(wrong(&format!("operator: {{ hosts: [ {host} ] }}")).starts_with("operator.hosts[0]: must be a host"));
    }
}

#[test]
fn a_plugin_is_read_as_it_is_written() {
    let config = good(
        r##"
plugins:
  github-notify:
    limits: { memory: 32MiB, timeout: 20s, cpu: 5s }
    grants: { secrets: [ slack_url, { name: token, env: MY_TOKEN }, { name: key, file: a.key } ], kv: 1MiB, emit: [ "digest/*" ] }
    config: { channel: "#dev", limit: 5, on: true, list: [ 1, a ], map: { z: 1, a: ~ }, zip: 01234 }
    handlers: { on-push: { attempts: 8, backoff: 1s }, slow: { timeout: 1h } }
"##,
    );
    let plugin = &config.plugins[&PluginName::parse("github-notify").unwrap()];
    assert_eq!((plugin.memory_bytes, plugin.cpu, plugin.kv_bytes), (32 << 20, Millis(5000), 1 << 20));
    let config: Vec<_> = plugin.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let expected = ["channel=#dev", "limit=5", r#"list=[1,"a"]"#, r#"map={"z":1,"a":null}"#, "on=true", "zip=01234"];
    assert_eq!(config, expected);
    let sources: Vec<_> = plugin.secrets.iter().map(|(name, source)| format!("{name}: {source}")).collect();
    assert_eq!(sources, ["key: file a.key", "slack_url: env SLACK_URL", "token: env MY_TOKEN"]);
    let policy = |name| plugin.policy_of(&HandlerName::parse(name).unwrap());
    let (timeout, attempts, backoff) = (Some(Millis(20_000)), Some(8), Some(Millis(1000)));
    assert_eq!(policy("on-push"), PolicyPatch { timeout, attempts, backoff, ..PolicyPatch::default() });
    assert_eq!(policy("slow").timeout, Some(Millis::HOUR));
    assert_eq!(policy("other"), PolicyPatch { timeout, ..PolicyPatch::default() });
    let settings = plugin.settings(Default::default(), Default::default());
    assert_eq!((settings.memory_bytes, settings.emit), (plugin.memory_bytes, plugin.emit.clone()));
}

#[test]
fn the_defaults_are_those_of_each_part() {
    let usual = Config::default();
    assert_eq!((usual.server, usual.operator), (Server::default(), Operator::default()));
    assert_eq!((usual.retention, usual.engine), (Retention::default(), Engine::default()));
}

#[test]
fn a_filter_is_compiled_with_the_file() {
    let parse =
        |filter: &str| Config::parse(&format!("plugins: {{ a: {{ handlers: {{ b: {{ filter: {filter} }} }} }} }}"));
    let config = parse("\"data.amount > 1000 && headers['x-shop'] == 'eu'\"").unwrap();
    let filters = &config.plugins.values().next().unwrap().filters;
    assert_eq!(filters.values().next().unwrap().to_string(), "data.amount > 1000 && headers['x-shop'] == 'eu'");
    assert!(parse("true").is_ok());
    for bad in ["data.amount >", "''", "data.all(x, x)", "nope(1)", "[a]"] {
        let mistakes = parse(bad).unwrap_err();
        assert_eq!(
            (mistakes.0[0].path.as_str(), mistakes.0[0].line),
            ("plugins.a.handlers.b.filter", Some(1)),
            "{bad}"
        );
    }
}

#[test]
fn a_network_with_bits_beyond_its_prefix_is_refused_with_the_right_one() {
    let told = wrong("providers: { stripe: { allow_from: [192.0.2.7/24] } }");
    assert!(told.contains("allow_from[0]: has bits beyond its prefix; write 192.0.2.0/24"), "{told}");
}

#[test]
fn an_empty_list_of_networks_is_no_way_to_let_everyone_in() {
    assert!(wrong("providers: { stripe: { allow_from: [] } }").contains("must have 1..=256 items"));
}
