//! One engine: its doers wait to be told to do one step each.

use std::sync::Arc;

use arc_swap::ArcSwap;
use hookbox_core::config::QUEUE;
use hookbox_core::id::Mint;
use hookbox_core::queue::Room;
use hookbox_core::run::BootId;
use hookbox_core::time::Millis;
use hookbox_engine::{Attempts, Declarer, Doers, Parts, Settings};
use hookbox_store::StoreError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::faulty::Faulty;
use crate::stage::{Actor, Stage};

pub(crate) const DOERS: usize = 5;
pub(crate) const SCHEDULER: usize = 2;
/// The last of them.
pub(crate) const PRUNER: usize = 4;

pub(crate) struct Node {
    pub(crate) id: usize,
    pub(crate) store: Arc<Faulty>,
    stage: Arc<Stage>,
    attempts: Arc<Attempts>,
    ticks: [mpsc::Sender<()>; DOERS],
    tasks: [JoinHandle<()>; DOERS],
}

/// What all engines share, besides the store.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) stage: Arc<Stage>,
    pub(crate) mint: Arc<Mint>,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    /// Attempts that one engine executes at the same time.
    pub(crate) slots: usize,
}

/// A task that does one step each time it is told to.
macro_rules! told {
    ($step:expr) => {{
        let (tick, mut told) = mpsc::channel::<()>(1);
        let task = tokio::spawn(async move {
            while told.recv().await.is_some() {
                $step;
            }
        });
        (tick, task)
    }};
}

impl Node {
    pub(crate) async fn start(shared: &Shared, store: Arc<Faulty>, boot: BootId) -> Result<Node, StoreError> {
        let stage = shared.stage.clone();
        let parts = Parts {
            store: store.clone(),
            execute: Arc::new(Actor { stage: stage.clone(), store: store.clone() }),
            clock: stage.clock.clone(),
            mint: shared.mint.clone(),
            settings: shared.settings.clone(),
            schedules: Arc::new(Declarer::new(store.clone(), shared.settings.clone(), stage.clock.clone())),
            guests: tokio::runtime::Handle::current(),
            slots: shared.slots,
            room: Room(QUEUE),
            spending: Arc::default(),
            meters: Arc::default(),
            tracing: Default::default(),
            observer: None,
        };
        let Doers { attempts, mut scheduler, mut reaper, mut pruner } = Doers::new(&parts, boot).await?;
        let attempts = Arc::new(attempts);
        let (claims, renewals, claims_trace) = (attempts.clone(), attempts.clone(), stage.trace.clone());
        let (claim, claiming) = told!(if let Err(error) = claims.claim().await {
            claims_trace.note(format_args!("a claim fails: {error}"));
        });
        let (renew, renewing) = told!(renewals.renew().await);
        let (schedule, scheduling) = told!(scheduler.tick().await);
        let (reap, reaping) = told!(reaper.tick().await);
        let (prune, pruning) = told!(pruner.tick().await);
        let ticks = [claim, renew, schedule, reap, prune];
        let tasks = [claiming, renewing, scheduling, reaping, pruning];
        stage.trace.note(format_args!("engine {} starts", store.node));
        Ok(Node { id: store.node, store, stage, attempts, ticks, tasks })
    }

    /// One step of a doer, unless it is still at its last one.
    pub(crate) fn tick(&self, doer: usize) {
        if let Some(tick) = self.ticks.get(doer) {
            let _ = tick.try_send(());
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.attempts.running()
    }

    /// All that it was doing is over, wherever it was.
    pub(crate) fn crash(self) {
        self.stage.trace.note(format_args!("engine {} crashes", self.id));
        self.store.cut();
        self.tasks.iter().for_each(JoinHandle::abort);
        self.stage.forget(self.id);
    }

    /// Stops it in good order.
    pub(crate) async fn drain(self, grace: Millis) {
        self.stage.trace.note(format_args!("engine {} drains for {grace}", self.id));
        drop(self.ticks);
        self.attempts.drain(grace).await;
        for task in self.tasks {
            // It ends when its last step does.
            let _ = task.await;
        }
        self.stage.trace.note(format_args!("engine {} has stopped", self.id));
    }
}
