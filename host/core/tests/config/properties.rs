//! Whatever hooks.yaml says, reading it ends with a config or with mistakes.

use hookbox_core::config::Config;
use proptest::prelude::*;

const KEYS: &[&str] = &[
    "server",
    "operator",
    "store",
    "engine",
    "keep",
    "providers",
    "plugins",
    "schedules",
    "listen",
    "limits",
    "body",
    "token",
    "env",
    "file",
    "hosts",
    "slots",
    "dead_for",
    "github",
    "stripe",
    "scheme",
    "secrets",
    "tolerance",
    "grants",
    "config",
    "handlers",
    "memory",
    "kv",
    "emit",
    "nightly",
    "plugin",
    "handler",
    "cron",
    "every",
    "every_minutes",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "timezone",
    "day_rule",
    "payload",
    "name",
    "<<",
    "",
];

const VALUES: &[&str] = &[
    "~",
    "true",
    "0",
    "-1",
    "45",
    "1.5",
    ".nan",
    "1e999",
    "30s",
    "64MiB",
    "127.0.0.1:1",
    "0.0.0.0:1",
    "sled:./data",
    "\"* * * * *\"",
    "\"0 0 30 2 *\"",
    "09:00",
    "MON 09:00",
    "Europe/London",
    "stripe",
    "a/b",
    "\"*\"",
    "\"\\u0000\"",
    "é",
    "'99999999999999999999'",
    "&a x",
    "*a",
    "!!binary aGk=",
    "!x y",
    "[]",
    "{}",
];

fn tree() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(VALUES).prop_map(str::to_owned);
    leaf.prop_recursive(5, 64, 6, |inner| {
        let key = proptest::sample::select(KEYS);
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(", "))),
            4 => proptest::collection::btree_map(key, inner, 0..6).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key:?}: {value}")).collect();
                format!("{{ {} }}", entries.join(", "))
            }),
        ]
    })
}

fn read(text: &str) -> Result<(), TestCaseError> {
    if let Err(mistakes) = Config::parse(text) {
        prop_assert!(!mistakes.0.is_empty());
        prop_assert!(mistakes.0.iter().all(|mistake| !mistake.to_string().contains(char::is_control)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        read(&text)?;
    }

    #[test]
    fn any_text_that_looks_like_yaml_is_read_or_refused(text in "([a-z&*!<>|%@`\"'\\[\\]{}:,?#~ \n\t-]|[ -~]|\\PC){0,120}") {
        read(&text)?;
    }

    #[test]
    fn any_tree_is_read_or_refused(text in tree()) {
        read(&text)?;
    }

    #[test]
    fn any_tree_in_a_section_is_read_or_refused(key in proptest::sample::select(&KEYS[..8]), tree in tree()) {
        read(&format!("{key}: {tree}"))?;
    }
}
