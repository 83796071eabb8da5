//! What does not become a version, and what the refusal says.

use std::sync::Arc;

use hookbox_core::limits::{COMPONENT_BYTES_MAX, Limits, MEMORY_BYTES_MAX, PluginSettings};
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
    assert_refused(&format!("(component {memories})"), "does-not-fit", "memories").await;
}

#[tokio::test]
async fn a_limit_that_the_pool_cannot_honour_is_refused_with_what_it_may_be() {
    let world = World::empty();
    let refuse = async |settings: PluginSettings| {
        let bytes = hookbox_tests::guest("mischief").into();
        let rejection = world.sandbox.prepare(&plugin("mischief"), bytes, settings).await.unwrap_err();
        assert_eq!(rejection.code(), "limit-too-high", "{rejection}");
        rejection.to_string()
    };
    let told = refuse(PluginSettings { memory_bytes: MEMORY_BYTES_MAX + 1, ..PluginSettings::default() }).await;
    assert_eq!(told, "plugins.NAME.limits.memory must be at most 1073741824 bytes, is 1073741825");
    let limits = Limits { table_elements: 1_600_001, ..Limits::default() };
    let told = refuse(PluginSettings { limits, ..PluginSettings::default() }).await;
    assert_eq!(told, "plugins.NAME.limits.table_elements must be 0..=1600000, is 1600001");
    let limits = Limits { result_bytes: 300_000, call_bytes: 200_000, ..Limits::default() };
    let told = refuse(PluginSettings { limits, ..PluginSettings::default() }).await;
    assert!(told.contains("result is 300000 bytes and is returned in one call, which has 200000"), "{told}");
}

#[tokio::test]
async fn what_is_told_of_a_file_is_short() {
    let import = format!("(component (import \"evil:host/{}\" (instance)))", "x".repeat(50_000));
    let rejection = refused(&World::empty(), "mischief", wat::parse_str(import).unwrap()).await;
    assert!(rejection.to_string().len() < 1000, "{} bytes", rejection.to_string().len());
}
