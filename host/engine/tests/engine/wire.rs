//! The way to the store, which a test can cut: a host whose wire is cut is a host that crashed.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

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
use hookbox_core::schedule::{Reason, Schedule, ScheduleRow, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::*;
use hookbox_store::{Catalogue, CommandAnswer, Counts, PluginCommand, PluginRow, Signals, Snapshot, Store, StoreError};
use tokio::sync::{Semaphore, watch};

pub(crate) struct Wire {
    store: Arc<MemoryStore>,
    cut: AtomicBool,
    /// Records that fail before the next one passes.
    pub(crate) failing_records: AtomicU32,
    /// Nothing is recorded, and the store says why.
    pub(crate) disk_fails: AtomicBool,
    pub(crate) claims: AtomicU32,
    /// Declarations that fail before the next one passes.
    pub(crate) failing_declarations: AtomicU32,
    /// Schedules read as if a release with another grammar had written them.
    pub(crate) garbled: AtomicBool,
    /// Records are on their way for long: each waits for a permit.
    pub(crate) late_records: Mutex<Option<Arc<Semaphore>>>,
    /// Answers to records are late: each waits for a permit.
    pub(crate) late_answers: Mutex<Option<Arc<Semaphore>>>,
    /// Told of every change.
    pub(crate) changed: watch::Sender<()>,
}

impl Wire {
    pub(crate) fn to(store: Arc<MemoryStore>) -> Arc<Wire> {
        Arc::new(Wire {
            store,
            cut: AtomicBool::new(false),
            failing_records: AtomicU32::new(0),
            disk_fails: AtomicBool::new(false),
            claims: AtomicU32::new(0),
            failing_declarations: AtomicU32::new(0),
            garbled: AtomicBool::new(false),
            late_records: Mutex::default(),
            late_answers: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// From here on nothing gets through.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    async fn through<T>(&self, asked: impl Future<Output = T> + Send) -> T {
        if self.cut.load(Ordering::SeqCst) {
            return pending().await;
        }
        let answer = asked.await;
        self.changed.send_replace(());
        answer
    }
}

#[async_trait]
impl Store for Wire {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, StoreError> {
        self.through(self.store.accept(event)).await
    }

    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.through(self.store.accept_all(events)).await
    }

    async fn release(&self, id: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        self.through(self.store.release(id, runs, now)).await
    }

    async fn suppressed(&self, page: PageRequest<EventId>) -> Result<SuppressedPage, StoreError> {
        self.store.suppressed(page).await
    }

    async fn suppressed_one(&self, id: EventId) -> Result<Suppressed, StoreError> {
        self.store.suppressed_one(id).await
    }

    async fn enqueue(&self, job: NewJob) -> Result<RunId, StoreError> {
        self.through(self.store.enqueue(job)).await
    }

    async fn enqueue_all(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        self.through(self.store.enqueue_all(jobs, now)).await
    }

    async fn replay(&self, replay: Replay, now: Timestamp) -> Result<RunId, StoreError> {
        self.through(self.store.replay(replay, now)).await
    }

    async fn replay_all(
        &self,
        runs: Vec<(RunId, RunId)>,
        again: Again,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        self.through(self.store.replay_all(runs, again, now)).await
    }

    async fn cancel(
        &self,
        runs: Vec<RunId>,
        which: Cancellable,
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        self.through(self.store.cancel(runs, which, cause, now)).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.through(self.store.expire(now, limit)).await
    }

    async fn hold(&self, held: Held, hold: Option<Hold>) -> Result<bool, StoreError> {
        self.through(self.store.hold(held, hold)).await
    }

    fn holds(&self) -> Arc<Holds> {
        self.store.holds()
    }

    async fn route(&self, event: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        self.through(self.store.route(event, runs, now)).await
    }

    async fn unrouted(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.store.unrouted(page).await
    }

    async fn oldest_unrouted(&self, after: Option<EventId>, limit: usize) -> Result<Vec<EventId>, StoreError> {
        self.store.oldest_unrouted(after, limit).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Run>, StoreError> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.through(self.store.claim(claim)).await
    }

    async fn renew(&self, leases: &[Leased], until: Monotonic) -> Result<Vec<Leased>, StoreError> {
        self.through(self.store.renew(leases, until)).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        let fails = self.failing_records.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if fails.is_ok() || self.disk_fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the wire hums".into()));
        }
        let late = self.late_records.lock().unwrap().clone();
        if let Some(permits) = late {
            permits.acquire().await.unwrap().forget();
        }
        let answer = self.through(self.store.record(record)).await;
        let late = self.late_answers.lock().unwrap().clone();
        if let Some(permits) = late {
            permits.acquire().await.unwrap().forget();
        }
        answer
    }

    async fn note_cancelled(&self, stopped: StoppedAttempt) -> Result<bool, StoreError> {
        self.through(self.store.note_cancelled(stopped)).await
    }

    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Run>, StoreError> {
        self.through(self.store.rescue(rescue)).await
    }

    async fn abandon(
        &self,
        handler: HandlerRef,
        kind: Option<WorkKind>,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.through(self.store.abandon(handler, kind, now, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.store.waiting().await
    }

    async fn next_due(&self, handlers: &[Claimable]) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_due(handlers).await
    }

    async fn begin_boot(&self) -> Result<BootId, StoreError> {
        self.through(self.store.begin_boot()).await
    }

    async fn declare_schedules(&self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        let fails = |left: u32| left.checked_sub(1);
        if self.failing_declarations.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        self.through(self.store.declare_schedules(declared, now)).await
    }

    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        self.through(self.store.put_schedule(schedule, now)).await
    }

    async fn preview_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        self.store.preview_schedule(schedule, now).await
    }

    async fn remove_schedule(&self, name: &ScheduleName, now: Timestamp) -> Result<(), StoreError> {
        self.through(self.store.remove_schedule(name, now)).await
    }

    async fn change_schedule(
        &self,
        name: &ScheduleName,
        change: ScheduleChange,
        now: Timestamp,
    ) -> Result<ScheduleRow, StoreError> {
        self.through(self.store.change_schedule(name, change, now)).await
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        self.store.schedules(after, limit).await
    }

    async fn due_schedules(&self, now: Timestamp, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        let mut rows = self.store.due_schedules(now, limit).await?;
        if self.garbled.load(Ordering::SeqCst) {
            rows.iter_mut().for_each(|row| row.schedule.when = When::Every { period: Millis(0), phase: None });
        }
        Ok(rows)
    }

    async fn next_slot(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_slot().await
    }

    fn schedule_counts(&self, now: Timestamp) -> ScheduleCounts {
        self.store.schedule_counts(now)
    }

    fn schedules_to_look_at(&self, reason: Reason, now: Timestamp, limit: usize) -> Vec<ScheduleName> {
        self.store.schedules_to_look_at(reason, now, limit)
    }

    async fn schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.store.schedule(name).await
    }

    async fn denials(&self, plugin: &PluginName) -> Result<Vec<Denial>, StoreError> {
        self.store.denials(plugin).await
    }

    async fn fire(&self, firing: Firing) -> Result<Fired, StoreError> {
        // Others may get between a look and its verdict.
        tokio::task::yield_now().await;
        self.through(self.store.fire(firing)).await
    }

    async fn command_plugin(&self, name: &PluginName, command: PluginCommand) -> Result<bool, StoreError> {
        self.through(self.store.command_plugin(name, command)).await
    }

    async fn answer_plugin(
        &self,
        name: &PluginName,
        asked: Timestamp,
        answer: CommandAnswer,
    ) -> Result<(), StoreError> {
        self.through(self.store.answer_plugin(name, asked, answer)).await
    }

    async fn retire_plugin(&self, name: &PluginName, missing_since: Timestamp) -> Result<bool, StoreError> {
        self.through(self.store.retire_plugin(name, missing_since)).await
    }

    async fn put_plugin(&self, row: PluginRow) -> Result<(), StoreError> {
        self.through(self.store.put_plugin(row)).await
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        self.store.catalogue()
    }

    async fn kv_get(&self, plugin: &PluginName, key: &str, now: Timestamp) -> Result<Option<KvEntry>, StoreError> {
        self.store.kv_get(plugin, key, now).await
    }

    async fn kv_list(&self, plugin: &PluginName, page: KvPage, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.store.kv_list(plugin, page, now).await
    }

    async fn kv_used(&self, plugin: &PluginName) -> Result<u64, StoreError> {
        self.store.kv_used(plugin).await
    }

    async fn event(&self, id: EventId) -> Result<EventRecord, StoreError> {
        self.store.event(id).await
    }

    async fn event_input(&self, id: EventId) -> Result<Event, StoreError> {
        self.store.event_input(id).await
    }

    async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        self.store.job(id).await
    }

    async fn run(&self, id: RunId) -> Result<Run, StoreError> {
        self.store.run(id).await
    }

    async fn events(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.store.events(page).await
    }

    async fn total(&self, listed: Listed) -> Result<Total, StoreError> {
        self.store.total(listed).await
    }

    async fn begin_request(&self, key: RequestKey, request: [u8; 32], now: Timestamp) -> Result<Begun, StoreError> {
        self.store.begin_request(key, request, now).await
    }

    async fn end_request(&self, key: RequestKey, answer: Option<KeptAnswer>) -> Result<(), StoreError> {
        self.store.end_request(key, answer).await
    }

    async fn runs(&self, page: PageRequest<RunId>, filter: RunFilter) -> Result<RunPage, StoreError> {
        self.store.runs(page, filter).await
    }

    fn waiting_of(&self, handler: &HandlerRef) -> u64 {
        self.store.waiting_of(handler)
    }

    fn access(&self) -> Arc<AccessRows> {
        self.store.access()
    }

    async fn change_access(&self, change: AccessChange) -> Result<bool, StoreError> {
        self.through(self.store.change_access(change)).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        self.through(self.store.audit(entry)).await
    }

    async fn audit_outcome(&self, number: u64, outcome: AuditOutcome) -> Result<(), StoreError> {
        self.through(self.store.audit_outcome(number, outcome)).await
    }

    async fn audited(&self, page: PageRequest<u64>, filter: AuditFilter) -> Result<AuditPage, StoreError> {
        self.store.audited(page, filter).await
    }

    async fn searches(&self) -> Result<Vec<Search>, StoreError> {
        self.store.searches().await
    }

    async fn keep_search(&self, search: Search) -> Result<(), StoreError> {
        self.through(self.store.keep_search(search)).await
    }

    async fn drop_search(&self, name: &str) -> Result<bool, StoreError> {
        self.through(self.store.drop_search(name)).await
    }

    fn counts(&self) -> Counts {
        self.store.counts()
    }

    async fn prune(&self, now: Timestamp, retention: Retention) -> Result<Pruned, StoreError> {
        self.through(self.store.prune(now, retention)).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.through(self.store.snapshot()).await
    }

    fn signals(&self) -> &Signals {
        self.store.signals()
    }

    fn failure(&self) -> Option<String> {
        self.disk_fails.load(Ordering::SeqCst).then(|| "the disk is full".to_owned())
    }
}
