//! hooks.yaml as YAML: what no text may do, whatever it says.

use hookbox_core::config::{self, Config};

use crate::{good, wrong};

#[test]
fn a_key_that_is_there_twice_is_refused_with_its_line() {
    let mistakes = Config::parse("server:\n  limits: { body: 1MiB }\nserver: {}\n").unwrap_err();
    assert_eq!((mistakes.0.len(), mistakes.0[0].line), (1, Some(3)));
    assert_eq!(mistakes.to_string(), "line 3: key \"server\" is there twice; leave one out");
    assert!(wrong("plugins: { a: { config: { b: 1, b: 2 } } }").contains("is there twice"));
}

#[test]
fn broken_yaml_is_one_mistake_with_its_line() {
    for text in
        ["server:\n  listen: [1\n", "server:\n\tlisten: 1\n", "store: 'x\n", "store: *nowhere", "a: 1\n---\nb: 2"]
    {
        let mistakes = Config::parse(text).unwrap_err();
        assert!(mistakes.0.len() == 1 && mistakes.0[0].line.is_some(), "{text:?}: {mistakes:?}");
        assert!(mistakes.to_string().starts_with("line "), "{mistakes}");
    }
    assert_eq!(wrong("a: b: c"), "line 1: is no valid YAML: mapping values are not allowed in this context");
    assert_eq!(wrong("a: &a [ *a ]"), "line 1: an alias must not stand in what it repeats");
    assert_eq!(wrong("store: !env STORE"), "line 1: tags such as !env have no meaning here; leave it out");
}

#[test]
fn what_is_no_map_is_refused_in_its_place() {
    assert_eq!(wrong("[]"), "line 1: must be a map of keys and values, got a list");
    assert_eq!(wrong("plugins: 5"), "plugins: must be a map of keys and values, got a number (line 1)");
    assert_eq!(wrong("store: {}"), "store: must be a single value, got a map (line 1)");
}

#[test]
fn anchors_save_repetition() {
    let config = good("plugins: { a: { limits: &small { memory: 8MiB } }, b: { limits: *small } }");
    assert!(config.plugins.values().all(|plugin| plugin.memory_bytes == 8 << 20));
}

/// Written out, the first would be some 10^12 values: no test would end.
#[test]
fn a_bomb_is_refused() {
    let mut aliases = String::from("a: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*l{}", level - 1); 10].join(", ");
        aliases.push_str(&format!("b{level}: &l{level} [{below}]\n"));
    }
    let deep = format!("a: {}", "[".repeat(100_000));
    let block: String = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let wide = format!("a: [{}]", "x,".repeat(300_000));
    let long = format!("# {}", "x".repeat(config::TEXT_BYTES_MAX));
    assert!(wrong(&aliases).ends_with("aliases repeat too much; write out what they stand for"), "{}", wrong(&aliases));
    for bomb in [aliases, deep, block, wide, long] {
        let mistakes = Config::parse(&bomb).unwrap_err();
        assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    }
}

#[test]
fn no_mistake_shows_a_control_character() {
    let mistakes = Config::parse("\"a\\e[31m\\nb\": 1\nstore: \"\\e]0;x\\a\"\n\"\": 1").unwrap_err();
    assert_eq!(mistakes.0.len(), 3);
    assert!(mistakes.0.iter().all(|mistake| !mistake.to_string().contains(char::is_control)), "{mistakes}");
}
