//! The one implementation of [`Store`], over whatever keeps the tree.

mod declare;
mod ledgered;
mod state;

use std::sync::Arc;

use async_trait::async_trait;
use hookbox_core::access::{AccessRows, AuditEntry, AuditOutcome};
use hookbox_core::clock::Monotonic;
use hookbox_core::denial::{Denial, Denials};
use hookbox_core::effects::KvEntry;
use hookbox_core::event::{Event, Job};
use hookbox_core::hold::{Held, Hold, Holds};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerRef, PluginName, ScheduleName};
use hookbox_core::run::{BootId, CancelCause, Run, WorkKind};
use hookbox_core::schedule::{Reason, Schedule, ScheduleRow};
use hookbox_core::time::Timestamp;

use crate::catalogue::{Catalogue, CommandAnswer, PluginCommand, PluginRow};
use crate::commits::Commits;
use crate::counts::Counts;
use crate::error::StoreError;
use crate::ledger::{self, Ending};
use crate::snapshot::Snapshot;
use crate::total;
use crate::types::{
    Accepted, AccessChange, Again, AuditFilter, AuditPage, Begun, Cancellable, Claim, Claimable, EventPage,
    EventRecord, Fired, Firing, KeptAnswer, KvPage, Leased, Listed, NewEvent, NewJob, NewRun, PageRequest, Pruned,
    Record, Recorded, Replay, Replayed, RequestKey, Rescue, Retention, RunFilter, RunPage, ScheduleChange,
    ScheduleCounts, Search, StoppedAttempt, Suppressed, SuppressedPage, Total, Waiting,
};
use crate::{Signals, Store, audit, query, snapshot, suppressed, unrouted};
pub(crate) use ledgered::Ledgered;
pub(crate) use ledgered::{Backend, Change};
pub(crate) use state::{Grouped, Sight, State, locked};

