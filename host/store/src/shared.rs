//! The one implementation of [`Store`], over whatever keeps the tree.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hookbox_core::clock::Monotonic;
use hookbox_core::effects::KvEntry;
use hookbox_core::event::{Event, Job};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerRef, PluginName, ScheduleName};
use hookbox_core::run::{BootId, Run, RunState};
use hookbox_core::schedule::{Schedule, ScheduleRow};
use hookbox_core::time::Timestamp;
use tokio::sync::{oneshot, watch};

use crate::catalogue::{Catalogue, PluginRow};
use crate::codec;
use crate::counts::Counts;
use crate::error::StoreError;
use crate::index::{Delta, Index, Place};
use crate::keys;
use crate::ledger::{Closed, Ledger, PruneCursor};
use crate::overlay::{Changed, Order, Read};
use crate::query;
use crate::types::{
    Accepted, Claim, EventPage, EventRecord, Fired, Firing, KvPage, NewEvent, NewJob, NewRun, PageRequest, Pruned,
    Record, Recorded, Rescue, Retention, RunFilter, RunPage, Waiting,
};
use crate::unrouted;
use crate::values;
use crate::{Signals, Store};

/// One change, run on the ledger in its turn; it gives the answer that waits for the sync.
pub(crate) type Change = Box<dyn FnOnce(&mut Ledger<'_>) -> Answer + Send>;
/// Told how the sync went.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Keeps the tree and runs changes one after the other.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    fn tree(&self) -> &dyn Read;

    fn state(&self) -> &State;

    /// Waits while the queue of changes is full.
    async fn submit(&self, change: Change) -> Result<(), StoreError>;
}

/// What is kept in memory beside the tree.
#[derive(Debug)]
pub(crate) struct State {
    index: Mutex<Index>,
    counts: Mutex<Counts>,
    catalogue: ArcSwap<Catalogue>,
    prune: Mutex<PruneCursor>,
    signals: Signals,
    failure: Mutex<Option<String>>,
    groups: watch::Sender<Groups>,
}

