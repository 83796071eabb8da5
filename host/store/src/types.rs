//! What goes into the store and comes out of it.

mod access;
mod looking;
mod requests;

use std::collections::HashMap;
use std::sync::Arc;

use hookbox_core::attempt::{Cost, Log, Requests};
use hookbox_core::clock::Monotonic;
pub use hookbox_core::config::Retention;
use hookbox_core::denial::Denied;
use hookbox_core::effects::{KvRead, KvScan, KvWrite};
use hookbox_core::event::{Event, Job};
use hookbox_core::gate::Gate;
use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::{HandlerRef, PluginName, ScheduleName};
use hookbox_core::plugin::Digest;
use hookbox_core::policy::Terms;
use hookbox_core::queue::Room;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, Lease, Run, RunEvent, WorkKind};
use hookbox_core::schedule::{Basis, Pause, SlotDecision, SlotRecord};
use hookbox_core::time::Timestamp;

pub use access::{AccessChange, AuditFilter, AuditPage, Audited};
pub(crate) use looking::any;
pub use looking::{Excluded, Listed, Order, PageRequest, RunFilter, SEARCH_NAME_BYTES_MAX, Search, Total};
pub use requests::{Begun, KEPT_REQUESTS_MAX, KeptAnswer, REQUEST_KEPT_FOR, RequestKey};

/// A dedupe key: an event that carries one of an unexpired earlier event is its duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DedupeMark {
    pub hash: [u8; 32],
    pub until: Timestamp,
}

/// An event to take in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub event: Event,
    pub dedupe: Vec<DedupeMark>,
    /// Tells whether a duplicate has the same body.
    pub fingerprint: [u8; 16],
    /// One for each handler that the event reaches; none: it is kept as unrouted.
    pub runs: Vec<NewRun>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    pub id: RunId,
    pub target: HandlerRef,
    /// The run is a dead letter from the start.
    pub dead: Option<DeadCause>,
    /// The run whose attempt asked for it.
    pub made_by: Option<RunId>,
    pub terms: Terms,
}

/// A job to take in, with its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub job: Job,
    /// Where it is unique and a run with its key is alive, the job is left out.
    pub run: NewRun,
    pub due: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    New(EventId),
    Duplicate { first: EventId, same_body: bool },
}

/// Which runs to lease.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Handlers that can be executed.
    pub handlers: Arc<[Claimable]>,
    pub limit: usize,
    /// Of the runs of one plugin: what one cannot take is left to others.
    pub per_plugin_max: usize,
    pub boot: BootId,
    pub now: Timestamp,
    /// The lease is lost unless it is renewed before.
    pub until: Monotonic,
}

/// A handler that can be executed, and how many of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    pub handler: HandlerRef,
    /// What it takes; nothing: whatever waits for it.
    pub takes: Option<WorkKind>,
    /// Runs that it is handed in one turn.
    pub weight: usize,
    /// Runs that it is handed by one claim.
    pub at_most: usize,
    /// Of its runs, leased at one time.
    pub concurrency: Option<u32>,
}

impl Claimable {
    /// Without limits of its own.
    pub fn new(handler: HandlerRef) -> Claimable {
        Claimable { handler, takes: None, weight: 1, at_most: usize::MAX, concurrency: None }
    }

    /// With no more than so many by one claim.
    #[must_use]
    pub fn with_at_most(self, most: usize) -> Claimable {
        Claimable { at_most: self.at_most.min(most), ..self }
    }
}

/// An attempt that was stopped because its run was cancelled.
#[derive(Debug, Clone)]
pub struct StoppedAttempt {
    pub run: RunId,
    pub lease: Lease,
    /// Until then.
    pub log: Log,
    pub cost: Cost,
    pub requests: Requests,
    pub denied: Vec<Denied>,
    pub version: Option<Digest>,
}

/// Which of some runs are cancelled, by the state that they are in when it is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellable {
    Alive,
    Pending,
    Leased,
}

/// A run and the lease that it has, or had.
pub type Leased = (RunId, Lease);

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Record {
    pub run: RunId,
    pub lease: Lease,
    pub event: RunEvent,
    /// Only with a success.
    pub changes: Option<Changes>,
    pub now: Timestamp,
}

