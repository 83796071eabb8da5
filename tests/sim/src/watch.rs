//! Sees everything that the store does, compares it with the model, and tells
//! the trace where an invariant is broken.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use hookbox_core::clock::Monotonic;
use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent, RunState, RunStatus, WorkKind};
use hookbox_core::time::Timestamp;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::*;
use hookbox_store::{Store, StoreError};

use crate::group::Group;
use crate::model::{Model, Seen};
use crate::stage::Stage;
use crate::trace::Trace;

pub(crate) struct Watch {
    pub(crate) trace: Arc<Trace>,
    pub(crate) stage: OnceLock<Arc<Stage>>,
    pub(crate) group: Group,
    /// Held by whoever declares schedules.
    pub(crate) declaring: tokio::sync::Mutex<()>,
    store: Mutex<Arc<MemoryStore>>,
    model: Mutex<Model>,
}

type Checked = Result<(), String>;

/// What a store in memory answers: at once.
pub(crate) fn at_once<T>(asked: impl Future<Output = T>) -> Option<T> {
    let asked = pin!(tokio::task::unconstrained(asked));
    match asked.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

impl Watch {
    pub(crate) fn new(trace: Arc<Trace>, store: Arc<MemoryStore>) -> Watch {
        Watch {
            trace,
            stage: OnceLock::new(),
            group: Group::default(),
            declaring: tokio::sync::Mutex::default(),
            store: Mutex::new(store),
            model: Mutex::default(),
        }
    }

    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store was opened anew.
    pub(crate) fn reopened(&self, store: Arc<MemoryStore>) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = store;
    }

    pub(crate) fn store(&self) -> Arc<MemoryStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn stored(&self, id: RunId) -> Option<Run> {
        at_once(self.store().run(id))?.ok()
    }

    pub(crate) fn leases_of(&self, id: RunId) -> u64 {
        self.model().runs.get(&id).map_or(0, |run| run.leases)
    }

    /// Compares what the last commit changed with what the store holds.
    pub(crate) fn check_touched(&self) {
        let mut model = self.model();
        let touched = std::mem::take(&mut model.touched);
        for id in touched.runs {
            let (stored, seen) = (self.stored(id), model.runs.get(&id).filter(|run| !run.pruned));
            let (stored, seen) = (stored.map(|run| run.status()), seen.map(|run| run.state.status()));
            if stored != seen {
                self.trace.broken(format!("{id} is {stored:?} in the store, it should be {seen:?}"));
            }
        }
        for name in touched.schedules {
            self.check_schedule(&model, &name);
        }
        for (plugin, key, now) in touched.keys {
            self.check_key(&model, &plugin, &key, now);
        }
    }

    pub(crate) fn check_key(&self, model: &Model, plugin: &PluginName, key: &str, now: Timestamp) {
        let stored = at_once(self.store().kv_get(plugin, key, now)).and_then(Result::ok).flatten();
        let stored = stored.map(|entry| String::from_utf8_lossy(&entry.value).into_owned());
        let serial = model.keys.value(plugin, key, now);
        if stored.as_deref() != serial {
            self.trace.broken(format!("{key:?} of {plugin} holds {stored:?}, it should be {serial:?}"));
        }
    }

    pub(crate) fn check(&self, what: &str, checked: Checked) {
        if let Err(why) = checked {
            self.trace.broken(format!("{what}: {why}"));
        }
    }

    pub(crate) fn accepted(&self, new: &NewEvent, answer: &Result<Accepted, StoreError>) {
        self.trace.note(format_args!("accept {}: {answer:?}", new.event.id));
        let Ok(accepted) = answer else { return };
        let checked = self.accept(&mut self.model(), new, *accepted);
        self.check("accept", checked);
    }

    fn accept(&self, model: &mut Model, new: &NewEvent, accepted: Accepted) -> Checked {
        let now = new.event.time;
        let earlier = new.dedupe.iter().filter_map(|mark| model.marks.get(&mark.hash)).find(|(_, until)| *until > now);
        match (accepted, earlier.map(|(event, _)| *event)) {
            (Accepted::New(_), None) => {
                model.tally.accepted += 1;
                model.marks.extend(new.dedupe.iter().map(|mark| (mark.hash, (new.event.id, mark.until))));
                model.events.insert(new.event.id, new.runs.iter().map(|run| run.id).collect());
                model.insert_all(&new.runs, now)
            }
            (Accepted::Duplicate { first, .. }, Some(earlier)) if first == earlier => {
                model.tally.duplicates += 1;
                match new.runs.iter().find(|run| self.stored(run.id).is_some()) {
                    Some(run) => Err(format!("the duplicate {} has made {}", new.event.id, run.id)),
                    None => Ok(()),
                }
            }
            (accepted, earlier) => Err(format!("{accepted:?}, but the earlier event is {earlier:?}")),
        }
    }

    pub(crate) fn released(&self, id: EventId, runs: &[NewRun], now: Timestamp, answer: &Result<(), StoreError>) {
        self.trace.note(format_args!("release {id}: {answer:?}"));
        if answer.is_ok() {
            let mut model = self.model();
            model.events.insert(id, runs.iter().map(|run| run.id).collect());
            let checked = model.insert_all(runs, now);
            self.check("release", checked);
        }
    }

    pub(crate) fn routed(&self, runs: &[NewRun], now: Timestamp, answer: &Result<(), StoreError>) {
        if answer.is_ok() {
            let checked = self.model().insert_all(runs, now);
            self.check("route", checked);
        }
    }

    pub(crate) fn enqueued(&self, new: &NewJob, answer: &Result<RunId, StoreError>) {
        self.trace.note(format_args!("enqueue {} for {}: {answer:?}", new.run.id, new.run.target));
        if let Ok(run) = answer {
            let checked = self.model().enqueue(new).and_then(|expected| match *run == expected {
                true => Ok(()),
                false => Err(format!("{run} answered for {expected}")),
            });
            self.check("enqueue", checked);
        }
    }

    pub(crate) fn renewed(
        &self,
        node: usize,
        asked: &[Leased],
        until: Monotonic,
        answer: &Result<Vec<Leased>, StoreError>,
    ) {
        let Ok(renewed) = answer else { return };
        self.trace.note(format_args!("{node} renews {} of {} leases", renewed.len(), asked.len()));
        let mut model = self.model();
        let mut own = Vec::new();
        for (id, asked) in asked {
            match model.runs.get_mut(id).map(|run| &mut run.state) {
                Some(Seen::Leased { lease, node: holder, until: held }) if *holder == node && lease == asked => {
                    *held = until;
                    own.push((*id, *asked));
                }
                _ => {}
            }
        }
        if own != *renewed {
            self.trace.broken(format!("renew: {node} holds the leases of {own:?}, renewed were those of {renewed:?}"));
        }
    }

    pub(crate) fn rescued(&self, asked: &Rescue, answer: &Result<Vec<Run>, StoreError>) {
        let Ok(runs) = answer else { return };
        let mut model = self.model();
        model.tally.rescued += runs.len() as u64;
        for run in runs {
            self.trace.note(format_args!("rescued {}: {:?}", run.id, run.status()));
            let lost = match model.runs.get(&run.id).map(|run| run.state) {
                Some(Seen::Leased { lease, until, .. }) => lease.boot != asked.boot || until <= asked.monotonic,
                _ => false,
            };
            let checked = if lost { follow(&mut model, run) } else { Err(format!("{} was not lost", run.id)) };
            self.check("rescue", checked);
        }
        let lost = model.runs.iter().find(|(_, run)| match run.state {
            Seen::Leased { lease, until, .. } => lease.boot != asked.boot || until <= asked.monotonic,
            _ => false,
        });
        if let Some((id, _)) = lost.filter(|_| runs.len() < asked.limit) {
            self.trace.broken(format!("rescue: {id} is lost and was left"));
        }
    }

    pub(crate) fn abandoned(
        &self,
        handler: &HandlerRef,
        kind: Option<WorkKind>,
        now: Timestamp,
        answer: &Result<usize, StoreError>,
    ) {
        let Ok(count) = answer else { return };
        self.trace.note(format_args!("buried {count} of {handler}"));
        let mut model = self.model();
        model.tally.buried += *count as u64;
        let vanished = RunState::Dead { at: now, cause: DeadCause::of_missing(kind) };
        let mut buried = model.with_status(RunStatus::Pending);
        buried.retain(|id| model.runs.get(id).is_some_and(|run| run.target == *handler));
        buried.retain(|id| self.stored(*id).is_some_and(|run| run.state == vanished));
        if buried.len() != *count {
            self.trace.broken(format!("abandon: {} of {handler} are dead, and {count} were told", buried.len()));
        }
        for run in buried {
            let checked = model.moves(run, Seen::Ended(RunStatus::Dead));
            self.check("abandon", checked);
        }
    }

    pub(crate) fn pruned(&self, now: Timestamp, answer: &Result<Pruned, StoreError>) {
        let Ok(pruned) = answer else { return };
        self.trace.note(format_args!("{pruned:?}"));
        let store = self.store();
        let mut model = self.model();
        let mut gone = 0;
        for (id, run) in model.runs.iter_mut().filter(|(_, run)| !run.pruned) {
            if self.stored(*id).is_none() {
                run.pruned = true;
                gone += 1;
                if !run.state.status().is_terminal() {
                    self.trace.broken(format!("prune: {id} is gone, and it was {:?}", run.state));
                }
            }
        }
        model.tally.pruned += gone;
        model.untold += gone;
        match model.untold.checked_sub(pruned.runs) {
            Some(untold) => model.untold = untold,
            None => self.trace.broken(format!("prune: {gone} runs are gone, {} were told", pruned.runs)),
        }
        let is_gone = |event| !matches!(at_once(store.event_input(event)), Some(Ok(_)));
        model.marks.retain(|_, (event, until)| *until > now || !is_gone(*event));
        for (plugin, key) in model.keys.expired(now) {
            if matches!(at_once(store.kv_get(&plugin, &key, Timestamp(0))), Some(Ok(None))) {
                model.keys.forget(&plugin, &key);
            }
        }
    }
}

/// The model takes over the state that the store gave a run which was lost.
fn follow(model: &mut Model, run: &Run) -> Checked {
    let state = match run.state {
        RunState::Pending { due } => Seen::Pending { due },
        RunState::Leased { .. } => return Err(format!("{} is leased", run.id)),
        _ => Seen::Ended(run.status()),
    };
    model.moves(run.id, state)
}

/// What a recorded end makes of a run.
pub(crate) fn state_after(event: &RunEvent) -> Option<Seen> {
    match event {
        RunEvent::Succeeded { .. } => Some(Seen::Ended(RunStatus::Succeeded)),
        RunEvent::FailedForNow { due, .. } | RunEvent::Revoked { due, .. } => Some(Seen::Pending { due: *due }),
        RunEvent::FailedForGood { .. } => Some(Seen::Ended(RunStatus::Dead)),
        RunEvent::Drained { at } => Some(Seen::Pending { due: *at }),
        _ => None,
    }
}
