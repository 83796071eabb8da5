//! The scripted sandbox of all engines: handlers come and go, each execution
//! does its program and then waits to be told how it ends.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hookbox_core::attempt::{Call, Executed, Outcome};
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::effects::{Effects, KvScan};
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Digest;
use hookbox_core::time::Millis;
use hookbox_core::transaction::{Need, Transaction, Unanswered};
use hookbox_engine::{Execute, ExecuteError};
use hookbox_store::types::KvPage;
use hookbox_store::{Store, StoreError};
use tokio::sync::oneshot;

use crate::clock::SimClock;
use crate::faulty::Faulty;
use crate::program::{Answer, Op, Pause, Program};
use crate::trace::Trace;

/// Executions of one lease that may overlap with others of its plugin; what comes after is alone.
const TOGETHER_MAX: u32 = 3;

/// How an execution ends.
pub(crate) enum Finish {
    With(Outcome),
    Gone,
    Broken,
}

pub(crate) struct Stage {
    pub(crate) trace: Arc<Trace>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) seed: u64,
    /// Calls of `kv` that one attempt makes at most.
    pub(crate) ops_max: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    handlers: BTreeMap<HandlerRef, bool>,
    next: u64,
    running: BTreeMap<u64, Running>,
    /// What the last execution of an attempt by an engine was told.
    told: BTreeMap<(usize, RunId, u32), Vec<(Op, Answer)>>,
    /// Executions of a lease.
    times: BTreeMap<(usize, RunId, u32, u64), u32>,
    /// One attempt in so many makes jobs and events.
    offspring: u64,
}

/// An execution under way.
pub(crate) struct Running {
    pub(crate) node: usize,
    pub(crate) call: Call,
    pub(crate) until: Monotonic,
    alone: bool,
    go: Option<oneshot::Sender<Finish>>,
}

impl Stage {
    pub(crate) fn new(trace: Arc<Trace>, clock: Arc<SimClock>, seed: u64, ops_max: u64, offspring: u64) -> Stage {
        let inner = Mutex::new(Inner { offspring, ..Inner::default() });
        Stage { trace, clock, seed, ops_max, inner }
    }

    pub(crate) fn put(&self, handler: HandlerRef, is_there: bool) {
        self.inner().handlers.insert(handler, is_there);
    }

    pub(crate) fn is_there(&self, handler: &HandlerRef) -> bool {
        self.inner().handlers.get(handler).copied().unwrap_or(false)
    }

    /// Nothing more is made by what runs.
    pub(crate) fn end_offspring(&self) {
        self.inner().offspring = 0;
    }

    /// Executions that wait to be told how they end, of all engines.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        self.inner().running.iter().filter(|(_, running)| running.go.is_some()).map(|(id, _)| *id).collect()
    }

    pub(crate) fn overdue(&self) -> Vec<(u64, Millis)> {
        let now = self.clock.monotonic();
        let inner = self.inner();
        let overdue = inner.running.iter().filter(|(_, running)| running.until <= now && running.go.is_some());
        overdue.map(|(id, running)| (*id, running.call.timeout)).collect()
    }

    pub(crate) fn finish(&self, id: u64, finish: Finish) {
        let go = self.inner().running.get_mut(&id).and_then(|running| running.go.take());
        if let Some(go) = go {
            // An engine that is gone does not listen.
            let _ = go.send(finish);
        }
    }

    /// An engine crashed: what it executed is over.
    pub(crate) fn forget(&self, node: usize) {
        self.inner().running.retain(|_, running| running.node != node);
    }

    /// What the attempt that an engine records was told.
    pub(crate) fn told(&self, node: usize, run: RunId, attempt: u32) -> Option<Vec<(Op, Answer)>> {
        self.inner().told.get(&(node, run, attempt)).cloned()
    }

    fn begin(&self, node: usize, call: &Call, lease: u64) -> (u64, oneshot::Receiver<Finish>) {
        let (go, told) = oneshot::channel();
        let mut inner = self.inner();
        let times = inner.times.entry((node, call.run, call.attempt, lease)).or_default();
        *times += 1;
        let alone = *times > TOGETHER_MAX;
        let others = |running: &&Running| running.node == node && running.call.target.plugin == call.target.plugin;
        if let Some(other) = inner.running.values().filter(others).find(|other| alone || other.alone) {
            let why = format!("{} and {} run together, one of them should be alone", call.run, other.call.run);
            self.trace.broken(why);
        }
        let id = inner.next;
        inner.next += 1;
        let until = self.clock.monotonic().plus(call.timeout);
        inner.running.insert(id, Running { node, call: call.clone(), until, alone, go: Some(go) });
        self.trace.note(format_args!("{node} executes {} of {} as {id}", call.run, call.target));
        (id, told)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sandbox of one engine.
pub(crate) struct Actor {
    pub(crate) stage: Arc<Stage>,
    pub(crate) store: Arc<Faulty>,
}

/// An execution is over when it is dropped.
struct Guard<'a>(&'a Stage, u64);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.inner().running.remove(&self.1);
    }
}

