//! Where siblings meet: the engine's executor is the sandbox, and the sandbox's keys are the store's.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hookbox_core::attempt::{Call, Executed, Outcome};
use hookbox_core::clock::Clock;
use hookbox_core::effects::KvEntry;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::plugin::Digest;
use hookbox_core::time::Millis;
use hookbox_engine::{Execute, ExecuteError, Interrupt};
use hookbox_sandbox::{KvUnavailable, PluginKv, Sandbox, SandboxError};
use hookbox_store::types::KvPage;
use hookbox_store::{Store, StoreError};

use super::plugins::Trials;

/// Tries to ask the store for a plugin's keys.
const KV_TRIES: u32 = 3;
/// Between two tries.
const KV_WAIT: Millis = Millis(250);

/// The sandbox as the engine sees it.
pub(crate) struct InSandbox {
    sandbox: Arc<Sandbox>,
    kv: Arc<dyn PluginKv>,
    trials: Arc<Trials>,
    /// Handlers of active versions, made anew when one changes.
    handlers: ArcSwap<Arc<[HandlerRef]>>,
}

impl InSandbox {
    pub(crate) fn new(sandbox: Arc<Sandbox>, kv: Arc<dyn PluginKv>, trials: Arc<Trials>) -> InSandbox {
        let handlers: Arc<[HandlerRef]> = Arc::new([]);
        InSandbox { sandbox, kv, trials, handlers: ArcSwap::from_pointee(handlers) }
    }

    /// Call it after a version was activated or deactivated.
    pub(crate) fn refresh(&self) {
        let handlers: Vec<HandlerRef> = self
            .sandbox
            .active_all()
            .iter()
            .flat_map(|version| {
                let plugin = version.info.name.clone();
                let refer = move |handler: &hookbox_core::plugin::Handler| HandlerRef {
                    plugin: plugin.clone(),
                    handler: handler.name.clone(),
                };
                version.info.handlers.iter().map(refer).collect::<Vec<_>>()
            })
            .collect();
        self.handlers.store(Arc::new(handlers.into()));
    }
}

#[async_trait]
impl Execute for InSandbox {
    fn handlers(&self) -> Arc<[HandlerRef]> {
        Arc::clone(&self.handlers.load())
    }

    async fn execute(&self, call: Call) -> Result<Executed, ExecuteError> {
        self.execute_until(call, Interrupt::default()).await
    }

    async fn execute_until(&self, call: Call, interrupt: Interrupt) -> Result<Executed, ExecuteError> {
        let executed = self.sandbox.execute_until(call, self.kv.clone(), interrupt.told()).await;
        executed.map_err(|error| match error {
            SandboxError::NoSuchHandler { .. } => ExecuteError::NoSuchHandler,
            SandboxError::Replaced => ExecuteError::Replaced,
            SandboxError::Broken(message) => ExecuteError::Broken(message),
        })
    }

    fn recorded(&self, plugin: &PluginName, version: Digest, outcome: &Outcome) {
        self.trials.count(plugin, version, outcome);
    }
}

/// The plugins' keys in the store.
pub(crate) struct StoreKv {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl StoreKv {
    /// Asks again where the store is away for a moment, and waits while its disk fails: the attempt's own timeout ends
    /// that.
    async fn patiently<T, A>(&self, mut ask: impl FnMut() -> A) -> Result<T, KvUnavailable>
    where
        A: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = 1;
        loop {
            match ask().await {
                Err(StoreError::Unavailable(_)) if self.store.failure().is_some() => {}
                Err(StoreError::Unavailable(_)) if tries < KV_TRIES => tries += 1,
                answer => return answer.map_err(|error| KvUnavailable(error.to_string())),
            }
            tokio::time::sleep(KV_WAIT.as_duration()).await;
        }
    }
}

#[async_trait]
impl PluginKv for StoreKv {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        self.patiently(|| self.store.kv_get(plugin, key, self.clock.now())).await
    }

    async fn list(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvUnavailable> {
        let page = || KvPage { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        self.patiently(|| self.store.kv_list(plugin, page(), self.clock.now())).await
    }

    async fn used_bytes(&self, plugin: &PluginName) -> Result<u64, KvUnavailable> {
        self.patiently(|| self.store.kv_used(plugin)).await
    }
}
