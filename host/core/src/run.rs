//! A run: one event or job for one handler, and the only function that changes its state.

mod own;
mod spent;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, Outcome};
use crate::gate::Gate;
use crate::id::{EventId, JobId, RunId};
use crate::name::{HandlerRef, ScheduleName};
use crate::retry::DeadCause;
use crate::time::Timestamp;

pub use own::RunPolicy;
pub use spent::Spent;

/// A run that was put back so many times counts the next one as an attempt.
pub const DRAINS_MAX: u8 = 20;

/// One start of the host; grows with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BootId(pub u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub target: HandlerRef,
    pub work: Work,
    /// The run that this one replays.
    pub parent: Option<RunId>,
    pub idempotency_key: String,
    pub created: Timestamp,
    pub hops: u8,
    /// The runs that it waits for.
    pub gate: Option<Gate>,
    /// Its place among the runs that wait at their gates; grows with each that is accepted.
    pub sequence: u64,
    /// No attempt begins later.
    pub expires: Option<Timestamp>,
    /// Hash of the key by which it is the only one; kept so that the mark can be taken away with it.
    pub unique: Option<[u8; 32]>,
    /// What comes before the handler's policy: a schedule may have its own.
    pub own: RunPolicy,
    /// The latest replay of it.
    pub replayed: Option<RunId>,
    /// The schedule that it is a firing of.
    pub schedule: Option<ScheduleName>,
    /// The run whose attempt asked for it: for its job, or for the event that it is of.
    pub made_by: Option<RunId>,
    pub state: RunState,
    /// Attempts that have begun.
    pub attempts_begun: u32,
    /// Times it was put back: at a shutdown, without its handler, or for want of room on the queue.
    pub drains: u8,
    /// Attempts that have ended, in order.
    pub attempts: Vec<Attempt>,
    /// Those that were put back, in order; they do not count. At most [`DRAINS_MAX`].
    pub revoked: Vec<Attempt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    Event(EventId),
    Job(JobId),
}

/// What a run works on, whichever it is. A handler takes one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkKind {
    Event,
    Job,
}

impl Work {
    pub fn kind(self) -> WorkKind {
        match self {
            Work::Event(_) => WorkKind::Event,
            Work::Job(_) => WorkKind::Job,
        }
    }
}

impl WorkKind {
    pub fn other(self) -> WorkKind {
        match self {
            WorkKind::Event => WorkKind::Job,
            WorkKind::Job => WorkKind::Event,
        }
    }
}

/// `events`
impl fmt::Display for WorkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WorkKind::Event => "events",
            WorkKind::Job => "jobs",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Waiting until it is due.
    Pending {
        due: Timestamp,
    },
    /// Being executed.
    Leased {
        lease: Lease,
    },
    Succeeded {
        at: Timestamp,
    },
    /// Failed for good; it waits for an operator.
    Dead {
        at: Timestamp,
        cause: DeadCause,
    },
    Cancelled {
        at: Timestamp,
        cause: CancelCause,
    },
}

/// Why a run was taken off the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelCause {
    /// An operator asked for it.
    Operator,
    /// It was not begun in time.
    Expired,
    /// This run with the same key was alive when it was accepted.
    Unique(RunId),
    /// A later slot of its schedule took its place.
    Overlap,
}

impl CancelCause {
    pub fn code(self) -> &'static str {
        match self {
            CancelCause::Operator => "operator",
            CancelCause::Expired => "expired",
            CancelCause::Unique(_) => "unique",
            CancelCause::Overlap => "overlap",
        }
    }
}

/// The right to execute a run, and the fence that keeps a late result of an older right out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub boot: BootId,
    /// The attempt it was given for.
    pub attempt: u32,
    /// Times that the run had been put back: the lease after that is for the same attempt, and another one.
    pub drains: u8,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    Pending,
    Leased,
    Succeeded,
    Dead,
    Cancelled,
}

impl RunStatus {
    pub const ALL: [RunStatus; 5] =
        [RunStatus::Pending, RunStatus::Leased, RunStatus::Succeeded, RunStatus::Dead, RunStatus::Cancelled];

    pub fn code(self) -> &'static str {
        match self {
            RunStatus::Pending => "pending",
            RunStatus::Leased => "leased",
            RunStatus::Succeeded => "succeeded",
            RunStatus::Dead => "dead",
            RunStatus::Cancelled => "cancelled",
        }
    }

    /// A run in such a state never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, RunStatus::Succeeded | RunStatus::Dead | RunStatus::Cancelled)
    }
}

/// What happens to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEvent {
    Claimed {
        boot: BootId,
        at: Timestamp,
    },
    Succeeded {
        attempt: Attempt,
    },
    FailedForNow {
        attempt: Attempt,
        due: Timestamp,
    },
    FailedForGood {
        attempt: Attempt,
        cause: DeadCause,
    },
    /// The host crashed while it ran: the attempt counts, else a handler that kills its host loops for ever.
    LeaseLost {
        at: Timestamp,
        due: Timestamp,
    },
    /// As before, and it was the last attempt.
    LeaseLostForGood {
        at: Timestamp,
    },
    /// It was put back before anything of it was executed: not counted.
    Drained {
        at: Timestamp,
    },
    /// It was put back after it had begun, such as where the host stopped in good order: not counted, and kept.
    Revoked {
        attempt: Attempt,
        due: Timestamp,
    },
    /// Given up without an attempt.
    Abandoned {
        at: Timestamp,
        cause: DeadCause,
    },
    /// Taken off the queue; an attempt that is under way is stopped.
    Cancelled {
        at: Timestamp,
        cause: CancelCause,
    },
}