/// A group that is being written shows in the tree before it is on disk.
#[derive(Debug, Default, Clone, Copy)]
struct Groups {
    begun: u64,
    ended: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Reads what is alive; ended runs and events are not looked at.
    pub(crate) fn load(tree: &dyn Read) -> Result<State, StoreError> {
        let mut index = Index::default();
        let mut damage = None;
        tree.scan(&[keys::LIVE_RUN], &keys::end_of(&[keys::LIVE_RUN]), Order::Ascending, &mut |key, stored| {
            let id = keys::id_of(key).map(RunId::from_bytes);
            let row = values::current(tree, key, stored)?;
            match id.zip(row).map(|(id, row)| codec::decode_run(id, &row)) {
                Some(Ok(stored)) => index.apply(placed(stored.run)),
                Some(Err(error)) => damage = Some(error),
                None => damage = Some(StoreError::Corrupt("the row of a run does not read".to_owned())),
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        if let Some(damage) = damage {
            return Err(damage);
        }
        let counts = match values::get(tree, keys::COUNTS)? {
            Some(row) => codec::decode(&row)?,
            None => Counts::default(),
        };
        Ok(State {
            index: Mutex::new(index),
            counts: Mutex::new(counts),
            catalogue: ArcSwap::from_pointee(Catalogue::new(query::plugins(tree)?)),
            prune: Mutex::default(),
            signals: Signals::default(),
            failure: Mutex::default(),
            groups: watch::Sender::default(),
        })
    }

    /// Runs a group of changes on the ledger, has them written by `write`, and gives all answers.
    /// `changes` gives the next change, until it has none or the group is large enough.
    pub(crate) fn run_group(
        &self,
        tree: &dyn Read,
        mut changes: impl FnMut(usize) -> Option<Change>,
        write: impl FnOnce(Changed) -> Result<(), StoreError>,
    ) {
        if let Some(failure) = self.failure() {
            while let Some(change) = changes(0) {
                refuse(change, &failure);
            }
            return;
        }
        let mut answers = Vec::new();
        let closed = {
            let mut index = locked(&self.index);
            let counts = *locked(&self.counts);
            let mut ledger = Ledger::open(tree, &mut index, counts, self.catalogue.load_full());
            while let Some(change) = changes(ledger.bytes()) {
                answers.push(change(&mut ledger));
            }
            ledger.close()
        };
        let written = closed.and_then(|mut closed| {
            let changed = std::mem::take(&mut closed.changed);
            if !changed.is_empty() {
                self.groups.send_modify(|groups| groups.begun += 1);
                write(changed)?;
                self.groups.send_modify(|groups| groups.ended = groups.begun);
            }
            self.publish(closed);
            Ok(())
        });
        if let Err(error) = &written {
            self.fail(error);
        }
        for answer in answers {
            answer(written.clone());
        }
    }

    fn publish(&self, closed: Closed) {
        let wakes = closed.catalogue.is_some() || closed.deltas.iter().any(Delta::wakes);
        {
            let mut index = locked(&self.index);
            for delta in closed.deltas {
                index.apply(delta);
            }
        }
        *locked(&self.counts) = closed.counts;
        if let Some(catalogue) = closed.catalogue {
            self.catalogue.store(catalogue);
        }
        if wakes {
            self.signals.runs.notify_one();
        }
        if closed.schedules_changed {
            self.signals.schedules.notify_one();
        }
    }

    /// After a failed write nobody knows what the tree holds and what the disk: it is opened anew or not at all.
    pub(crate) fn fail(&self, error: &StoreError) {
        tracing::error!(%error, "the store takes no more changes until it is opened again");
        *locked(&self.failure) = Some(error.to_string());
        self.groups.send_modify(|groups| groups.ended = groups.begun);
        self.signals.failed.notify_waiters();
        self.signals.failed.notify_one();
    }

    /// Returns once everything that a reader can have seen is on disk.
    async fn settled(&self) -> Result<(), StoreError> {
        let mut groups = self.groups.subscribe();
        let seen = groups.borrow().begun;
        // The sender is this store's own: it is not gone.
        let _ = groups.wait_for(|groups| groups.ended >= seen).await;
        self.failure().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }

    pub(crate) fn failure(&self) -> Option<String> {
        locked(&self.failure).clone()
    }
}

fn refuse(change: Change, failure: &str) {
    // A change needs a ledger to give its answer; dropping it tells the caller that the store is gone.
    drop(change);
    tracing::debug!(failure, "a change was refused");
}

fn placed(run: Run) -> Delta {
    let place = match run.state {
        RunState::Pending { due } => Place::Pending { due },
        RunState::Leased { lease } => Place::Leased { boot: lease.boot, until: Monotonic(0) },
        RunState::Succeeded { .. } | RunState::Dead { .. } | RunState::Cancelled { .. } => {
            return Delta::Ended { run: run.id };
        }
    };
    Delta::Moved { run: run.id, target: run.target, place }
}

/// A store whose changes run on a ledger.
pub struct Ledgered<B> {
    backend: Arc<B>,
}

impl<B> Ledgered<B> {
    pub(crate) fn over(backend: Arc<B>) -> Ledgered<B> {
        Ledgered { backend }
    }

    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }
}

#[expect(private_bounds, reason = "backends are this crate's own; the public types are MemoryStore and SledStore")]
impl<B: Backend> Ledgered<B> {
    fn tree(&self) -> &dyn Read {
        self.backend.tree()
    }

    /// What a reader saw, once it is on disk.
    async fn read<T: Send>(&self, seen: Result<T, StoreError>) -> Result<T, StoreError> {
        let seen = seen?;
        self.backend.state().settled().await?;
        Ok(seen)
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Ledger<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let change: Change = Box::new(move |ledger| {
            let result = ledger.run(change);
            Box::new(move |written| {
                // The caller may have gone; the change stands.
                let _ = answer.send(written.and(result));
            })
        });
        self.backend.submit(change).await?;
        answered.await.unwrap_or_else(|_| {
            let why = self.backend.state().failure().unwrap_or_else(|| "it is being closed".to_owned());
            Err(StoreError::Unavailable(why))
        })
    }
}

#[async_trait]
impl<B: Backend> Store for Ledgered<B> {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, StoreError> {
        self.change(|ledger| ledger.accept(event)).await
    }

    async fn enqueue(&self, job: NewJob) -> Result<RunId, StoreError> {
        self.change(|ledger| {
            let now = job.job.scheduled_at;
            ledger.enqueue(job, now)
        })
        .await
    }

    async fn replay(&self, run: RunId, new: RunId, now: Timestamp) -> Result<RunId, StoreError> {
        self.change(move |ledger| ledger.replay(run, new, now)).await
    }

    async fn route(&self, event: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.route(event, runs, now)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Run>, StoreError> {
        self.change(move |ledger| ledger.claim(&claim)).await
    }

    async fn renew(&self, runs: &[RunId], until: Monotonic) -> Result<Vec<RunId>, StoreError> {
        // One host has the tree to itself: only its own clock judges the leases, so nothing need be on disk.
        let mut index = locked(&self.backend.state().index);
        Ok(runs.iter().copied().filter(|run| index.renew(*run, until)).collect())
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        self.change(|ledger| ledger.record(record)).await
    }

    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Run>, StoreError> {
        self.change(move |ledger| ledger.rescue(rescue)).await
    }

    async fn abandon(&self, handler: HandlerRef, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.change(move |ledger| ledger.abandon(&handler, now, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        Ok(locked(&self.backend.state().index).waiting())
    }

    async fn next_due(&self, handlers: &[HandlerRef]) -> Result<Option<Timestamp>, StoreError> {
        Ok(locked(&self.backend.state().index).next_due(handlers))
    }

    async fn begin_boot(&self) -> Result<BootId, StoreError> {
        self.change(|ledger| ledger.begin_boot()).await
    }

    async fn declare_schedules(&self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.declare_schedules(declared, now)).await
    }

    async fn schedules(&self) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read(query::schedules(self.tree())).await
    }

    async fn schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.read(query::schedule(self.tree(), name)).await
    }

    async fn fire(&self, firing: Firing) -> Result<Fired, StoreError> {
        self.change(|ledger| ledger.fire(firing)).await
    }

    async fn put_plugin(&self, row: PluginRow) -> Result<(), StoreError> {
        self.change(|ledger| ledger.put_plugin(row)).await
    }

    async fn retire_plugin(&self, name: &PluginName, missing_since: Timestamp) -> Result<bool, StoreError> {
        let name = name.clone();
        self.change(move |ledger| ledger.retire_plugin(&name, missing_since)).await
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        self.backend.state().catalogue.load_full()
    }

    async fn kv_get(&self, plugin: &PluginName, key: &str, now: Timestamp) -> Result<Option<KvEntry>, StoreError> {
        let row = query::kv_row(self.tree(), plugin, key, now)?;
        Ok(row.map(|row| KvEntry { value: row.value, version: row.version }))
    }

    async fn kv_list(&self, plugin: &PluginName, page: KvPage, now: Timestamp) -> Result<Vec<String>, StoreError> {
        query::kv_list(self.tree(), plugin, &page, now)
    }

    async fn kv_used(&self, plugin: &PluginName) -> Result<u64, StoreError> {
        query::kv_used(self.tree(), plugin)
    }

    async fn event(&self, id: EventId) -> Result<EventRecord, StoreError> {
        self.read(query::event(self.tree(), id)).await
    }

    async fn event_input(&self, id: EventId) -> Result<Event, StoreError> {
        query::event_input(self.tree(), id)
    }

    async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        query::job(self.tree(), id)
    }

    async fn run(&self, id: RunId) -> Result<Run, StoreError> {
        self.read(query::run(self.tree(), id)).await
    }

    async fn events(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.read(query::events(self.tree(), page)).await
    }

    async fn unrouted(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.read(unrouted::page(self.tree(), page)).await
    }

    async fn oldest_unrouted(&self, after: Option<EventId>, limit: usize) -> Result<Vec<EventId>, StoreError> {
        self.read(unrouted::oldest(self.tree(), after, limit)).await
    }

    async fn runs(&self, page: PageRequest<RunId>, filter: RunFilter) -> Result<RunPage, StoreError> {
        self.read(query::runs(self.tree(), page, &filter)).await
    }

    fn counts(&self) -> Counts {
        let state = self.backend.state();
        let mut counts = *locked(&state.counts);
        let index = locked(&state.index);
        counts.pending = index.pending_count();
        counts.leased = index.leased_count();
        counts
    }

    async fn prune(&self, now: Timestamp, retention: Retention) -> Result<Pruned, StoreError> {
        let state = self.backend.state();
        let mut cursor = locked(&state.prune).clone();
        let (pruned, cursor) = self
            .change(move |ledger| ledger.prune(&mut cursor, now, &retention).map(|pruned| (pruned, cursor)))
            .await?;
        *locked(&state.prune) = cursor;
        Ok(pruned)
    }

    fn signals(&self) -> &Signals {
        &self.backend.state().signals
    }

    fn failure(&self) -> Option<String> {
        self.backend.state().failure()
    }
}

#[cfg(test)]
mod tests;
