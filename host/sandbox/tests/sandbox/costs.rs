//! What an attempt asks of its host is counted by kind, at one seam.

use hookbox_core::attempt::{Cost, Outcome};
use hookbox_core::host_call::{CallKind, Calls};
use hookbox_core::limits::{Limits, PluginSettings};

use crate::world::{World, call, output, plugin};

/// Number, bytes given and bytes answered of the calls of one kind.
fn calls(cost: &Cost, kind: CallKind) -> (u64, u64, u64) {
    let Calls { number, bytes_given, bytes_answered } = cost.calls.of(kind);
    (number, bytes_given, bytes_answered)
}

#[tokio::test]
async fn calls_are_counted_with_their_bytes() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("kv-ops", "set key value\nget key\nget no\nadd n 1\nlist k\ndelete key").await;
    output(&executed);
    assert_eq!(calls(&executed.cost, CallKind::KvWrite), (3, 8 + 1 + 3, 0));
    assert_eq!(calls(&executed.cost, CallKind::KvRead), (3, 3 + 2 + 1, 5 + 3));
    for none in [CallKind::Log, CallKind::Config, CallKind::Secret, CallKind::Enqueue, CallKind::Emit] {
        assert_eq!(calls(&executed.cost, none), (0, 0, 0), "{none:?}");
    }
}

#[tokio::test]
async fn each_capability_is_a_kind_of_its_own() {
    let world = World::with(PluginSettings::default()).await;
    let cost = async |handler: &str, data: &str| world.run(handler, data).await.cost;
    let logged = cost("logs", "").await;
    assert_eq!(calls(&logged, CallKind::Log), (1, "second\u{1b}[31muserann\nbob".len() as u64, 0));
    assert!(calls(&logged, CallKind::Wasi).0 > 0, "output is a matter of WASI: {logged:?}");
    let configured = cost("reads-config", "").await;
    assert_eq!(calls(&configured, CallKind::Config), (1, 7, 0));
    assert_eq!(calls(&configured, CallKind::Secret), (1, 5, 0));
    assert_eq!(calls(&cost("enqueues", "").await, CallKind::Enqueue).0, 2);
    assert_eq!(calls(&cost("emits", "a b c").await, CallKind::Emit).0, 3);
}

#[tokio::test]
async fn readings_of_clocks_and_random_numbers_are_counted() {
    let world =
        World::with(PluginSettings { limits: Limits { calls: 5, ..Limits::default() }, ..Default::default() }).await;
    let executed = world.run("looks", "1000").await;
    output(&executed);
    assert_eq!(calls(&executed.cost, CallKind::Clock), (1000, 0, 0), "and not against limits.calls");
    // A number, and seven bytes.
    assert_eq!(calls(&executed.cost, CallKind::Random), (2, 0, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_is_an_alarm_of_a_clock() {
    let world = World::with(PluginSettings::default()).await;
    let told = world.run("tells", "GET http://nowhere.example/").await;
    output(&told);
    // Two readings before it, one after it, and the alarm.
    assert_eq!(calls(&told.cost, CallKind::Clock).0, 4);
    assert_eq!(calls(&told.cost, CallKind::Request), (1, 0, 0));
}

#[tokio::test]
async fn requests_that_are_refused_are_calls_of_hookbox_too() {
    let world =
        World::with(PluginSettings { limits: Limits { calls: 2, ..Limits::default() }, ..Default::default() }).await;
    let executed = world.run("requests", &["GET http://a.example/"; 3].join("\n---\n")).await;
    let Outcome::Trapped { message } = &executed.outcome else { panic!("{:?}", executed.outcome) };
    assert!(message.contains("outgoing-handler.handle: more than 2 calls"), "{message}");
    assert_eq!(calls(&executed.cost, CallKind::Request).0, 2);
}

#[tokio::test]
async fn what_ends_the_guest_is_counted_too() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("fails", "").await;
    assert!(matches!(executed.outcome, Outcome::Permanent { .. }));
    assert_eq!(calls(&executed.cost, CallKind::KvWrite).0, 1);
}

#[tokio::test]
async fn a_draft_is_counted_as_what_it_leads_to() {
    let world = World::empty();
    world.sandbox.activate(&world.prepare("drafts", PluginSettings::default()).await);
    let mut call = call("first", "set key value\nget key");
    call.target.plugin = plugin("drafts");
    let cost = world.execute(call).await.cost;
    assert_eq!(calls(&cost, CallKind::KvWrite), (1, 8, 0));
    assert_eq!(calls(&cost, CallKind::KvRead).0, 3, "the store is opened, read and closed");
}
