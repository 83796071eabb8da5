//! Limits of plugins in hooks.yaml: what they may be, what the manual says of them, and where they end up.

use hookbox_core::limits::{Known, Limits, Unit};
use hookbox_core::name::PluginName;

use crate::{good, wrong};

const SHIPPED: &str = include_str!("../../../../hooks.yaml");

fn shown(number: usize, unit: Unit) -> String {
    match unit {
        Unit::Bytes if number > 0 && number.is_multiple_of(1 << 20) => format!("{}MiB", number >> 20),
        Unit::Bytes if number > 0 && number.is_multiple_of(1 << 10) => format!("{}KiB", number >> 10),
        Unit::Bytes | Unit::Count => number.to_string(),
    }
}

#[test]
fn each_limit_may_be_what_the_host_can_honour() {
    for Known { key, unit, range, .. } in Limits::default().each() {
        let text = |value: &str| format!("plugins: {{ a: {{ limits: {{ result: 0, {key}: {value} }} }} }}");
        // `result` is there already where it is the one that is tried.
        let text = |value: &str| text(value).replace("result: 0, result:", "result:");
        let (min, max) = (shown(*range.start(), unit), shown(*range.end(), unit));
        good(&text(&min));
        good(&text(&max));
        let less = range.start().checked_sub(1).map_or("-1".to_owned(), |less| less.to_string());
        for out in [less, (range.end() + 1).to_string()] {
            let told = wrong(&text(&out));
            assert!(told.starts_with(&format!("plugins.a.limits.{key}: must be ")), "{told}");
            // A negative number is no size.
            assert!(out == "-1" || told.contains(&format!("{min}..={max}, got {out}")), "{told}");
        }
    }
}

#[test]
fn a_result_fits_into_the_call_that_returns_it() {
    good("plugins: { a: { limits: { result: 1MiB, call: 1MiB } } }");
    let told = wrong("plugins: { a: { limits: { result: 1MiB, call: 128KiB } } }");
    assert!(told.contains("plugins.a.limits: result is 1048576 bytes and is returned in one call"), "{told}");
}

#[test]
fn the_stack_is_the_hosts() {
    assert_eq!(good("engine: { stack: 1MiB }").engine.stack_bytes, 1 << 20);
    for out in ["131071", "9MiB"] {
        let told = wrong(&format!("engine: {{ stack: {out} }}"));
        assert!(told.contains("engine.stack: must be 128KiB..=8MiB"), "{told}");
    }
}

#[test]
fn a_limit_that_is_none_of_a_plugins_is_refused_with_where_it_stands() {
    let told = wrong("plugins:\n  a:\n    limits: { stack: 1MiB, kv: 1MiB }\n");
    assert!(told.contains("plugins.a.limits.stack: the stack is the same for all plugins; set engine.stack"), "{told}");
    assert!(told.contains("plugins.a.limits.kv: what it may keep is a grant"), "{told}");
}

#[test]
fn the_manual_has_each_limit_with_its_default() {
    for Known { key, unit, value, .. } in Limits::default().each() {
        let line = format!("    #   {key}: {} ", shown(*value, unit));
        assert!(SHIPPED.contains(&line), "{line:?}");
    }
}

#[test]
fn limits_reach_the_sandbox() {
    let config = good("plugins: { a: { limits: { log: 4KiB, calls: 7 } } }");
    let limits =
        config.plugins[&PluginName::parse("a").unwrap()].settings(Default::default(), Default::default()).limits;
    assert_eq!(limits, Limits { log_bytes: 4096, calls: 7, ..Limits::default() });
}
