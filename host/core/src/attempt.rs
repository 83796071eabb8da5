//! One execution of a run in a fresh sandbox: what goes in and what comes out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::denial::Denied;
use crate::effects::Effects;
use crate::event::{Event, Job};
use crate::host_call::HostCalls;
use crate::id::RunId;
use crate::name::HandlerRef;
use crate::plugin::Digest;
use crate::time::{Millis, Timestamp};
use crate::trace::CallTrace;

/// Message of a failure: the rest is cut off.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What a handler is called with.
#[derive(Debug, Clone)]
pub struct Call {
    pub target: HandlerRef,
    pub run: RunId,
    /// Counts from 1.
    pub attempt: u32,
    pub attempts_max: u32,
    /// Wall time that the attempt has.
    pub timeout: Millis,
    /// When it begins; the deadline is this and the timeout.
    pub started: Timestamp,
    pub idempotency_key: String,
    /// Hops of the event or job; what the attempt enqueues and emits has one more.
    pub hops: u8,
    pub input: Input,
    /// The only version that it may run on, where it runs again in the same record.
    pub version: Option<Digest>,
    /// Nothing where nobody traces.
    pub trace: Option<CallTrace>,
}

#[derive(Debug, Clone)]
pub enum Input {
    Event(Arc<Event>),
    Job(Arc<Job>),
}

/// How an attempt ended. A guest's fault is data, not an error of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Completed {
        output: Option<Output>,
    },
    Skipped {
        reason: String,
    },
    Retryable {
        message: String,
        retry_after: Option<Millis>,
    },
    Permanent {
        message: String,
    },
    Trapped {
        message: String,
    },
    /// The wall time was up.
    TimedOut {
        limit: Millis,
    },
    /// The CPU budget was spent.
    CpuExhausted {
        limit: Millis,
    },
    /// It asked for more than this many bytes.
    OutOfMemory {
        limit: u64,
    },
    /// The host stopped while it ran, and nobody knows how far it came.
    Lost,
    /// It was stopped because its run was cancelled.
    Cancelled,
    /// It was stopped or undone, and why; no fault of its own. Its run was put back, and it does not count.
    Revoked {
        why: String,
    },
}

impl Outcome {
    pub fn code(&self) -> &'static str {
        match self {
            Outcome::Completed { .. } => "completed",
            Outcome::Skipped { .. } => "skipped",
            Outcome::Retryable { .. } => "retryable",
            Outcome::Permanent { .. } => "permanent",
            Outcome::Trapped { .. } => "trapped",
            Outcome::TimedOut { .. } => "timed-out",
            Outcome::CpuExhausted { .. } => "cpu-exhausted",
            Outcome::OutOfMemory { .. } => "out-of-memory",
            Outcome::Lost => "lost",
            Outcome::Cancelled => "cancelled",
            Outcome::Revoked { .. } => "revoked",
        }
    }

    /// What an operator reads; nothing where the handler completed.
    pub fn message(&self) -> Option<String> {
        match self {
            Outcome::Completed { .. } => None,
            Outcome::Skipped { reason } => Some(reason.clone()),
            Outcome::Retryable { message, .. } | Outcome::Permanent { message } => Some(message.clone()),
            Outcome::Trapped { message } => Some(message.clone()),
            Outcome::TimedOut { limit } => Some(format!("stopped after {limit} of wall time (timeout)")),
            Outcome::CpuExhausted { limit } => Some(format!("stopped after {limit} of CPU time (limits.cpu)")),
            Outcome::OutOfMemory { limit } => {
                Some(format!("asked for more than its {} MiB of memory (limits.memory)", limit >> 20))
            }
            Outcome::Lost => Some("the host stopped while it ran".to_owned()),
            Outcome::Cancelled => Some("its run was cancelled while it ran".to_owned()),
            Outcome::Revoked { why } => Some(why.clone()),
        }
    }

    /// Whether the effects of the attempt are to be committed.
    pub fn is_success(&self) -> bool {
        matches!(self, Outcome::Completed { .. } | Outcome::Skipped { .. })
    }
}

/// What a handler made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    pub content_type: String,
    pub data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where a line of a log comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    Log,
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Timestamp,
    pub stream: LogStream,
    pub level: LogLevel,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

/// What an attempt said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Log {
    pub lines: Vec<LogLine>,
    /// Bytes that were over the limit.
    pub bytes_dropped: u64,
}

impl Log {
    /// What is kept of it: the text of its lines and their fields.
    pub fn bytes(&self) -> u64 {
        let of_line = |line: &LogLine| {
            line.message.len() + line.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
        };
        self.lines.iter().map(|line| of_line(line) as u64).sum()
    }
}

/// What an attempt cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    pub wall_us: u64,
    /// What its thread computed for it, in the guest and in the host.
    pub cpu_us: u64,
    pub memory_peak_bytes: u64,
    pub calls: HostCalls,
}

/// Requests of one attempt that are kept one by one; further ones are counted.
pub const REQUESTS_KEPT_MAX: usize = 100;
/// Those of them that were refused: they are not to push out what was sent.
pub const REFUSED_KEPT_MAX: usize = 20;

/// A request that an attempt sent, or was not allowed to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    /// Without its query, and with long parts of the path masked: both may hold secrets.
    pub url: String,
    /// Until its answer was read, as far as it was.
    pub ms: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub end: RequestEnd,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestEnd {
    /// The attempt ended before.
    Unfinished,
    /// With this status.
    Answered(u16),
    Failed(String),
    /// It was not sent, and why.
    Denied(String),
}

impl Request {
    /// It was not sent.
    pub fn is_denied(&self) -> bool {
        matches!(self.end, RequestEnd::Denied(_))
    }
}

/// Requests of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Requests {
    pub kept: Vec<Request>,
    /// Over [`REQUESTS_KEPT_MAX`] or [`REFUSED_KEPT_MAX`].
    pub dropped: u32,
}

impl Requests {
    /// Those of a later try come behind. Where there are too many, what was not sent goes first, and then what is oldest.
    pub fn append(&mut self, later: Requests) {
        self.kept.extend(later.kept);
        self.dropped = self.dropped.saturating_add(later.dropped);
        while self.kept.len() > REQUESTS_KEPT_MAX {
            let at = self.kept.iter().position(Request::is_denied).unwrap_or_default();
            self.kept.remove(at);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.dropped == 0
    }
}

/// What comes back from the sandbox.
#[derive(Debug, Clone)]
pub struct Executed {
    pub outcome: Outcome,
    /// Empty unless the outcome is a success.
    pub effects: Effects,
    pub log: Log,
    pub cost: Cost,
    pub requests: Requests,
    /// At most [`DENIED_PER_ATTEMPT_MAX`](crate::denial::DENIED_PER_ATTEMPT_MAX), each once.
    pub denied: Vec<Denied>,
    /// The version that really ran; nothing where none could be run.
    pub version: Option<Digest>,
}

impl Executed {
    /// It ended so, and did nothing.
    pub fn bare(outcome: Outcome) -> Executed {
        Executed {
            outcome,
            effects: Effects::default(),
            log: Log::default(),
            cost: Cost::default(),
            requests: Requests::default(),
            denied: Vec::new(),
            version: None,
        }
    }
}

/// An attempt as it is kept with its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1. One that was revoked has the number of the one that took its place.
    pub number: u32,
    pub started: Timestamp,
    pub finished: Timestamp,
    pub outcome: Outcome,
    pub log: Log,
    pub cost: Cost,
    pub requests: Requests,
    pub denied: Vec<Denied>,
    /// Nothing where the host stopped before it was known.
    pub version: Option<Digest>,
}
