//! Where everything durable lives: events, runs, schedules, plugins and the
//! plugins' own keys, behind the trait [`Store`].
//!
//! Two implementations share one ledger. Every change is a function that runs
//! on the ledger (the tree and the changes of the open group), checks its
//! conditions and writes; [`memory::MemoryStore`] keeps the tree in a map,
//! [`embedded::SledStore`] in sled with one commit thread: a group of changes,
//! one batch, one flush and sync, then all answers.
//!
//! Invariant: no key, row or stored form leaves this crate, and what a method
//! of [`Store`] has returned survives a power cut. The exception is what an
//! attempt reads while it runs (`kv_get`, `kv_list`, `kv_used`, `event_input`,
//! `job`): it waits for no sync, and its record is on disk after what it read or
//! not at all.

pub mod backup;
pub mod catalogue;
pub mod doctor;
pub mod embedded;
pub mod feed;
pub mod memory;
pub mod owner;
pub mod types;

mod aside;
mod audit;
mod codec;
mod commits;
mod counts;
mod due;
mod durable;
mod error;
mod index;
mod keys;
mod ledger;
mod new_work;
mod overlay;
mod query;
mod shared;
mod snapshot;
mod suppressed;
mod total;
mod unrouted;
mod values;

use std::sync::Arc;

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
use tokio::sync::Notify;

pub use crate::catalogue::{Catalogue, CommandAnswer, PluginCommand, PluginRow};
pub use crate::commits::Commits;
pub use crate::counts::Counts;
pub use crate::error::StoreError;
pub use crate::snapshot::Snapshot;
use crate::types::{
    Accepted, AccessChange, Again, AuditFilter, AuditPage, Begun, Cancellable, Claim, Claimable, EventPage,
    EventRecord, Fired, Firing, KeptAnswer, KvPage, Leased, Listed, NewEvent, NewJob, NewRun, PageRequest, Pruned,
    Record, Recorded, Replay, Replayed, RequestKey, Rescue, Retention, RunFilter, RunPage, ScheduleChange,
    ScheduleCounts, Search, StoppedAttempt, Suppressed, SuppressedPage, Total, Waiting,
};