/// The effects of an attempt, with everything that the host adds to them.
#[derive(Debug, Clone)]
pub struct Changes {
    pub plugin: PluginName,
    pub reads: Vec<KvRead>,
    pub scans: Vec<KvScan>,
    pub writes: Vec<KvWrite>,
    pub kv_bytes_max: u64,
    /// Where they make several runs.
    pub room: Room,
    pub jobs: Vec<NewJob>,
    pub events: Vec<NewEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    Done,
    /// Something the attempt read was changed meanwhile: nothing was written, the lease still holds.
    Conflict,
    /// The effects cannot be committed, now or later, and why. Nothing was written, the lease still holds.
    Refused(String),
    /// They make several runs, and as many wait as may, or of one of their handlers: nothing was written, the lease still
    /// holds.
    QueueFull,
    /// The lease is no longer the attempt's: nothing was written.
    Stale,
}

/// A run to make of the same work as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    pub run: RunId,
    /// The one that is made.
    pub new: RunId,
    /// In place of the payload. Another payload is other work: the run has an idempotency key of its own.
    pub edited: Option<Edited>,
}

impl Replay {
    /// With the same payload.
    pub fn new(run: RunId, new: RunId) -> Replay {
        Replay { run, new, edited: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    pub content_type: String,
    pub data: Vec<u8>,
    /// As the payload has it.
    pub gate: Option<Gate>,
}

/// Whether runs that were replayed before are replayed once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Yes,
    No,
}

/// What became of many runs at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Those that were made.
    pub made: Vec<RunId>,
    /// Runs that are not finished, are gone, have lost their payload or were replayed before.
    pub left_out: usize,
}

/// Which leases count as lost.
#[derive(Debug, Clone)]
pub struct Rescue {
    pub boot: BootId,
    pub now: Timestamp,
    pub monotonic: Monotonic,
    pub limit: usize,
    /// Attempts that a run has at most, by handler; [`hookbox_core::retry::ATTEMPTS`] where the handler is not known.
    pub attempts_max: HashMap<HandlerRef, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub handler: HandlerRef,
    /// Events and jobs of one handler are told apart.
    pub kind: WorkKind,
    pub runs: usize,
    /// The earliest time at which one of them can begin; nothing where each waits for another that is executed.
    pub due: Option<Timestamp>,
}

/// The verdicts on some slots of one schedule.
#[derive(Debug, Clone)]
pub struct Firing {
    pub schedule: ScheduleName,
    pub basis: Basis,
    pub decision: SlotDecision,
    /// A job for each slot that fires.
    pub jobs: Vec<NewJob>,
    /// For those of a schedule that lets its runs overlap.
    pub room: Room,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// The verdicts, in the order of the slots.
    Decided(Vec<SlotRecord>),
    /// Somebody else decided these slots, or the schedule is gone, paused or was changed.
    Stale,
}

/// What an operator does to a schedule that stays what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleChange {
    Pause(Pause),
    /// Slots that came meanwhile are not made up for.
    Resume,
    /// Its slots begin anew now, be that before the last decided one: for a clock that was wrong.
    Reset,
}

/// How many schedules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScheduleCounts {
    pub active: u64,
    /// By whomever.
    pub paused: u64,
    /// They have come to their bounds.
    pub ended: u64,
    /// They have not, and yet no slot will come.
    pub dry: u64,
    /// Those of all that somebody should look at, by [`Reason::ALL`](hookbox_core::schedule::Reason::ALL).
    pub attention: [u64; 4],
}

impl ScheduleCounts {
    pub fn all(&self) -> u64 {
        self.active + self.paused + self.ended + self.dry
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvPage {
    pub prefix: String,
    pub after: Option<String>,
    pub limit: usize,
}

/// An event and the runs it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    pub event: Event,
    /// Length of the body; in pages the body itself is left out.
    pub data_bytes: u64,
    pub runs: Vec<RunId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<EventRecord>,
    /// There may be more before this one.
    pub next: Option<EventId>,
}

/// A delivery that was the duplicate of an event, as it came first with this body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// What it would be if it were released.
    pub event: Event,
    /// Length of the body; in pages the body itself is left out.
    pub data_bytes: u64,
    /// What it repeats.
    pub first: EventId,
    pub same_body: bool,
    /// How often it came with this body.
    pub times: u64,
    /// When it came last.
    pub last: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressedPage {
    pub items: Vec<Suppressed>,
    /// There may be more before this one.
    pub next: Option<EventId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    pub runs: Vec<Run>,
    pub next: Option<RunId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    pub runs: u64,
    /// Of those: dead letters, which nobody has looked at.
    pub dead: u64,
    pub events: u64,
    /// Duplicates that were kept.
    pub suppressed: u64,
    pub kv_keys: u64,
    /// Entries of the audit log.
    pub audited: u64,
    /// There may be more to prune.
    pub more: bool,
}
