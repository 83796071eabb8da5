//! Versions change while attempts run.

use std::sync::Arc;

use async_trait::async_trait;
use hookbox_core::attempt::Call;
use hookbox_core::effects::KvEntry;
use hookbox_core::host_call::CallKind;
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::PluginName;
use hookbox_sandbox::{KvUnavailable, PluginKv, SandboxError, Version};
use tokio::sync::Notify;

use crate::world::{World, call, output, plugin};

/// A store that answers when it is told to.
#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

#[async_trait]
impl PluginKv for Gate {
    async fn get(&self, _: &PluginName, _: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        self.reached.notify_one();
        self.open.notified().await;
        Ok(None)
    }

    async fn list(&self, _: &PluginName, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, KvUnavailable> {
        Ok(vec![])
    }

    async fn used_bytes(&self, _: &PluginName) -> Result<u64, KvUnavailable> {
        Ok(0)
    }
}

/// The same plugin in other bytes: a custom section says nothing.
async fn other(world: &World) -> Arc<Version> {
    let mut bytes = hookbox_tests::guest("mischief");
    bytes.extend([0, 6, 5, b'o', b't', b'h', b'e', b'r']);
    world.sandbox.prepare(&plugin("mischief"), bytes.into(), PluginSettings::default()).await.unwrap()
}

#[tokio::test]
async fn an_attempt_ends_on_the_version_it_began_with() {
    let world = Arc::new(World::with(PluginSettings::default()).await);
    let old = world.sandbox.active(&plugin("mischief")).unwrap();
    let new = other(&world).await;
    let gate = Arc::new(Gate::default());
    let (there, kv) = (Arc::clone(&world), Arc::clone(&gate));
    let running = tokio::spawn(async move { there.sandbox.execute(call("waits", ""), kv).await.unwrap() });
    gate.reached.notified().await;
    let replaced = world.sandbox.activate(&new).unwrap();
    assert_eq!(replaced.digest, old.digest);
    assert_eq!(world.run("ok", "").await.version, Some(new.digest));
    gate.open.notify_one();
    let executed = running.await.unwrap();
    assert_eq!((executed.version, output(&executed).as_str()), (Some(old.digest), "None"));
    assert_ne!(old.digest, new.digest);
}

#[tokio::test]
async fn a_call_that_may_run_on_one_version_alone_does_not_run_on_the_next_one() {
    let world = World::with(PluginSettings::default()).await;
    let only = world.sandbox.active(&plugin("mischief")).map(|version| version.digest);
    let same = || Call { version: only, ..call("ok", "") };
    assert_eq!(world.sandbox.execute(same(), world.kv.clone()).await.unwrap().version, only);
    world.sandbox.activate(&other(&world).await);
    let refused = world.sandbox.execute(same(), world.kv.clone()).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Replaced), "{refused:?}");
}

#[tokio::test]
async fn an_attempt_outlives_its_plugin() {
    let world = Arc::new(World::with(PluginSettings::default()).await);
    let gate = Arc::new(Gate::default());
    let (there, kv) = (Arc::clone(&world), Arc::clone(&gate));
    let running = tokio::spawn(async move { there.sandbox.execute(call("waits", ""), kv).await.unwrap() });
    gate.reached.notified().await;
    assert!(world.sandbox.deactivate(&plugin("mischief")).is_some());
    assert!(world.sandbox.active_all().is_empty());
    let refused = world.sandbox.execute(call("ok", ""), world.kv.clone()).await.unwrap_err();
    assert!(matches!(refused, SandboxError::NoSuchHandler { .. }));
    gate.open.notify_one();
    assert_eq!(output(&running.await.unwrap()), "None");
}

#[tokio::test]
async fn a_refused_version_leaves_the_old_one_serving() {
    let world = World::with(PluginSettings::default()).await;
    let old = world.sandbox.active(&plugin("mischief")).unwrap().digest;
    let bytes = hookbox_tests::guest("liar/claims-another").into();
    assert!(world.sandbox.prepare(&plugin("mischief"), bytes, PluginSettings::default()).await.is_err());
    assert_eq!(world.run("ok", "").await.version, Some(old));
}

#[tokio::test]
async fn changed_settings_are_another_version_of_the_same_bytes() {
    let world = World::with(PluginSettings::default()).await;
    let mut settings = PluginSettings::default();
    settings.config.insert("channel".into(), "#ops".into());
    world.sandbox.activate(&world.prepare("mischief", settings).await);
    assert_eq!(world.answer("reads-config", "").await, r##"Some("#ops") None"##);
}

#[tokio::test]
async fn a_revoked_version_stops_where_it_stands_also_one_that_was_replaced() {
    let world = Arc::new(World::with(PluginSettings::default()).await);
    let old = world.sandbox.active(&plugin("mischief")).unwrap();
    let gate = Arc::new(Gate::default());
    let (there, kv) = (Arc::clone(&world), Arc::clone(&gate));
    let running = tokio::spawn(async move { there.sandbox.execute(call("waits", ""), kv).await });
    gate.reached.notified().await;
    let new = other(&world).await;
    world.sandbox.activate(&new);
    let digest = old.digest;
    drop(old);
    let living = world.sandbox.living();
    assert_eq!(living.iter().map(|version| version.digest).collect::<Vec<_>>(), [new.digest, digest]);
    living[1].revoke();
    let stopped = running.await.unwrap().unwrap();
    assert_eq!(stopped.outcome.code(), "revoked", "the gate is still closed");
    assert_eq!((stopped.version, stopped.cost.calls.of(CallKind::KvRead).number), (Some(digest), 1), "{stopped:?}");
    drop(living);
    assert_eq!(world.sandbox.living().len(), 1, "nothing runs on it any longer");
    assert_eq!(world.run("ok", "").await.version, Some(new.digest));
    new.revoke();
    let refused = world.sandbox.execute(call("ok", ""), world.kv.clone()).await.unwrap_err();
    assert!(matches!(refused, SandboxError::NoSuchHandler { .. }), "{refused:?}");
}