#[async_trait]
impl Execute for Actor {
    fn handlers(&self) -> Arc<[HandlerRef]> {
        let inner = self.stage.inner();
        inner.handlers.iter().filter(|(_, is_there)| **is_there).map(|(handler, _)| handler.clone()).collect()
    }

    async fn execute(&self, call: Call) -> Result<Executed, ExecuteError> {
        if !self.stage.is_there(&call.target) {
            return Err(ExecuteError::NoSuchHandler);
        }
        if self.store.watch.is_held(&call.target) {
            self.stage.trace.broken(format!("{} is held, and {} is executed", call.target, call.run));
        }
        let (node, lease) = (self.store.node, self.store.watch.leases_of(call.run));
        let (id, told_how) = self.stage.begin(node, &call, lease);
        let _guard = Guard(&self.stage, id);
        let offspring = self.stage.inner().offspring;
        let program = Program::of(self.stage.seed, &call, self.stage.ops_max, offspring);
        let mut transaction = Transaction::new(1 << 20, 1 << 20);
        let mut told = Vec::new();
        let mut away = None;
        for (op, pause) in program.ops.into_iter().zip(&program.pauses) {
            pause.pass().await;
            match self.ask(&call, &op, &mut transaction).await {
                Ok(answer) => told.push((op, answer)),
                Err(error) => {
                    away = Some(Outcome::Retryable { message: error.to_string(), retry_after: None });
                    break;
                }
            }
        }
        let outcome = match told_how.await {
            Ok(Finish::With(outcome)) => away.unwrap_or(outcome),
            Ok(Finish::Gone) => return Err(ExecuteError::NoSuchHandler),
            Ok(Finish::Broken) => return Err(ExecuteError::Broken("the script says so".to_owned())),
            // Its engine is gone.
            Err(_) => pending().await,
        };
        self.stage.trace.note(format_args!("{node} ended {} with {} as {id}", call.run, outcome.code()));
        self.stage.inner().told.insert((node, call.run, call.attempt), told);
        let (reads, scans, writes) = transaction.into_parts();
        let effects = Effects { reads, scans, writes, jobs: program.jobs, events: program.events };
        let version = Some(Digest([7; 32]));
        Ok(Executed { effects, version, ..Executed::bare(outcome) })
    }
}

impl Actor {
    async fn ask(&self, call: &Call, op: &Op, transaction: &mut Transaction) -> Result<Answer, StoreError> {
        let (plugin, clock) = (&call.target.plugin, &self.stage.clock);
        loop {
            let need = match op.ask(transaction) {
                Ok(answer) => return Ok(answer),
                Err(Unanswered::WrongType) => return Ok(Answer::WrongType),
                Err(Unanswered::LimitExceeded(why)) => return Err(StoreError::Conflict(why)),
                Err(Unanswered::Needs(need)) => need,
            };
            match need {
                Need::Key(key) => {
                    let entry = self.store.kv_get(plugin, &key, clock.now()).await?;
                    transaction.saw(&key, entry);
                }
                Need::Page { prefix, after, limit } => {
                    let page = KvPage { prefix: prefix.clone(), after: after.clone(), limit };
                    let keys = self.store.kv_list(plugin, page, clock.now()).await?;
                    transaction.saw_page(KvScan { prefix, after, limit, keys });
                }
                Need::UsedBytes => transaction.saw_used(self.store.kv_used(plugin).await?),
            }
        }
    }
}

impl Pause {
    async fn pass(&self) {
        match self {
            Pause::None => {}
            Pause::Yield => tokio::task::yield_now().await,
            Pause::Sleep(span) => tokio::time::sleep(span.as_duration()).await,
        }
    }
}
