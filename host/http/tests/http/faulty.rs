//! A store whose disk is gone: it answers questions and takes nothing in, or webhooks as it is told to.

use std::sync::atomic::{AtomicUsize, Ordering};
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
use hookbox_core::schedule::{Reason, Schedule, ScheduleRow};
use hookbox_core::time::Timestamp;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::*;
use hookbox_store::{Catalogue, CommandAnswer, Counts, PluginCommand, PluginRow, Signals, Snapshot, Store, StoreError};
use tokio::sync::Semaphore;

pub(crate) struct Faulty {
    inner: MemoryStore,
    error: StoreError,
    webhooks: Mutex<Webhooks>,
    /// A claim that comes just after runs were listed.
    overtakes: Mutex<Option<Claim>>,
    /// How often runs can be cancelled.
    cancels: AtomicUsize,
}

/// What it does with webhooks.
#[derive(Debug, Clone, Default)]
pub(crate) enum Webhooks {
    #[default]
    Fail,
    Panic,
    /// Each waits until there is a permit for it.
    Wait(Arc<Semaphore>),
    Work,
}

impl Faulty {
    pub(crate) fn with(error: StoreError) -> Faulty {
        let (webhooks, overtakes, cancels) = (Mutex::default(), Mutex::default(), AtomicUsize::new(usize::MAX));
        Faulty { inner: MemoryStore::new().unwrap(), error, webhooks, overtakes, cancels }
    }

    /// What has no faults.
    pub(crate) fn inner(&self) -> &MemoryStore {
        &self.inner
    }

    /// Runs are listed and cancelled, and between the two this claim is made.
    pub(crate) fn overtaken_by(&self, claim: Claim) {
        *self.overtakes.lock().unwrap() = Some(claim);
    }

    pub(crate) fn cancels(&self, times: usize) {
        self.cancels.store(times, Ordering::SeqCst);
    }

    pub(crate) fn webhooks(&self, webhooks: Webhooks) {
        *self.webhooks.lock().unwrap() = webhooks;
    }

    fn works(&self) -> bool {
        matches!(*self.webhooks.lock().unwrap(), Webhooks::Work)
    }

    fn fail<T>(&self) -> Result<T, StoreError> {
        Err(self.error.clone())
    }
}

