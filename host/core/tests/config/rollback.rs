//! When a version is rolled back, as hooks.yaml says it.

use hookbox_core::name::PluginName;

use crate::{good, wrong};

#[test]
fn a_rollback_has_a_share_and_a_number() {
    let rules = good("rollback: { failures: 50%, over: 20 }\nplugins: { a: { rollback: none }, b: { rollback: { failures: 1%, over: 1 } }, c: {} }")
        .rollbacks();
    let rule = |name: &str| rules.of(&PluginName::parse(name).unwrap()).map(|rule| rule.to_string());
    assert_eq!(rule("a"), None);
    assert_eq!(rule("b").as_deref(), Some("failures: 1%, over: 1"));
    assert_eq!((rule("c"), rule("other")), (rules.usual.map(|rule| rule.to_string()), rule("c")));
    for (text, part) in [
        ("rollback: off", "rollback: must be { failures: 50%, over: 20 } or none, got off"),
        ("rollback: { failures: 50% }", "rollback.over: is missing; write of how many attempts, such as 20"),
        ("rollback: { over: 5 }", "rollback.failures: is missing; write how many may fail, such as 50%"),
        ("rollback: { failures: 0%, over: 20 }", "rollback.failures: must be 1%..=100%, got 0%"),
        (
            "plugins: { a: { rollback: { failures: 5%, over: 0 } } }",
            "plugins.a.rollback.over: must be 1..=10000, got 0",
        ),
        ("rollback: { failures: 5%, over: 1, after: 2 }", "rollback.after: unknown key"),
    ] {
        let told = wrong(text);
        assert!(told.contains(part), "{part}: {told}");
    }
}