/// What hookbox keeps. Every method that changes something returns after the change is on disk; on
/// [`StoreError::Unavailable`] nothing is promised to be written, and the caller's own caller should try again. A
/// method that shows events, runs or schedules waits until what it shows is on disk. While the disk fails, all of them
/// are `Unavailable` but those that look at memory only (`renew`, `waiting`, `waiting_of`, `next_due`, `catalogue`,
/// `counts`, `schedule_counts`, `schedules_to_look_at`).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Takes an event in: its dedupe keys, itself, and one run per handler, all or nothing. A duplicate makes no run:
    /// it is counted, listed as suppressed, and gives the id of the first, which is durable.
    async fn accept(&self, event: NewEvent) -> Result<Accepted, StoreError>;

    /// Takes in several events as [`Store::accept`] does, all of them or none. Of two that are the same, the second is
    /// a duplicate.
    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError>;

    /// Takes a suppressed delivery in after all, as an event under the id that it has, with these runs or unrouted.
    /// `NotFound` where there is none (any more), `Conflict` where its body has been pruned with the first event.
    async fn release(&self, id: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError>;

    /// Takes in a job that an operator asks for, with its run.
    async fn enqueue(&self, job: NewJob) -> Result<RunId, StoreError>;

    /// Takes in jobs that an operator asks for, each with its run, in one commit; tells the runs that it made. A job is
    /// left out where one of its id is kept, or where its run is unique and another with its key is alive.
    async fn enqueue_all(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<Vec<RunId>, StoreError>;

    /// A new run of the same work, with the same idempotency key unless its payload was edited; the old one stays as it is. `NotFound` where there
    /// is no such run, `Conflict` where it is not finished or its work has been pruned.
    async fn replay(&self, replay: Replay, now: Timestamp) -> Result<RunId, StoreError>;

    /// Replays those of these runs, each with the id of the one to make, that can be, in one commit.
    async fn replay_all(&self, runs: Vec<(RunId, RunId)>, again: Again, now: Timestamp)
    -> Result<Replayed, StoreError>;

    /// Takes those of these runs that are alive, and that are `which`, off the queue, in one commit, and tells which they
    /// are. An attempt that is under way is stopped, and what it wanted to write is lost.
    async fn cancel(
        &self,
        runs: Vec<RunId>,
        which: Cancellable,
        cause: CancelCause,
        now: Timestamp,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Cancels pending runs whose time to begin is over, at most `limit`; returns how many.
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Holds or, with nothing, releases. False where that was so already.
    async fn hold(&self, held: Held, hold: Option<Hold>) -> Result<bool, StoreError>;

    /// What is held, as last committed.
    fn holds(&self) -> Arc<Holds>;

    /// Gives an event that has reached no handler these runs, all or nothing. `NotFound` where there is no such event,
    /// `Conflict` where it is routed already or the runs are none: of two who ask at once, one makes runs.
    async fn route(&self, event: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError>;

    /// Leases runs that are due. Only runs whose acceptance is on disk are handed out.
    async fn claim(&self, claim: Claim) -> Result<Vec<Run>, StoreError>;

    /// Keeps the leases of running attempts alive. A lease that is gone is left out of the answer, also
    /// where its run has another by now.
    async fn renew(&self, leases: &[Leased], until: Monotonic) -> Result<Vec<Leased>, StoreError>;

    /// Ends an attempt: its record, the run's state and its effects, in one commit and only if its lease still holds and
    /// there is room for the runs that it makes.
    async fn record(&self, record: Record) -> Result<Recorded, StoreError>;

    /// Keeps what an attempt had logged when it was stopped. False where its run was not cancelled while it was under way,
    /// or that is kept already.
    async fn note_cancelled(&self, stopped: StoppedAttempt) -> Result<bool, StoreError>;

    /// Takes back runs whose lease was lost: given by another boot, or not renewed in time.
    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Run>, StoreError>;

    /// Buries pending runs of a handler that is gone, or those on a kind of work that it takes no longer, at most `limit`;
    /// returns how many.
    async fn abandon(
        &self,
        handler: HandlerRef,
        kind: Option<WorkKind>,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Pending runs by handler and kind of work.
    async fn waiting(&self) -> Result<Vec<Waiting>, StoreError>;

    /// Pending runs of one of them; from memory.
    fn waiting_of(&self, handler: &HandlerRef) -> u64;

    /// When the next pending run of one of these handlers is due, as far as time alone decides it.
    async fn next_due(&self, handlers: &[Claimable]) -> Result<Option<Timestamp>, StoreError>;

    /// A number that no earlier start of this host had.
    async fn begin_boot(&self) -> Result<BootId, StoreError>;

    /// Declares all schedules of plugins and of hooks.yaml anew, one for each name and origin; those that operators made
    /// stay. The first by [`Origin::BY_RANK`](hookbox_core::schedule::Origin::BY_RANK) counts. Those that nobody declares
    /// are removed, those that changed are redefined, the others keep their state. One that comes back within 30 days goes
    /// on from where it was.
    async fn declare_schedules(&self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError>;

    /// Makes or changes a schedule of an operator's. `Conflict` where hooks.yaml has one of the name.
    async fn put_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError>;

    /// What `put_schedule` would make of it; nothing is written.
    async fn preview_schedule(&self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError>;

    /// Takes a schedule of an operator's away; a plugin's of the same name counts again. `Conflict` where no operator has
    /// made it.
    async fn remove_schedule(&self, name: &ScheduleName, now: Timestamp) -> Result<(), StoreError>;

    /// Pauses, resumes or resets a schedule, whoever declared it; that survives a new declaration.
    async fn change_schedule(
        &self,
        name: &ScheduleName,
        change: ScheduleChange,
        now: Timestamp,
    ) -> Result<ScheduleRow, StoreError>;

    /// Schedules after `after` by name, at most `limit`.
    async fn schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<ScheduleRow>, StoreError>;

    /// Schedules with a slot to decide, the earliest first, at most `limit`.
    async fn due_schedules(&self, now: Timestamp, limit: usize) -> Result<Vec<ScheduleRow>, StoreError>;

    /// When the next slot of any schedule is due.
    async fn next_slot(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How many schedules there are, by where they stand at this moment; from memory.
    fn schedule_counts(&self, now: Timestamp) -> ScheduleCounts;

    /// Schedules that somebody should look at for this reason, the first ones by name; from memory.
    fn schedules_to_look_at(&self, reason: Reason, now: Timestamp, limit: usize) -> Vec<ScheduleName>;

    async fn schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError>;

    /// Commits the verdicts on some slots and the jobs of those that fire, if the schedule and its mark are still what the
    /// decision was made from.
    async fn fire(&self, firing: Firing) -> Result<Fired, StoreError>;

    async fn put_plugin(&self, row: PluginRow) -> Result<(), StoreError>;

    /// Takes down the routes of a plugin whose file is gone since `missing_since`. False where it has come back, or was
    /// taken down: nothing was changed.
    async fn retire_plugin(&self, name: &PluginName, missing_since: Timestamp) -> Result<bool, StoreError>;

    /// Keeps what an operator wants of a plugin, for the host to obey. False where the last command for it has no answer
    /// yet: nothing was changed.
    async fn command_plugin(&self, name: &PluginName, command: PluginCommand) -> Result<bool, StoreError>;

    /// What became of the command that was asked for then. Nothing is changed where it has an answer, or is another.
    async fn answer_plugin(&self, name: &PluginName, asked: Timestamp, answer: CommandAnswer)
    -> Result<(), StoreError>;

    /// The plugins, the routes to their handlers and the commands of operators, as last committed.
    fn catalogue(&self) -> Arc<Catalogue>;

    async fn kv_get(&self, plugin: &PluginName, key: &str, now: Timestamp) -> Result<Option<KvEntry>, StoreError>;

    /// Keys after `after` that begin with `prefix`, in order.
    async fn kv_list(&self, plugin: &PluginName, page: KvPage, now: Timestamp) -> Result<Vec<String>, StoreError>;

    /// Bytes that a plugin's keys and values take.
    async fn kv_used(&self, plugin: &PluginName) -> Result<u64, StoreError>;

    /// What a plugin tried and was denied; nothing of one that is not known.
    async fn denials(&self, plugin: &PluginName) -> Result<Vec<Denial>, StoreError>;

    async fn event(&self, id: EventId) -> Result<EventRecord, StoreError>;

    /// The event alone, for execution.
    async fn event_input(&self, id: EventId) -> Result<Event, StoreError>;

    async fn job(&self, id: JobId) -> Result<Job, StoreError>;

    async fn run(&self, id: RunId) -> Result<Run, StoreError>;

    /// Newest first, without bodies.
    async fn events(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError>;

    /// Those of them that have reached no handler.
    async fn unrouted(&self, page: PageRequest<EventId>) -> Result<EventPage, StoreError>;

    /// Duplicates that are kept, newest first, without bodies.
    async fn suppressed(&self, page: PageRequest<EventId>) -> Result<SuppressedPage, StoreError>;

    /// One of them with its body. Fails as [`Store::release`] does.
    async fn suppressed_one(&self, id: EventId) -> Result<Suppressed, StoreError>;

    /// Unrouted events after `after`, oldest first, at most `limit`.
    async fn oldest_unrouted(&self, after: Option<EventId>, limit: usize) -> Result<Vec<EventId>, StoreError>;

    /// Newest first, without logs and results. A filter that fits few runs may need several pages: each reads a bounded
    /// number of bytes, and `next` says where to go on.
    async fn runs(&self, page: PageRequest<RunId>, filter: RunFilter) -> Result<RunPage, StoreError>;

    /// How many of them there are, exactly where that is cheap, and else at least.
    async fn total(&self, listed: Listed) -> Result<Total, StoreError>;

    /// Who is let in, as last committed.
    fn access(&self) -> Arc<AccessRows>;

    /// False where that was so already, or there is nothing of the kind: nothing was changed. `Conflict` where there
    /// are [`TOKENS_MAX`](hookbox_core::access::TOKENS_MAX) tokens.
    async fn change_access(&self, change: AccessChange) -> Result<bool, StoreError>;

    /// Writes down what an operator is about to do; gives the number of the entry.
    async fn audit(&self, entry: AuditEntry) -> Result<u64, StoreError>;

    /// How that ended. An entry that is gone, or has an outcome, is left as it is.
    async fn audit_outcome(&self, number: u64, outcome: AuditOutcome) -> Result<(), StoreError>;

    /// Newest first.
    async fn audited(&self, page: PageRequest<u64>, filter: AuditFilter) -> Result<AuditPage, StoreError>;

    /// Searches that operators keep, by name.
    async fn searches(&self) -> Result<Vec<Search>, StoreError>;

    /// In place of one that has the name. `Conflict` where as many as may be are kept.
    async fn keep_search(&self, search: Search) -> Result<(), StoreError>;

    /// False where there was none of the name.
    async fn drop_search(&self, name: &str) -> Result<bool, StoreError>;

    fn counts(&self) -> Counts;

    /// Keeps that a request with this idempotency key is under way, unless one is or was: then nothing is changed.
    /// `request` is a hash of what it asks for. It is kept for [`REQUEST_KEPT_FOR`](types::REQUEST_KEPT_FOR), and gone
    /// earlier where [`KEPT_REQUESTS_MAX`](types::KEPT_REQUESTS_MAX) came after it.
    async fn begin_request(&self, key: RequestKey, request: [u8; 32], now: Timestamp) -> Result<Begun, StoreError>;

    /// Keeps what it was answered; with nothing, it is as if it had never been asked.
    async fn end_request(&self, key: RequestKey, answer: Option<KeptAnswer>) -> Result<(), StoreError>;
    /// What was written since the start; nothing where nothing is written to a disk.
    fn commits(&self) -> Commits {
        Commits::default()
    }

    /// Removes what is older than it must be kept, a bounded step at a time.
    async fn prune(&self, now: Timestamp, retention: Retention) -> Result<Pruned, StoreError>;

    /// Begins a copy of everything that is kept, as of one commit: for a [`backup::Backup`]. The store works on meanwhile.
    /// `Conflict` while there is another.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Told when there may be something new to do. It carries no data: losing one costs latency, never a run.
    fn signals(&self) -> &Signals;

    /// Why the store takes no changes at this moment, if it takes none. It tries to come back by itself; one that has
    /// given up says so by the signal `failed`.
    fn failure(&self) -> Option<String>;
}

#[derive(Debug, Default)]
pub struct Signals {
    /// A run may be due, or a plugin may have come.
    pub runs: Notify,
    /// Runs that are executed were cancelled: their leases are gone.
    pub leases: Notify,
    /// A schedule was declared or changed.
    pub schedules: Notify,
    /// A plugin's row or command has changed. All who wait at that moment are told; who was about to wait may miss it.
    pub catalogue: Notify,
    /// Runs whose state or record has changed.
    pub changed: feed::Feed,
    /// Runs that had begun, and that something other than an attempt has ended.
    pub cut_short: feed::Feed,
    /// The store failed for good: opened again, it would be damaged.
    pub failed: Notify,
}
