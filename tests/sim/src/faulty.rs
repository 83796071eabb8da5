//! The way of one engine, or of the ingress, to the store: it fails as the
//! faults will have it, and everything that is done is watched.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use hookbox_core::access::{AccessRows, AuditEntry, AuditOutcome};
use hookbox_core::clock::Monotonic;
use hookbox_core::denial::Denial;
use hookbox_core::effects::KvEntry;
use hookbox_core::event::{Event, Job};
use hookbox_core::hold::{Held, Hold, Holds};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerRef, PluginName, ScheduleName};
use hookbox_core::run::{BootId, CancelCause, Run, WorkKind};
use hookbox_core::schedule::{Reason, Schedule, ScheduleRow};
use hookbox_core::time::Timestamp;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::*;
use hookbox_store::{Catalogue, CommandAnswer, Counts, PluginCommand, PluginRow, Signals, Snapshot, Store, StoreError};

use crate::faults::{Fault, Faults};
use crate::watch::{Watch, at_once};

pub(crate) struct Faulty {
    pub(crate) store: Arc<MemoryStore>,
    /// Whose way it is; 0 is the ingress.
    pub(crate) node: usize,
    pub(crate) watch: Arc<Watch>,
    faults: Arc<Faults>,
    cut: AtomicBool,
}

impl Faulty {
    pub(crate) fn new(store: Arc<MemoryStore>, node: usize, watch: Arc<Watch>, faults: Arc<Faults>) -> Faulty {
        Faulty { store, node, watch, faults, cut: AtomicBool::new(false) }
    }

    /// Whoever went this way crashed: from here on nothing gets through.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    async fn unless_cut(&self) {
        if self.cut.load(Ordering::SeqCst) {
            pending().await
        }
    }

    async fn through<T>(
        &self,
        what: &str,
        ask: impl Future<Output = Result<T, StoreError>> + Send,
        seen: impl FnOnce(&Watch, &Result<T, StoreError>) + Send,
    ) -> Result<T, StoreError> {
        self.unless_cut().await;
        let fault = self.faults.draw();
        if fault != Fault::None {
            self.watch.trace.note(format_args!("{}: {what}: {fault:?}", self.node));
        }
        match fault {
            Fault::Refused => return Err(StoreError::Unavailable("it was not done".to_owned())),
            Fault::Late(span) => {
                tokio::time::sleep(span.as_duration()).await;
                self.unless_cut().await;
            }
            Fault::None | Fault::AnswerLost | Fault::AnswerLate(_) => {}
        }
        // The store has one declare at a time: whoever waits for that has no place in a group.
        let turn = match what {
            "declare" => Some(self.watch.declaring.lock().await),
            _ => None,
        };
        let answer = self.done(ask, seen).await;
        drop(turn);
        match fault {
            Fault::AnswerLost => return Err(StoreError::Unavailable("the answer was lost".to_owned())),
            Fault::AnswerLate(span) => {
                tokio::time::sleep(span.as_duration()).await;
                self.unless_cut().await;
            }
            Fault::None | Fault::Refused | Fault::Late(_) => {}
        }
        answer
    }

    /// Nothing comes between what is done and that it is seen.
    async fn done<T>(
        &self,
        ask: impl Future<Output = Result<T, StoreError>> + Send,
        seen: impl FnOnce(&Watch, &Result<T, StoreError>) + Send,
    ) -> Result<T, StoreError> {
        self.watch.group.seen().await;
        let mut ask = pin!(tokio::task::unconstrained(ask));
        let at_once = poll_fn(|context| Poll::Ready(ask.as_mut().poll(context))).await;
        if let Poll::Ready(answer) = at_once {
            seen(&self.watch, &answer);
            self.watch.check_touched();
            return answer;
        }
        // It is one of several that are committed together.
        let place = self.watch.group.join();
        let answer = ask.await;
        place.turn().await;
        seen(&self.watch, &answer);
        if place.is_last() {
            self.watch.check_touched();
        }
        answer
    }

    /// Where very many slots end, the store needs several commits: these are in no group.
    async fn in_one_commit<T>(
        &self,
        now: Timestamp,
        ask: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let rows = at_once(self.store.schedules(None, usize::MAX)).and_then(Result::ok).unwrap_or_default();
        if self.watch.group.gathers() && rows.iter().any(|row| row.is_far_behind(now)) {
            return Err(StoreError::Unavailable("it takes several commits".to_owned()));
        }
        ask.await
    }

    async fn read<T>(
        &self,
        what: &str,
        ask: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.through(what, ask, |_, _| {}).await
    }
}

