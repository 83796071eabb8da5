use std::collections::BTreeMap;

use hookbox_core::attempt::{Attempt, Cost, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::gate::Order;
use hookbox_core::host_call::{CallKind, Calls};
use hookbox_core::policy::Curve;
use hookbox_core::run::{CancelCause, Run, RunPolicy, RunState, Work};
use schemars::JsonSchema;
use serde::Serialize;

use super::payload::PayloadView;
use super::reach::{DeniedView, RequestView};

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RunView {
    pub(crate) id: String,
    pub(crate) plugin: String,
    pub(crate) handler: String,
    /// `pending`, `leased`, `succeeded`, `dead` or `cancelled`.
    pub(crate) state: &'static str,
    /// When a pending run is due.
    pub(crate) due: Option<String>,
    /// Why a dead run is dead, or a cancelled one was cancelled.
    pub(crate) cause: Option<&'static str>,
    /// What the cause of a dead run means, and what to do.
    pub(crate) reason: Option<&'static str>,
    /// The run that had its unique key, where it was cancelled for that.
    pub(crate) cause_run: Option<String>,
    pub(crate) created: String,
    /// When its first attempt began.
    pub(crate) started: Option<String>,
    pub(crate) finished: Option<String>,
    /// One of these two is what it works on.
    pub(crate) event: Option<String>,
    pub(crate) job: Option<String>,
    /// The run that it replays.
    pub(crate) parent: Option<String>,
    /// The latest replay of it.
    pub(crate) replayed: Option<String>,
    /// The run whose attempt asked for it: for its job, or for the event that it is of.
    pub(crate) made_by: Option<String>,
    /// Of the runs of its handler with this key, one is executed at a time.
    pub(crate) key: Option<String>,
    /// `due`, or `accepted` where they go on as they came in.
    pub(crate) order: Option<&'static str>,
    /// No attempt begins later.
    pub(crate) expires: Option<String>,
    /// What it has in place of its handler's policy.
    pub(crate) policy: Option<RunPolicyView>,
    pub(crate) idempotency_key: String,
    pub(crate) hops: u8,
    pub(crate) attempts_begun: u32,
    /// Times it was put back: at a shutdown, without its handler, or for want of room on the queue.
    pub(crate) drains: u8,
    /// Of the attempts that have ended, together.
    pub(crate) wall_us: Option<u64>,
    pub(crate) cpu_us: Option<u64>,
    /// Of one of them, the most.
    pub(crate) memory_peak_bytes: Option<u64>,
    /// Digest of the plugin that ran last.
    pub(crate) version: Option<String>,
    /// Of its latest attempt that has ended.
    pub(crate) last_outcome: Option<&'static str>,
    pub(crate) last_message: Option<String>,
}

impl RunView {
    pub(crate) fn of(run: &Run) -> RunView {
        let due = match &run.state {
            RunState::Pending { due } => Some(due.to_string()),
            _ => None,
        };
        let (cause, cause_run) = match &run.state {
            RunState::Dead { cause, .. } => (Some(cause.code()), None),
            RunState::Cancelled { cause: cause @ CancelCause::Unique(run), .. } => (Some(cause.code()), Some(*run)),
            RunState::Cancelled { cause, .. } => (Some(cause.code()), None),
            RunState::Pending { .. } | RunState::Leased { .. } | RunState::Succeeded { .. } => (None, None),
        };
        let reason = match run.state {
            RunState::Dead { cause, .. } => Some(cause.told()),
            _ => None,
        };
        let (event, job) = match run.work {
            Work::Event(event) => (Some(event.to_string()), None),
            Work::Job(job) => (None, Some(job.to_string())),
        };
        let last = run.attempts.last().map(|attempt| &attempt.outcome);
        let spent = run.spent();
        RunView {
            id: run.id.to_string(),
            plugin: run.target.plugin.to_string(),
            handler: run.target.handler.to_string(),
            state: run.status().code(),
            due,
            cause,
            reason,
            cause_run: cause_run.map(|run| run.to_string()),
            created: run.created.to_string(),
            started: run.started().map(|at| at.to_string()),
            finished: run.finished().map(|at| at.to_string()),
            event,
            job,
            parent: run.parent.map(|parent| parent.to_string()),
            replayed: run.replayed.map(|replay| replay.to_string()),
            made_by: run.made_by.map(|maker| maker.to_string()),
            key: run.gate.as_ref().map(|gate| gate.key.clone()),
            order: run.gate.as_ref().map(|gate| match gate.order {
                Order::Due => "due",
                Order::Accepted => "accepted",
            }),
            expires: run.expires.map(|at| at.to_string()),
            policy: RunPolicyView::of(&run.own),
            idempotency_key: run.idempotency_key.clone(),
            hops: run.hops,
            attempts_begun: run.attempts_begun,
            drains: run.drains,
            wall_us: spent.map(|spent| spent.wall_us),
            cpu_us: spent.map(|spent| spent.cpu_us),
            memory_peak_bytes: spent.map(|spent| spent.memory_peak_bytes),
            version: run.attempts.last().and_then(|last| last.version).map(|digest| digest.to_string()),
            last_outcome: last.map(Outcome::code),
            last_message: last.and_then(Outcome::message),
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RunPolicyView {
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) attempts: Option<u32>,
    pub(crate) backoff_ms: Option<u64>,
    pub(crate) backoff_curve: Option<&'static str>,
    pub(crate) backoff_max_ms: Option<u64>,
}

impl RunPolicyView {
    fn of(own: &RunPolicy) -> Option<RunPolicyView> {
        let view = RunPolicyView {
            timeout_ms: own.timeout.map(|span| span.0),
            attempts: own.attempts,
            backoff_ms: own.backoff.map(|span| span.0),
            backoff_curve: own.backoff_curve.map(Curve::code),
            backoff_max_ms: own.backoff_max.map(|span| span.0),
        };
        (*own != RunPolicy::default()).then_some(view)
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RunDetailView {
    #[serde(flatten)]
    pub(crate) run: RunView,
    /// Null for the run of an event.
    pub(crate) job_detail: Option<JobView>,
    pub(crate) attempts: Vec<AttemptView>,
    /// Those that were put back: they do not count, and each has the number of the one that took its place.
    pub(crate) revoked: Vec<AttemptView>,
    /// What the handler returned.
    pub(crate) result: Option<PayloadView>,
}

impl RunDetailView {
    pub(crate) fn of(run: &Run, job: Option<JobView>) -> RunDetailView {
        RunDetailView {
            run: RunView::of(run),
            job_detail: job,
            attempts: run.attempts.iter().map(AttemptView::of).collect(),
            revoked: run.revoked.iter().map(AttemptView::of).collect(),
            result: result_of(run).map(PayloadView::readable),
        }
    }
}

/// What the handler returned.
pub(crate) fn result_of(run: &Run) -> Option<&Output> {
    match &run.attempts.last()?.outcome {
        Outcome::Completed { output } => output.as_ref(),
        _ => None,
    }
}

/// Who asked for a job.
pub(crate) fn origin_of(job: &Job) -> String {
    match &job.origin {
        JobOrigin::Schedule(name) => format!("schedule/{name}"),
        JobOrigin::Plugin(name) => format!("plugin/{name}"),
        JobOrigin::Operator => "operator".to_owned(),
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct JobView {
    /// `schedule/NAME`, `plugin/NAME` or `operator`.
    pub(crate) origin: String,
    /// For a schedule that fired by itself: the slot.
    pub(crate) scheduled_at: String,
    pub(crate) payload: PayloadView,
}

impl JobView {
    pub(crate) fn of(job: &Job) -> JobView {
        let payload = PayloadView::exact(&job.content_type, &job.data);
        JobView { origin: origin_of(job), scheduled_at: job.scheduled_at.to_string(), payload }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AttemptView {
    pub(crate) number: u32,
    pub(crate) started: String,
    pub(crate) finished: String,
    pub(crate) outcome: &'static str,
    pub(crate) message: Option<String>,
    /// What the handler asked for.
    pub(crate) retry_after_ms: Option<u64>,
    /// Digest of the plugin that ran.
    pub(crate) version: Option<String>,
    pub(crate) cost: CostView,
    pub(crate) log: LogView,
    pub(crate) requests: Vec<RequestView>,
    /// Further requests, which were only counted.
    pub(crate) requests_dropped: u32,
    /// What hooks.yaml does not grant it.
    pub(crate) denied: Vec<DeniedView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct CostView {
    pub(crate) wall_us: u64,
    pub(crate) cpu_us: u64,
    pub(crate) memory_peak_bytes: u64,
    /// What it asked of the host, by kind.
    pub(crate) host_calls: BTreeMap<&'static str, CallsView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct CallsView {
    pub(crate) calls: u64,
    pub(crate) bytes_given: u64,
    pub(crate) bytes_answered: u64,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct LogView {
    pub(crate) lines: Vec<LogLineView>,
    /// Of these lines.
    pub(crate) bytes: u64,
    pub(crate) bytes_dropped: u64,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct LogLineView {
    pub(crate) at: String,
    pub(crate) stream: &'static str,
    pub(crate) level: &'static str,
    pub(crate) message: String,
    pub(crate) fields: BTreeMap<String, String>,
}

impl AttemptView {
    fn of(attempt: &Attempt) -> AttemptView {
        let retry_after = match &attempt.outcome {
            Outcome::Retryable { retry_after, .. } => *retry_after,
            _ => None,
        };
        AttemptView {
            number: attempt.number,
            started: attempt.started.to_string(),
            finished: attempt.finished.to_string(),
            outcome: attempt.outcome.code(),
            message: attempt.outcome.message(),
            retry_after_ms: retry_after.map(|span| span.0),
            version: attempt.version.map(|digest| digest.to_string()),
            cost: CostView::of(&attempt.cost),
            log: LogView {
                lines: attempt.log.lines.iter().map(LogLineView::of).collect(),
                bytes: attempt.log.bytes(),
                bytes_dropped: attempt.log.bytes_dropped,
            },
            requests: attempt.requests.kept.iter().map(RequestView::of).collect(),
            requests_dropped: attempt.requests.dropped,
            denied: attempt.denied.iter().map(DeniedView::of).collect(),
        }
    }
}

impl CostView {
    fn of(cost: &Cost) -> CostView {
        let shown = |(kind, Calls { number, bytes_given, bytes_answered }): (CallKind, Calls)| {
            (kind.code(), CallsView { calls: number, bytes_given, bytes_answered })
        };
        CostView {
            wall_us: cost.wall_us,
            cpu_us: cost.cpu_us,
            memory_peak_bytes: cost.memory_peak_bytes,
            host_calls: cost.calls.made().map(shown).collect(),
        }
    }
}

impl LogLineView {
    pub(crate) fn of(line: &LogLine) -> LogLineView {
        LogLineView {
            at: line.at.to_string(),
            stream: match line.stream {
                LogStream::Log => "log",
                LogStream::Stdout => "stdout",
                LogStream::Stderr => "stderr",
            },
            level: match line.level {
                LogLevel::Trace => "trace",
                LogLevel::Debug => "debug",
                LogLevel::Info => "info",
                LogLevel::Warn => "warn",
                LogLevel::Error => "error",
            },
            message: line.message.clone(),
            fields: line.fields.iter().cloned().collect(),
        }
    }
}

/// A run that was made by replaying another.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ReplayView {
    pub(crate) id: String,
    pub(crate) parent: String,
}

/// What became of many runs at once.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct BulkView {
    pub(crate) dry_run: bool,
    /// Runs that fit.
    pub(crate) matched: usize,
    /// Of those: what was asked for is done.
    pub(crate) done: usize,
    /// Of those: it cannot be done, or was done before.
    pub(crate) left_out: usize,
    /// `cursor` of another request that is to be about the same runs, without those that have come in since.
    pub(crate) cursor: String,
    /// `cursor` of the next request; null where all were looked at.
    pub(crate) next: Option<String>,
}

/// The run of a job that an operator made.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct JobMadeView {
    pub(crate) run: String,
    /// False where the run has the job's unique key and is alive: none was made.
    pub(crate) new: bool,
    /// How the run is after the wait, where one was asked for.
    pub(crate) waited: Option<WaitedView>,
}

/// A run that somebody has waited for.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct WaitedView {
    /// As in lists: one that has not ended is `pending` or `leased`.
    pub(crate) state: &'static str,
    pub(crate) last_message: Option<String>,
    /// What the handler returned.
    pub(crate) result: Option<PayloadView>,
}

impl WaitedView {
    pub(crate) fn of(run: &Run) -> WaitedView {
        WaitedView {
            state: run.status().code(),
            last_message: run.attempts.last().and_then(|attempt| attempt.outcome.message()),
            result: result_of(run).map(PayloadView::readable),
        }
    }
}
