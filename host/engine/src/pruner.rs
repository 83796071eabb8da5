//! Removes what is older than it must be kept, in small steps.

use std::sync::Arc;

use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::time::Millis;
use hookbox_store::Store;

use crate::Parts;
use crate::settings::Settings;

/// Between two passes.
const PASS_EVERY: Millis = Millis(60_000);
/// Between two steps of a pass: the commit thread has others to serve.
const STEP_EVERY: Millis = Millis(20);

pub struct Pruner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Arc<ArcSwap<Settings>>,
}

impl Pruner {
    pub fn new(parts: &Parts) -> Pruner {
        Pruner { store: parts.store.clone(), clock: parts.clock.clone(), settings: parts.settings.clone() }
    }

    pub async fn tick(&mut self) -> Millis {
        let retention = self.settings.load().retention;
        match self.store.prune(self.clock.now(), retention).await {
            Ok(pruned) => {
                if pruned.dead > 0 {
                    let dead = pruned.dead;
                    tracing::error!(
                        runs = dead,
                        "{dead} dead letters were dropped: they were older or more than hooks.yaml keeps"
                    );
                }
                if pruned.runs + pruned.events + pruned.suppressed + pruned.kv_keys + pruned.audited > 0 {
                    tracing::debug!(
                        runs = pruned.runs,
                        events = pruned.events,
                        suppressed = pruned.suppressed,
                        keys = pruned.kv_keys,
                        audited = pruned.audited,
                        "old rows were removed"
                    );
                }
                if pruned.more { STEP_EVERY } else { PASS_EVERY }
            }
            Err(error) => {
                tracing::error!(%error, "old rows were not removed");
                PASS_EVERY
            }
        }
    }
}
