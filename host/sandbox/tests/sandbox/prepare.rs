//! What does not become a version, and what the refusal says.

use std::sync::Arc;

use hookbox_core::limits::{COMPONENT_BYTES_MAX, PluginSettings};
use hookbox_core::plugin::Trigger;
use hookbox_sandbox::Rejection;

use crate::world::{World, plugin};

async fn refused(world: &World, name: &str, bytes: impl Into<Arc<[u8]>>) -> Rejection {
    world.sandbox.prepare(&plugin(name), bytes.into(), PluginSettings::default()).await.unwrap_err()
}

/// The code of the refusal and whether its words have this part.
async fn assert_refused(text: &str, code: &str, words: &str) {
    let rejection = refused(&World::empty(), "mischief", wat::parse_str(text).unwrap()).await;
    assert_eq!(rejection.code(), code, "{rejection}");
    assert!(rejection.to_string().contains(words), "{rejection}");
}

#[tokio::test]
async fn a_good_plugin_is_described_and_not_yet_active() {
    let world = World::empty();
    let version = world.prepare("mischief", PluginSettings::default()).await;
    assert_eq!((version.info.name.as_str(), version.info.version.as_str()), ("mischief", "1.2.3"));
    assert!(version.info.handlers.iter().any(|handler| matches!(handler.trigger, Trigger::Schedule(_))));
    assert!(world.sandbox.active(&plugin("mischief")).is_none());
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_its_cure() {
    let world = World::empty();
    assert_eq!(refused(&world, "mischief", *b"").await, Rejection::NotWasm);
    assert_eq!(refused(&world, "mischief", *b"\x7fELF, not wasm").await, Rejection::NotWasm);
    let large = vec![0; COMPONENT_BYTES_MAX as usize + 1];
    assert_eq!(refused(&world, "mischief", large).await.code(), "too-large");
    assert_refused("(module)", "core-module", "--target wasm32-wasip2").await;
    let mut half = hookbox_tests::guest("mischief");
    half.truncate(half.len() / 2);
    assert_eq!(refused(&world, "mischief", half).await.code(), "invalid");
}

#[tokio::test]
async fn imports_that_are_not_served_are_named_with_their_cure() {
    let import = |name: &str| format!("(component (import {name:?} (instance)))");
    assert_refused(&import("wasi:http/incoming-handler@0.2.0"), "unserved-import", "requests come as events").await;
    assert_refused(&import("wasi:cli/environment@0.3.0"), "unserved-import", "WASI 0.2").await;
    assert_refused(&import("hookbox:plugin/kv@0.2.0"), "unserved-import", "update hookbox").await;
    assert_refused(&import("evil:host/shell"), "unserved-import", "evil:host/shell").await;
}

#[tokio::test]
async fn a_component_for_another_world_is_refused() {
    assert_refused("(component)", "not-a-plugin", "SDK").await;
    let export = |name: &str| format!("(component (instance $i) (export {name:?} (instance $i)))");
    assert_refused(&export("hookbox:plugin/guest@0.2.0"), "not-a-plugin", "but hookbox:plugin/guest@0.2.0").await;
    assert_refused(&export("hookbox:plugin/guest@0.1.0"), "invalid", "describe").await;
    assert_refused(
        "(component (import \"wasi:cli/exit@0.2.0\" (instance (export \"fly\" (func)))))",
        "not-a-plugin",
        "",
    )
    .await;
}

#[tokio::test]
async fn a_component_that_does_not_fit_the_pool_is_refused() {
    let memories = "(core module $m (memory 1)) ".to_owned() + &"(core instance (instantiate $m)) ".repeat(5);
    assert_refused(&format!("(component {memories})"), "invalid", "memories").await;
}

#[tokio::test]
async fn describe_is_stopped_when_it_does_more_than_describe() {
    let world = World::with(PluginSettings::default()).await;
    for (guest, code, words) in [
        ("loops", "describe-timed-out", "within 1s"),
        ("waits", "describe-timed-out", "within 1s"),
        ("hoards", "out-of-memory", "limits.memory"),
        ("panics", "describe-trapped", "no name"),
        ("claims-another", "bad-description", "payments"),
        ("calls-kv", "describe-trapped", "describe() called kv.get"),
        ("grants-itself", "bad-description", "grants"),
        ("filters-badly", "bad-description", "filter: unexpected end: write a condition in CEL"),
    ] {
        let rejection = refused(&world, guest, hookbox_tests::guest(&format!("liar/{guest}"))).await;
        assert_eq!(rejection.code(), code, "{guest}: {rejection}");
        assert!(rejection.to_string().contains(words), "{guest}: {rejection}");
        world.assert_serves().await;
    }
}