#[async_trait]
impl<B: Backend> Store for Ledgered<B> {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, StoreError> {
        self.change(|ledger| ledger.accept(event)).await
    }

    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        self.change(|ledger| events.into_iter().map(|event| ledger.accept(event)).collect()).await
    }

    async fn release(&self, id: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.release(id, runs, now)).await
    }

    async fn enqueue(&self, job: NewJob) -> Result<RunId, StoreError> {
        self.change(|ledger| {
            let now = job.job.scheduled_at;
            ledger.enqueue(job, now)
        })
        .await
    }

    async fn enqueue_all(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        self.change(move |ledger| ledger.enqueue_all(jobs, now)).await
    }

    async fn replay(&self, replay: Replay, now: Timestamp) -> Result<RunId, StoreError> {
        self.change(move |ledger| ledger.replay(replay, now)).await
    }

    async fn replay_all(
        &self,
        runs: Vec<(RunId, RunId)>,
        again: Again,
        now: Timestamp,
    ) -> Result<Replayed, StoreError> {
        self.change(move |ledger| ledger.replay_all(runs, again, now)).await
    }

    async fn cancel(
        &self,
        runs: Vec<RunId>,
        which: Cancellable,
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        self.change(move |ledger| ledger.cancel_those(&runs, which, cause, now)).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        if locked(&self.backend.state().index).expired(now, 1).is_empty() {
            return Ok(0);
        }
        self.change(move |ledger| ledger.expire(now, limit)).await
    }

    async fn hold(&self, held: Held, hold: Option<Hold>) -> Result<bool, StoreError> {
        self.change(move |ledger| ledger.hold(held, hold)).await
    }

    fn holds(&self) -> Arc<Holds> {
        self.backend.state().holds.load_full()
    }

    async fn route(&self, event: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.route(event, runs, now)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Run>, StoreError> {
        self.change(move |ledger| ledger.claim(&claim)).await
    }

    async fn renew(&self, leases: &[Leased], until: Monotonic) -> Result<Vec<Leased>, StoreError> {
        // One host has the tree to itself: only its own clock judges the leases, so nothing need be on disk.
        let mut index = locked(&self.backend.state().index);
        Ok(leases.iter().copied().filter(|(run, lease)| index.renew(*run, *lease, until)).collect())
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        self.change(|ledger| ledger.record(record)).await
    }

    async fn note_cancelled(&self, stopped: StoppedAttempt) -> Result<bool, StoreError> {
        self.change(|ledger| ledger.note_cancelled(stopped)).await
    }

    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Run>, StoreError> {
        self.change(move |ledger| ledger.rescue(rescue)).await
    }

    async fn abandon(
        &self,
        handler: HandlerRef,
        kind: Option<WorkKind>,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.change(move |ledger| ledger.abandon(&handler, kind, now, limit)).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        Ok(locked(&self.backend.state().index).waiting())
    }

    fn waiting_of(&self, handler: &HandlerRef) -> u64 {
        locked(&self.backend.state().index).pending_of(handler)
    }

    async fn next_due(&self, handlers: &[Claimable]) -> Result<Option<Timestamp>, StoreError> {
        Ok(locked(&self.backend.state().index).next_due(handlers))
    }

    async fn begin_boot(&self) -> Result<BootId, StoreError> {
        self.change(|ledger| ledger.begin_boot()).await
    }

    async fn declare_schedules(&self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        declare::declare(self, declared, now).await
    }

    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        declare::close(self, &schedule.name, Ending::Put(Box::new(schedule.clone())), now).await?;
        self.change(move |ledger| ledger.put_schedule(schedule, now)).await
    }

    async fn preview_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        self.read(|tree| ledger::preview_schedule(tree, schedule, now)).await
    }

    async fn remove_schedule(&self, name: &ScheduleName, now: Timestamp) -> Result<(), StoreError> {
        declare::close(self, name, Ending::Removed, now).await?;
        let name = name.clone();
        self.change(move |ledger| ledger.remove_schedule(&name, now)).await
    }

    async fn change_schedule(
        &self,
        name: &ScheduleName,
        change: ScheduleChange,
        now: Timestamp,
    ) -> Result<ScheduleRow, StoreError> {
        if matches!(change, ScheduleChange::Reset) {
            declare::close(self, name, Ending::Reset, now).await?;
        }
        let name = name.clone();
        self.change(move |ledger| ledger.change_schedule(&name, change, now)).await
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read(|tree| query::schedules(tree, after, limit)).await
    }

    async fn due_schedules(&self, now: Timestamp, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        let names = locked(&self.backend.state().schedules).due(now, limit);
        self.read(|tree| {
            let rows = names.iter().map(|name| query::schedule(tree, name));
            // One that is gone by now is not due.
            rows.filter(|row| !matches!(row, Err(StoreError::NotFound(_)))).collect()
        })
        .await
    }

    async fn next_slot(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(locked(&self.backend.state().schedules).next())
    }

    fn schedule_counts(&self, now: Timestamp) -> ScheduleCounts {
        locked(&self.backend.state().schedules).counts(now)
    }

    fn schedules_to_look_at(&self, reason: Reason, now: Timestamp, limit: usize) -> Vec<ScheduleName> {
        locked(&self.backend.state().schedules).to_look_at(reason, now, limit)
    }

    async fn schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.read(|tree| query::schedule(tree, name)).await
    }

    async fn denials(&self, plugin: &PluginName) -> Result<Vec<Denial>, StoreError> {
        self.read(|tree| query::denials(tree, plugin)).await.map(Denials::into_vec)
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

    async fn command_plugin(&self, name: &PluginName, command: PluginCommand) -> Result<bool, StoreError> {
        let name = name.clone();
        self.change(move |ledger| ledger.command_plugin(name, command)).await
    }

    async fn answer_plugin(
        &self,
        name: &PluginName,
        asked: Timestamp,
        answer: CommandAnswer,
    ) -> Result<(), StoreError> {
        let name = name.clone();
        self.change(move |ledger| ledger.answer_plugin(name, asked, answer)).await
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        self.backend.state().catalogue.load_full()
    }

    async fn kv_get(&self, plugin: &PluginName, key: &str, now: Timestamp) -> Result<Option<KvEntry>, StoreError> {
        let row = self.peek(|tree| query::kv_row(tree, plugin, key, now))?;
        Ok(row.map(|row| KvEntry { value: row.value, version: row.version }))
    }

    async fn kv_list(&self, plugin: &PluginName, page: KvPage, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.peek(|tree| query::kv_list(tree, plugin, &page, now))
    }

    async fn kv_used(&self, plugin: &PluginName) -> Result<u64, StoreError> {
        self.peek(|tree| query::kv_used(tree, plugin))
    }

    async fn event(&self, id: EventId) -> Result<EventRecord, StoreError> {
        self.read(|tree| query::event(tree, id)).await
    }

    async fn event_input(&self, id: EventId) -> Result<Event, StoreError> {
        self.peek(|tree| query::event_input(tree, id))
    }

    async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        self.peek(|tree| query::job(tree, id))
    }

    async fn run(&self, id: RunId) -> Result<Run, StoreError> {
        self.read(|tree| query::run(tree, id)).await
    }

    async fn events(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.read(|tree| query::events(tree, page)).await
    }

    async fn unrouted(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
        self.read(|tree| unrouted::page(tree, page)).await
    }

    async fn suppressed(&self, page: PageRequest<EventId>) -> Result<SuppressedPage, StoreError> {
        self.read(|tree| suppressed::page(tree, page)).await
    }

    async fn suppressed_one(&self, id: EventId) -> Result<Suppressed, StoreError> {
        self.read(|tree| suppressed::one(tree, id)).await
    }

    async fn oldest_unrouted(&self, after: Option<EventId>, limit: usize) -> Result<Vec<EventId>, StoreError> {
        self.read(|tree| unrouted::oldest(tree, after, limit)).await
    }

    async fn runs(&self, page: PageRequest<RunId>, filter: RunFilter) -> Result<RunPage, StoreError> {
        self.read(|tree| query::runs(tree, page, &filter)).await
    }

    async fn total(&self, listed: Listed) -> Result<Total, StoreError> {
        let counts = self.counts();
        self.read(|tree| total::total(tree, &counts, listed)).await
    }

    async fn begin_request(&self, key: RequestKey, request: [u8; 32], now: Timestamp) -> Result<Begun, StoreError> {
        self.change(move |ledger| ledger.begin_request(key, request, now)).await
    }

    async fn end_request(&self, key: RequestKey, answer: Option<KeptAnswer>) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.end_request(key, answer)).await
    }

    fn commits(&self) -> Commits {
        self.backend.state().commits.read()
    }

    fn access(&self) -> Arc<AccessRows> {
        self.backend.state().access.load_full()
    }

    async fn change_access(&self, change: AccessChange) -> Result<bool, StoreError> {
        self.change(move |ledger| ledger.change_access(change)).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError> {
        self.change(move |ledger| ledger.audit(&entry)).await
    }

    async fn audit_outcome(&self, number: u64, outcome: AuditOutcome) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.audit_outcome(number, outcome)).await
    }

    async fn audited(&self, page: PageRequest<u64>, filter: AuditFilter) -> Result<AuditPage, StoreError> {
        self.read(|tree| audit::page(tree, page, &filter)).await
    }

    async fn searches(&self) -> Result<Vec<Search>, StoreError> {
        self.read(|tree| query::searches(tree)).await
    }

    async fn keep_search(&self, search: Search) -> Result<(), StoreError> {
        self.change(move |ledger| ledger.keep_search(&search)).await
    }

    async fn drop_search(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.change(move |ledger| ledger.drop_search(&name)).await
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

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        snapshot::of(self.backend.clone(), |begin| self.change(|_| begin())).await
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
