//! The doers of one host, each to be ticked alone. [`Engine`](crate::Engine)
//! ticks them in loops; a simulation ticks those of several hosts in any order.

use std::sync::Arc;

use hookbox_core::run::BootId;
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use tokio::task::JoinSet;

use crate::Parts;
use crate::dispatcher::Dispatcher;
use crate::pace::{self, Phase, Stop, Stopper};
use crate::pruner::Pruner;
use crate::reaper::Reaper;
use crate::scheduler::Scheduler;

/// Each has a `tick`, and the dispatcher its own steps.
pub struct Doers {
    pub attempts: Attempts,
    pub scheduler: Scheduler,
    pub reaper: Reaper,
    pub pruner: Pruner,
}

/// What the dispatcher does, step by step. Where it is dropped, attempts under way are put back.
pub struct Attempts {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) stop: Stopper,
    pub(crate) stopped: Stop,
}

impl Doers {
    /// The doers of a boot that has begun on this store: those of one boot respect each other's leases. What an older
    /// boot left running is put back before anything can be claimed.
    pub async fn new(parts: &Parts, boot: BootId) -> Result<Doers, StoreError> {
        let (stop, stopped) = pace::stopper();
        let mut reaper = Reaper::new(parts, boot);
        reaper.rescue().await?;
        let dispatcher = Arc::new(Dispatcher::new(parts.clone(), boot, stopped.clone()));
        let attempts = Attempts { dispatcher, stop, stopped };
        Ok(Doers { attempts, reaper, scheduler: Scheduler::new(parts), pruner: Pruner::new(parts) })
    }
}

impl Attempts {
    /// One claim; the attempts that it begins go on by themselves.
    pub async fn claim(&self) -> Result<(), StoreError> {
        self.dispatcher.claim().await.map(|_| ())
    }

    /// Renews the lease of each attempt under way, to be done every [`RENEW_EVERY`](crate::dispatcher::RENEW_EVERY).
    pub async fn renew(&self) {
        self.dispatcher.renew().await;
    }

    /// Attempts under way.
    pub fn running(&self) -> usize {
        self.dispatcher.running()
    }

    /// As [`Engine::drain`](crate::Engine::drain).
    pub async fn drain(&self, grace: Millis) {
        drain(&self.dispatcher, &self.stop, JoinSet::new(), grace).await;
    }
}

pub(crate) async fn drain(dispatcher: &Dispatcher, stop: &Stopper, mut claiming: JoinSet<()>, grace: Millis) {
    stop.go(Phase::Draining);
    let ended = async {
        // A claim that is under way still begins its runs, which are put back.
        while claiming.join_next().await.is_some() {}
        dispatcher.idle().await;
    };
    if tokio::time::timeout(grace.as_duration(), ended).await.is_err() {
        tracing::warn!(running = dispatcher.running(), "the drain is over: what still runs is put back");
    }
    stop.go(Phase::Abandoning);
    while claiming.join_next().await.is_some() {}
    dispatcher.idle().await;
}