/// A bug or a late result: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {from} run cannot be {event}")]
pub struct IllegalTransition {
    pub from: &'static str,
    pub event: &'static str,
}

impl RunEvent {
    /// The attempt that ended with it.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            RunEvent::Succeeded { attempt }
            | RunEvent::FailedForNow { attempt, .. }
            | RunEvent::FailedForGood { attempt, .. }
            | RunEvent::Revoked { attempt, .. } => Some(attempt),
            RunEvent::Claimed { .. }
            | RunEvent::LeaseLost { .. }
            | RunEvent::LeaseLostForGood { .. }
            | RunEvent::Drained { .. }
            | RunEvent::Abandoned { .. }
            | RunEvent::Cancelled { .. } => None,
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            RunEvent::Claimed { .. } => "claimed",
            RunEvent::Succeeded { .. } => "succeeded",
            RunEvent::FailedForNow { .. } => "failed for now",
            RunEvent::FailedForGood { .. } => "failed for good",
            RunEvent::LeaseLost { .. } => "lost",
            RunEvent::LeaseLostForGood { .. } => "lost for good",
            RunEvent::Drained { .. } => "drained",
            RunEvent::Revoked { .. } => "revoked",
            RunEvent::Abandoned { .. } => "abandoned",
            RunEvent::Cancelled { .. } => "cancelled",
        }
    }
}

impl Run {
    pub fn status(&self) -> RunStatus {
        match self.state {
            RunState::Pending { .. } => RunStatus::Pending,
            RunState::Leased { .. } => RunStatus::Leased,
            RunState::Succeeded { .. } => RunStatus::Succeeded,
            RunState::Dead { .. } => RunStatus::Dead,
            RunState::Cancelled { .. } => RunStatus::Cancelled,
        }
    }

    pub fn lease(&self) -> Option<Lease> {
        match self.state {
            RunState::Leased { lease } => Some(lease),
            _ => None,
        }
    }

    /// Whether an attempt of it was ever under way, counted or not.
    pub fn has_begun(&self) -> bool {
        self.attempts_begun > 0 || self.drains > 0
    }

    /// When it reached its last state; nothing while it is alive.
    pub fn finished(&self) -> Option<Timestamp> {
        match self.state {
            RunState::Pending { .. } | RunState::Leased { .. } => None,
            RunState::Succeeded { at } | RunState::Dead { at, .. } | RunState::Cancelled { at, .. } => Some(at),
        }
    }

    /// The only place where a state is assigned.
    pub fn apply(mut self, event: RunEvent) -> Result<Run, IllegalTransition> {
        use RunState::{Cancelled, Dead, Leased, Pending, Succeeded};
        let illegal = IllegalTransition { from: self.status().code(), event: event.code() };
        self.state = match (self.state, event) {
            (Pending { .. }, RunEvent::Claimed { boot, at }) => {
                self.attempts_begun += 1;
                Leased { lease: Lease { boot, attempt: self.attempts_begun, drains: self.drains, at } }
            }
            (Pending { .. }, RunEvent::Abandoned { at, cause }) => Dead { at, cause },
            (Pending { .. }, RunEvent::Cancelled { at, cause }) => Cancelled { at, cause },
            (Leased { lease }, RunEvent::Cancelled { at, cause }) => {
                self.attempts.push(unfinished(lease, at, Outcome::Cancelled));
                Cancelled { at, cause }
            }
            (Leased { lease }, RunEvent::Succeeded { attempt }) if attempt.number == lease.attempt => {
                let at = attempt.finished;
                self.attempts.push(attempt);
                Succeeded { at }
            }
            (Leased { lease }, RunEvent::FailedForNow { attempt, due }) if attempt.number == lease.attempt => {
                self.attempts.push(attempt);
                Pending { due }
            }
            (Leased { lease }, RunEvent::FailedForGood { attempt, cause }) if attempt.number == lease.attempt => {
                let at = attempt.finished;
                self.attempts.push(attempt);
                Dead { at, cause }
            }
            (Leased { lease }, RunEvent::LeaseLost { at, due }) => {
                self.attempts.push(unfinished(lease, at, Outcome::Lost));
                Pending { due }
            }
            (Leased { lease }, RunEvent::LeaseLostForGood { at }) => {
                self.attempts.push(unfinished(lease, at, Outcome::Lost));
                Dead { at, cause: DeadCause::AttemptsExhausted }
            }
            (Leased { lease }, RunEvent::Drained { at }) if self.drains >= DRAINS_MAX => {
                self.attempts.push(unfinished(lease, at, Outcome::Lost));
                Pending { due: at }
            }
            (Leased { .. }, RunEvent::Drained { at }) => {
                self.drains += 1;
                self.attempts_begun = self.attempts_begun.saturating_sub(1);
                Pending { due: at }
            }
            (Leased { lease }, RunEvent::Revoked { attempt, due }) if attempt.number == lease.attempt => {
                if self.drains >= DRAINS_MAX {
                    self.attempts.push(attempt);
                } else {
                    self.drains += 1;
                    self.attempts_begun = self.attempts_begun.saturating_sub(1);
                    self.revoked.push(attempt);
                }
                Pending { due }
            }
            _ => return Err(illegal),
        };
        Ok(self)
    }
}

/// Of an attempt whose end nobody has recorded.
fn unfinished(lease: Lease, at: Timestamp, outcome: Outcome) -> Attempt {
    Attempt {
        number: lease.attempt,
        started: lease.at,
        finished: at,
        outcome,
        log: Default::default(),
        cost: Default::default(),
        requests: Default::default(),
        denied: Vec::new(),
        version: None,
    }
}

#[cfg(test)]
mod tests;
