//! What somebody looks for.

use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::{HandlerName, PluginName, ProviderName, ScheduleName};
use hookbox_core::run::{Run, RunStatus, Work};
use hookbox_core::time::Timestamp;

/// At most `limit` rows before `before`, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<Id> {
    pub before: Option<Id>,
    pub limit: usize,
}

/// Which runs are meant: of what stands in one list any may be so, of the lists each must.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    pub order: Order,
    pub status: Vec<RunStatus>,
    /// Only those that are pending or leased.
    pub alive: bool,
    pub plugin: Vec<PluginName>,
    pub handler: Vec<HandlerName>,
    pub event: Vec<EventId>,
    pub schedule: Vec<ScheduleName>,
    /// An attempt of this run has asked for them: jobs that it enqueued, and runs of events that it emitted.
    pub made_by: Option<RunId>,
    /// Whether an operator has replayed them.
    pub replayed: Option<bool>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// The last attempt failed with a message that contains this, in any case.
    pub error: Vec<String>,
    /// Runs of events that this provider sent.
    pub provider: Vec<ProviderName>,
    /// An attempt ran on a version whose digest begins so, with or without `sha256:`.
    pub version: Vec<String>,
    /// What the handler returned contains this, in any case, in its first 256 KiB.
    pub result: Vec<String>,
    /// As `result`, of what the run works on.
    pub payload: Vec<String>,
    pub not: Excluded,
}

/// By the time at which runs were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    NewestFirst,
    /// [`PageRequest::before`] is then what the page goes on after.
    OldestFirst,
}

/// Runs that are left out: those for which any of these is so, as in [`RunFilter`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excluded {
    pub status: Vec<RunStatus>,
    pub plugin: Vec<PluginName>,
    pub handler: Vec<HandlerName>,
    pub provider: Vec<ProviderName>,
    pub version: Vec<String>,
    pub error: Vec<String>,
    pub result: Vec<String>,
    pub payload: Vec<String>,
}

impl RunFilter {
    /// As far as the run itself tells: not by `provider`, `result` and `payload`.
    pub fn fits_run(&self, run: &Run) -> bool {
        let not = &self.not;
        any(&self.status, |status| run.status() == *status)
            && !(self.alive && run.status().is_terminal())
            && any(&self.plugin, |plugin| run.target.plugin == *plugin)
            && any(&self.handler, |handler| run.target.handler == *handler)
            && any(&self.event, |event| run.work == Work::Event(*event))
            && self.made_by.is_none_or(|maker| run.made_by == Some(maker))
            && self.replayed.is_none_or(|replayed| run.replayed.is_some() == replayed)
            && self.since.is_none_or(|since| run.created >= since)
            && self.until.is_none_or(|until| run.created < until)
            && any(&self.version, |version| has_run_on(run, version))
            && any(&self.error, |error| has_failed_with(run, error))
            && !not.status.contains(&run.status())
            && !not.plugin.contains(&run.target.plugin)
            && !not.handler.contains(&run.target.handler)
            && !not.version.iter().any(|version| has_run_on(run, version))
            && !not.error.iter().any(|error| has_failed_with(run, error))
    }
}

/// Whether one of them is so; and where there are none.
pub(crate) fn any<T>(wanted: &[T], is_so: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is_so)
}

/// Whether one of its attempts ran on a version whose digest begins so.
fn has_run_on(run: &Run, version: &str) -> bool {
    let digests = run.attempts.iter().filter_map(|attempt| attempt.version);
    digests.map(|digest| digest.to_string()).any(|digest| {
        let bare = digest.strip_prefix("sha256:").unwrap_or(&digest);
        digest.starts_with(version) || bare.starts_with(version)
    })
}

/// Whether the last attempt says this, in any case.
fn has_failed_with(run: &Run, error: &str) -> bool {
    let last = run.attempts.last().filter(|attempt| !attempt.outcome.is_success());
    let message = last.and_then(|attempt| attempt.outcome.message());
    message.is_some_and(|message| message.to_lowercase().contains(&error.to_lowercase()))
}

/// What can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    Events,
    Unrouted,
    Suppressed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    pub count: u64,
    /// Else there are at least so many.
    pub exact: bool,
}

/// Longest name of a search that is kept.
pub const SEARCH_NAME_BYTES_MAX: usize = 64;

/// What an operator looks for again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// 1 to [`SEARCH_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// As in the address of the list of runs.
    pub query: String,
}