#[async_trait]
impl Store for Faulty {
    async fn accept(&self, _: NewEvent) -> Result<Accepted, StoreError> {
        self.fail()
    }
    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let webhooks = self.webhooks.lock().unwrap().clone();
        match webhooks {
            Webhooks::Fail => return self.fail(),
            Webhooks::Panic => panic!("as it was told to"),
            Webhooks::Wait(permits) => permits.acquire().await.unwrap().forget(),
            Webhooks::Work => {}
        }
        self.inner.accept_all(events).await
    }

    async fn release(&self, _: EventId, _: Vec<NewRun>, _: Timestamp) -> Result<(), StoreError> {
        self.fail()
    }

    async fn suppressed(&self, _: PageRequest<EventId>) -> Result<SuppressedPage, StoreError> {
        self.fail()
    }

    async fn suppressed_one(&self, _: EventId) -> Result<Suppressed, StoreError> {
        self.fail()
    }

    async fn enqueue(&self, _: NewJob) -> Result<RunId, StoreError> {
        self.fail()
    }
    async fn enqueue_all(&self, _: Vec<NewJob>, _: Timestamp) -> Result<Vec<RunId>, StoreError> {
        self.fail()
    }
    async fn replay(&self, _: Replay, _: Timestamp) -> Result<RunId, StoreError> {
        self.fail()
    }
    async fn replay_all(&self, _: Vec<(RunId, RunId)>, _: Again, _: Timestamp) -> Result<Replayed, StoreError> {
        self.fail()
    }
    async fn cancel(
        &self,
        runs: Vec<RunId>,
        which: Cancellable,
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        match self.cancels.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1)) {
            Ok(_) => self.inner.cancel(runs, which, cause, now).await,
            Err(_) => self.fail(),
        }
    }
    async fn expire(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        self.fail()
    }
    async fn hold(&self, _: Held, _: Option<Hold>) -> Result<bool, StoreError> {
        self.fail()
    }
    fn holds(&self) -> Arc<Holds> {
        self.inner.holds()
    }
    async fn route(&self, _: EventId, _: Vec<NewRun>, _: Timestamp) -> Result<(), StoreError> {
        self.fail()
    }
    async fn unrouted(&self, _: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.fail()
    }
    async fn oldest_unrouted(&self, _: Option<EventId>, _: usize) -> Result<Vec<EventId>, StoreError> {
        self.fail()
    }
    async fn claim(&self, _: Claim) -> Result<Vec<Run>, StoreError> {
        self.fail()
    }
    async fn renew(&self, _: &[Leased], _: Monotonic) -> Result<Vec<Leased>, StoreError> {
        self.fail()
    }
    async fn record(&self, _: Record) -> Result<Recorded, StoreError> {
        self.fail()
    }
    async fn note_cancelled(&self, _: StoppedAttempt) -> Result<bool, StoreError> {
        self.fail()
    }
    async fn rescue(&self, _: Rescue) -> Result<Vec<Run>, StoreError> {
        self.fail()
    }
    async fn abandon(&self, _: HandlerRef, _: Option<WorkKind>, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        self.fail()
    }
    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        self.fail()
    }
    async fn next_due(&self, _: &[Claimable]) -> Result<Option<Timestamp>, StoreError> {
        self.fail()
    }
    async fn begin_boot(&self) -> Result<BootId, StoreError> {
        self.fail()
    }
    async fn declare_schedules(&self, _: Vec<Schedule>, _: Timestamp) -> Result<(), StoreError> {
        self.fail()
    }
    async fn put_schedule(&self, _: Schedule, _: Timestamp) -> Result<ScheduleRow, StoreError> {
        self.fail()
    }
    async fn preview_schedule(&self, _: Schedule, _: Timestamp) -> Result<ScheduleRow, StoreError> {
        self.fail()
    }
    async fn remove_schedule(&self, _: &ScheduleName, _: Timestamp) -> Result<(), StoreError> {
        self.fail()
    }
    async fn change_schedule(
        &self,
        _: &ScheduleName,
        _: ScheduleChange,
        _: Timestamp,
    ) -> Result<ScheduleRow, StoreError> {
        self.fail()
    }
    async fn schedules(&self, _: Option<&ScheduleName>, _: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        self.fail()
    }
    async fn due_schedules(&self, _: Timestamp, _: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        self.fail()
    }
    async fn next_slot(&self) -> Result<Option<Timestamp>, StoreError> {
        self.fail()
    }
    async fn schedule(&self, _: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.fail()
    }
    async fn denials(&self, _: &PluginName) -> Result<Vec<Denial>, StoreError> {
        self.fail()
    }
    async fn fire(&self, _: Firing) -> Result<Fired, StoreError> {
        self.fail()
    }
    async fn command_plugin(&self, _: &PluginName, _: PluginCommand) -> Result<bool, StoreError> {
        self.fail()
    }
    async fn answer_plugin(&self, _: &PluginName, _: Timestamp, _: CommandAnswer) -> Result<(), StoreError> {
        self.fail()
    }
    async fn retire_plugin(&self, _: &PluginName, _: Timestamp) -> Result<bool, StoreError> {
        self.fail()
    }

    async fn put_plugin(&self, _: PluginRow) -> Result<(), StoreError> {
        self.fail()
    }
    fn catalogue(&self) -> Arc<Catalogue> {
        self.inner.catalogue()
    }
    async fn kv_get(&self, _: &PluginName, _: &str, _: Timestamp) -> Result<Option<KvEntry>, StoreError> {
        self.fail()
    }
    async fn kv_list(&self, _: &PluginName, _: KvPage, _: Timestamp) -> Result<Vec<String>, StoreError> {
        self.fail()
    }
    async fn kv_used(&self, _: &PluginName) -> Result<u64, StoreError> {
        self.fail()
    }
    async fn event(&self, _: EventId) -> Result<EventRecord, StoreError> {
        self.fail()
    }
    async fn event_input(&self, _: EventId) -> Result<Event, StoreError> {
        self.fail()
    }
    async fn job(&self, _: JobId) -> Result<Job, StoreError> {
        self.fail()
    }
    async fn run(&self, _: RunId) -> Result<Run, StoreError> {
        self.fail()
    }
    async fn searches(&self) -> Result<Vec<Search>, StoreError> {
        self.fail()
    }
    async fn keep_search(&self, _: Search) -> Result<(), StoreError> {
        self.fail()
    }
    async fn drop_search(&self, _: &str) -> Result<bool, StoreError> {
        self.fail()
    }
    async fn events(&self, _: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.fail()
    }
    async fn runs(&self, page: PageRequest<RunId>, filter: RunFilter) -> Result<RunPage, StoreError> {
        let Some(claim) = self.overtakes.lock().unwrap().take() else { return self.fail() };
        let listed = self.inner.runs(page, filter).await;
        self.inner.claim(claim).await?;
        listed
    }
    fn schedule_counts(&self, now: Timestamp) -> ScheduleCounts {
        self.inner.schedule_counts(now)
    }
    fn schedules_to_look_at(&self, reason: Reason, now: Timestamp, limit: usize) -> Vec<ScheduleName> {
        self.inner.schedules_to_look_at(reason, now, limit)
    }
    fn waiting_of(&self, handler: &HandlerRef) -> u64 {
        self.inner.waiting_of(handler)
    }

    fn access(&self) -> Arc<AccessRows> {
        self.inner.access()
    }
    async fn change_access(&self, _: AccessChange) -> Result<bool, StoreError> {
        self.fail()
    }
    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        match self.works() {
            true => self.inner.audit(entry).await,
            false => self.fail(),
        }
    }
    async fn audit_outcome(&self, number: u64, outcome: AuditOutcome) -> Result<(), StoreError> {
        self.inner.audit_outcome(number, outcome).await
    }
    async fn audited(&self, _: PageRequest<u64>, _: AuditFilter) -> Result<AuditPage, StoreError> {
        self.fail()
    }
    fn counts(&self) -> Counts {
        self.inner.counts()
    }
    async fn prune(&self, _: Timestamp, _: Retention) -> Result<Pruned, StoreError> {
        self.fail()
    }
    async fn total(&self, _: Listed) -> Result<Total, StoreError> {
        self.fail()
    }
    async fn begin_request(&self, key: RequestKey, of: [u8; 32], now: Timestamp) -> Result<Begun, StoreError> {
        match self.works() {
            true => self.inner.begin_request(key, of, now).await,
            false => self.fail(),
        }
    }
    async fn end_request(&self, key: RequestKey, answer: Option<KeptAnswer>) -> Result<(), StoreError> {
        match self.works() {
            true => self.inner.end_request(key, answer).await,
            false => self.fail(),
        }
    }
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.fail()
    }
    fn signals(&self) -> &Signals {
        self.inner.signals()
    }
    fn failure(&self) -> Option<String> {
        Some(self.error.to_string())
    }
}
