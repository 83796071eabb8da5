//! The doers: each finds its own work in the store, so that a restart, a
//! second node and the normal case are one code path.
//!
//! | doer | finds | does |
//! |---|---|---|
//! | [`dispatcher`] | runs that are due | claims and executes them, records how they ended |
//! | [`scheduler`] | slots that have come | gives each its verdict, with a job for the one that fires |
//! | [`reaper`] | lost leases, vanished handlers | puts runs back, or buries them |
//! | [`pruner`] | what is older than it must be kept | removes it |
//! | `spans` | runs that no attempt has ended | sends their spans |
//!
//! Invariant: this crate executes plugins through the trait [`Execute`] only,
//! and does not know that wasmtime or axum exist. Every tick may be repeated or
//! lost without harm.

mod changes;
mod claimables;
pub mod dispatcher;
mod doers;
mod execute;
mod pace;
mod places;
pub mod pruner;
pub mod reaper;
pub mod scheduler;
pub mod schedules;
mod settings;
mod slots;
mod spans;
mod turns;

use std::sync::Arc;

use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::distribution::Meters;
use hookbox_core::id::Mint;
use hookbox_core::queue::Room;
use hookbox_core::spending::Spending;
use hookbox_core::time::Millis;
use hookbox_core::trace::Tracing;
use hookbox_store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use dispatcher::RunEnded;
pub use doers::{Attempts, Doers};
pub use execute::{Execute, ExecuteError, Interrupt};
pub use schedules::Declarer;
pub use settings::Settings;

use dispatcher::Dispatcher;
use pace::Stop;
use pruner::Pruner;
use reaper::Reaper;
use scheduler::Scheduler;
use spans::CutShort;

/// What the doers work with.
#[derive(Clone)]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub execute: Arc<dyn Execute>,
    pub clock: Arc<dyn Clock>,
    pub mint: Arc<Mint>,
    pub settings: Arc<ArcSwap<Settings>>,
    pub schedules: Arc<Declarer>,
    /// Where plugins run: a runtime of their own, so that a busy guest takes no turn from a sender.
    pub guests: tokio::runtime::Handle,
    /// Attempts that are executed at the same time; one plugin has at most three quarters of them, or the only one, and
    /// what is given back goes to whoever holds the fewest.
    pub slots: usize,
    /// Runs that may wait.
    pub room: Room,
    /// What attempts cost is added here.
    pub spending: Arc<Spending>,
    /// What the doers measure is added here.
    pub meters: Arc<Meters>,
    /// What becomes of runs, as spans.
    pub tracing: Tracing,
    /// Told of each attempt that ended; what does not fit is dropped.
    pub observer: Option<mpsc::Sender<RunEnded>>,
}

/// The running doers.
pub struct Engine {
    dispatcher: Arc<Dispatcher>,
    stop: pace::Stopper,
    claiming: JoinSet<()>,
    doers: JoinSet<()>,
}

impl Engine {
    /// Begins a boot and starts the doers. Call it after the first scan of the plugins: nothing is claimed or declared
    /// dead before.
    pub async fn start(parts: Parts) -> Result<Engine, StoreError> {
        let boot = parts.store.begin_boot().await?;
        let cut_short = CutShort::from_here(&parts);
        let Doers { attempts, scheduler, reaper, pruner } = Doers::new(&parts, boot).await?;
        let Attempts { dispatcher, stop, stopped } = attempts;
        let (mut claiming, mut doers) = (JoinSet::new(), JoinSet::new());
        claiming.spawn(dispatcher.clone().run());
        doers.spawn(dispatcher.clone().keep_leases());
        doers.spawn(pace::paced(stopped.clone(), reaper, Reaper::tick));
        doers.spawn(scheduling(parts.store, scheduler, stopped.clone()));
        if let Some(cut_short) = cut_short {
            doers.spawn(cut_short.run(stopped.clone()));
        }
        doers.spawn(pace::paced(stopped, pruner, Pruner::tick));
        Ok(Engine { dispatcher, stop, claiming, doers })
    }

    /// Stops claiming, waits for running attempts up to `grace`, and puts back what has not ended by then: not counted
    /// as an attempt.
    pub async fn drain(mut self, grace: Millis) {
        doers::drain(&self.dispatcher, &self.stop, self.claiming, grace).await;
        while self.doers.join_next().await.is_some() {}
    }
}

async fn scheduling(store: Arc<dyn Store>, scheduler: Scheduler, stopped: Stop) {
    pace::paced_or_woken(stopped, scheduler, Scheduler::tick, || store.signals().schedules.notified()).await;
}