#[async_trait]
impl Store for Faulty {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, StoreError> {
        let new = event.clone();
        self.through("accept", self.store.accept(event), |watch, answer| watch.accepted(&new, answer)).await
    }

    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let new = events.clone();
        let seen = |watch: &Watch, answers: &Result<Vec<Accepted>, StoreError>| {
            for (new, answer) in new.iter().zip(answers.iter().flatten()) {
                watch.accepted(new, &Ok(*answer));
            }
        };
        self.through("accept all", self.store.accept_all(events), seen).await
    }

    async fn release(&self, id: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        let new = runs.clone();
        let seen = |watch: &Watch, answer: &Result<(), StoreError>| watch.released(id, &new, now, answer);
        self.through("release", self.store.release(id, runs, now), seen).await
    }

    async fn suppressed(&self, page: PageRequest<EventId>) -> Result<SuppressedPage, StoreError> {
        self.read("suppressed", self.store.suppressed(page)).await
    }

    async fn suppressed_one(&self, id: EventId) -> Result<Suppressed, StoreError> {
        self.read("suppressed one", self.store.suppressed_one(id)).await
    }

    async fn enqueue(&self, job: NewJob) -> Result<RunId, StoreError> {
        let new = job.clone();
        self.through("enqueue", self.store.enqueue(job), |watch, answer| watch.enqueued(&new, answer)).await
    }

    async fn enqueue_all(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let new = jobs.clone();
        let seen = |watch: &Watch, answer: &Result<Vec<RunId>, StoreError>| watch.enqueued_all(&new, answer);
        self.through("enqueue all", self.store.enqueue_all(jobs, now), seen).await
    }

    async fn replay(&self, replay: Replay, now: Timestamp) -> Result<RunId, StoreError> {
        let asked = replay.clone();
        let seen = |watch: &Watch, answer: &Result<RunId, StoreError>| watch.replayed(&asked, now, answer);
        self.through("replay", self.store.replay(replay, now), seen).await
    }

    async fn replay_all(
        &self,
        runs: Vec<(RunId, RunId)>,
        again: Again,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        let asked = runs.clone();
        let seen =
            |watch: &Watch, answer: &Result<Replayed, StoreError>| watch.replayed_all(&asked, again, now, answer);
        self.through("replay all", self.store.replay_all(runs, again, now), seen).await
    }

    async fn cancel(
        &self,
        runs: Vec<RunId>,
        which: Cancellable,
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        let asked = runs.clone();
        let seen = |watch: &Watch, answer: &Result<Vec<RunId>, StoreError>| watch.cancelled(&asked, which, answer);
        self.through("cancel", self.store.cancel(runs, which, cause, now), seen).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let seen = |watch: &Watch, answer: &Result<usize, StoreError>| watch.expired(now, answer);
        self.through("expire", self.store.expire(now, limit), seen).await
    }

    async fn hold(&self, held: Held, hold: Option<Hold>) -> Result<bool, StoreError> {
        let (what, how) = (held.clone(), hold.clone());
        let seen = |watch: &Watch, answer: &Result<bool, StoreError>| watch.held(&what, how.as_ref(), answer);
        self.through("hold", self.store.hold(held, hold), seen).await
    }

    fn holds(&self) -> Arc<Holds> {
        self.store.holds()
    }

    async fn route(&self, event: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        let new = runs.clone();
        let seen = |watch: &Watch, answer: &Result<(), StoreError>| watch.routed(&new, now, answer);
        self.through("route", self.store.route(event, runs, now), seen).await
    }

    async fn unrouted(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.read("unrouted", self.store.unrouted(page)).await
    }

    async fn oldest_unrouted(&self, after: Option<EventId>, limit: usize) -> Result<Vec<EventId>, StoreError> {
        self.read("oldest unrouted", self.store.oldest_unrouted(after, limit)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Run>, StoreError> {
        let asked = claim.clone();
        let seen = |watch: &Watch, answer: &Result<Vec<Run>, StoreError>| watch.claimed(self.node, &asked, answer);
        self.through("claim", self.store.claim(claim), seen).await
    }

    async fn renew(&self, leases: &[Leased], until: Monotonic) -> Result<Vec<Leased>, StoreError> {
        let seen =
            |watch: &Watch, answer: &Result<Vec<Leased>, StoreError>| watch.renewed(self.node, leases, until, answer);
        self.through("renew", self.store.renew(leases, until), seen).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        let asked = record.clone();
        let seen = |watch: &Watch, answer: &Result<Recorded, StoreError>| watch.recorded(self.node, &asked, answer);
        self.through("record", self.store.record(record), seen).await
    }

    async fn note_cancelled(&self, stopped: StoppedAttempt) -> Result<bool, StoreError> {
        let new = stopped.clone();
        let seen = |watch: &Watch, answer: &Result<bool, StoreError>| watch.noted(&new, answer);
        self.through("note a cancelled attempt", self.store.note_cancelled(stopped), seen).await
    }

    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Run>, StoreError> {
        let asked = rescue.clone();
        self.through("rescue", self.store.rescue(rescue), |watch, answer| watch.rescued(&asked, answer)).await
    }

    async fn abandon(
        &self,
        handler: HandlerRef,
        kind: Option<WorkKind>,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let of = handler.clone();
        let seen = |watch: &Watch, answer: &Result<usize, StoreError>| watch.abandoned(&of, kind, now, answer);
        self.through("abandon", self.store.abandon(handler, kind, now, limit), seen).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.read("waiting", self.store.waiting()).await
    }

    async fn next_due(&self, handlers: &[Claimable]) -> Result<Option<Timestamp>, StoreError> {
        self.watch.wants(handlers);
        self.read("next due", self.store.next_due(handlers)).await
    }

    async fn begin_boot(&self) -> Result<BootId, StoreError> {
        self.read("begin boot", self.store.begin_boot()).await
    }

    async fn declare_schedules(&self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        let all = declared.clone();
        let seen = |watch: &Watch, answer: &Result<(), StoreError>| watch.declared(&all, now, answer);
        self.through("declare", self.in_one_commit(now, self.store.declare_schedules(declared, now)), seen).await
    }

    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        let new = schedule.clone();
        let seen = |watch: &Watch, answer: &Result<ScheduleRow, StoreError>| watch.put(&new, now, answer);
        self.through("put schedule", self.in_one_commit(now, self.store.put_schedule(schedule, now)), seen).await
    }

    async fn preview_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        self.read("preview schedule", self.store.preview_schedule(schedule, now)).await
    }

    async fn remove_schedule(&self, name: &ScheduleName, now: Timestamp) -> Result<(), StoreError> {
        let seen = |watch: &Watch, answer: &Result<(), StoreError>| watch.removed(name, now, answer);
        self.through("remove schedule", self.in_one_commit(now, self.store.remove_schedule(name, now)), seen).await
    }

    async fn change_schedule(
        &self,
        name: &ScheduleName,
        change: ScheduleChange,
        now: Timestamp,
    ) -> Result<ScheduleRow, StoreError> {
        let asked = change.clone();
        let seen = |watch: &Watch, answer: &Result<ScheduleRow, StoreError>| watch.changed(name, &asked, now, answer);
        self.through("change schedule", self.in_one_commit(now, self.store.change_schedule(name, change, now)), seen)
            .await
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read("schedules", self.store.schedules(after, limit)).await
    }

    async fn due_schedules(&self, now: Timestamp, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read("due schedules", self.store.due_schedules(now, limit)).await
    }

    async fn next_slot(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read("next slot", self.store.next_slot()).await
    }

    fn schedule_counts(&self, now: Timestamp) -> ScheduleCounts {
        self.store.schedule_counts(now)
    }

    fn schedules_to_look_at(&self, reason: Reason, now: Timestamp, limit: usize) -> Vec<ScheduleName> {
        self.store.schedules_to_look_at(reason, now, limit)
    }

    async fn schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.read("schedule", self.store.schedule(name)).await
    }

    async fn denials(&self, plugin: &PluginName) -> Result<Vec<Denial>, StoreError> {
        self.read("denials", self.store.denials(plugin)).await
    }

    async fn fire(&self, firing: Firing) -> Result<Fired, StoreError> {
        let asked = firing.clone();
        self.through("fire", self.store.fire(firing), |watch, answer| watch.fired(&asked, answer)).await
    }

    async fn command_plugin(&self, name: &PluginName, command: PluginCommand) -> Result<bool, StoreError> {
        self.read("command", self.store.command_plugin(name, command)).await
    }

    async fn answer_plugin(
        &self,
        name: &PluginName,
        asked: Timestamp,
        answer: CommandAnswer,
    ) -> Result<(), StoreError> {
        self.read("answer", self.store.answer_plugin(name, asked, answer)).await
    }

    async fn retire_plugin(&self, name: &PluginName, missing_since: Timestamp) -> Result<bool, StoreError> {
        self.read("retire", self.store.retire_plugin(name, missing_since)).await
    }

    async fn put_plugin(&self, row: PluginRow) -> Result<(), StoreError> {
        self.read("put plugin", self.store.put_plugin(row)).await
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        self.store.catalogue()
    }

    async fn kv_get(&self, plugin: &PluginName, key: &str, now: Timestamp) -> Result<Option<KvEntry>, StoreError> {
        self.read("kv get", self.store.kv_get(plugin, key, now)).await
    }

    async fn kv_list(&self, plugin: &PluginName, page: KvPage, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.read("kv list", self.store.kv_list(plugin, page, now)).await
    }

    async fn kv_used(&self, plugin: &PluginName) -> Result<u64, StoreError> {
        self.read("kv used", self.store.kv_used(plugin)).await
    }

    async fn event(&self, id: EventId) -> Result<EventRecord, StoreError> {
        self.read("event", self.store.event(id)).await
    }

    async fn event_input(&self, id: EventId) -> Result<Event, StoreError> {
        self.read("event input", self.store.event_input(id)).await
    }

    async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        self.read("job", self.store.job(id)).await
    }

    async fn run(&self, id: RunId) -> Result<Run, StoreError> {
        self.read("run", self.store.run(id)).await
    }

    async fn events(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.read("events", self.store.events(page)).await
    }

    async fn runs(&self, page: PageRequest<RunId>, filter: RunFilter) -> Result<RunPage, StoreError> {
        let asked = filter.clone();
        let seen = |watch: &Watch, answer: &Result<RunPage, StoreError>| watch.listed(page, &asked, answer);
        self.through("runs", self.store.runs(page, filter), seen).await
    }

    async fn total(&self, listed: Listed) -> Result<Total, StoreError> {
        self.read("total", self.store.total(listed)).await
    }

    async fn begin_request(&self, key: RequestKey, request: [u8; 32], now: Timestamp) -> Result<Begun, StoreError> {
        self.read("begin request", self.store.begin_request(key, request, now)).await
    }

    async fn end_request(&self, key: RequestKey, answer: Option<KeptAnswer>) -> Result<(), StoreError> {
        self.read("end request", self.store.end_request(key, answer)).await
    }

    fn waiting_of(&self, handler: &HandlerRef) -> u64 {
        self.store.waiting_of(handler)
    }

    fn access(&self) -> Arc<AccessRows> {
        self.store.access()
    }

    async fn change_access(&self, change: AccessChange) -> Result<bool, StoreError> {
        self.read("change access", self.store.change_access(change)).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        self.read("audit", self.store.audit(entry)).await
    }

    async fn audit_outcome(&self, number: u64, outcome: AuditOutcome) -> Result<(), StoreError> {
        self.read("audit outcome", self.store.audit_outcome(number, outcome)).await
    }

    async fn audited(&self, page: PageRequest<u64>, filter: AuditFilter) -> Result<AuditPage, StoreError> {
        self.read("audited", self.store.audited(page, filter)).await
    }

    async fn searches(&self) -> Result<Vec<Search>, StoreError> {
        self.read("searches", self.store.searches()).await
    }

    async fn keep_search(&self, search: Search) -> Result<(), StoreError> {
        self.store.keep_search(search).await
    }

    async fn drop_search(&self, name: &str) -> Result<bool, StoreError> {
        self.store.drop_search(name).await
    }

    fn counts(&self) -> Counts {
        self.store.counts()
    }

    async fn prune(&self, now: Timestamp, retention: Retention) -> Result<Pruned, StoreError> {
        let seen = |watch: &Watch, answer: &Result<Pruned, StoreError>| watch.pruned(now, answer);
        self.through("prune", self.store.prune(now, retention), seen).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.store.snapshot().await
    }

    fn signals(&self) -> &Signals {
        self.store.signals()
    }

    fn failure(&self) -> Option<String> {
        self.faults.is_down().then(|| "the disk fails".to_owned())
    }
}
