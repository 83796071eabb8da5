//! What somebody looks for.

use hookbox_core::id::EventId;
use hookbox_core::name::{HandlerName, PluginName, ProviderName, ScheduleName};
use hookbox_core::run::RunStatus;
use hookbox_core::time::Timestamp;

/// At most `limit` rows before `before`, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<Id> {
    pub before: Option<Id>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    pub status: Option<RunStatus>,
    /// Only those that are pending or leased.
    pub alive: bool,
    pub plugin: Option<PluginName>,
    pub handler: Option<HandlerName>,
    pub event: Option<EventId>,
    pub schedule: Option<ScheduleName>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// The last attempt failed with a message that contains this, in any case.
    pub error: Option<String>,
    /// Runs of events that this provider sent.
    pub provider: Option<ProviderName>,
    /// An attempt ran on a version whose digest begins so, with or without `sha256:`.
    pub version: Option<String>,
    /// What the handler returned contains this, in any case, in its first 256 KiB.
    pub result: Option<String>,
    /// As `result`, of what the run works on.
    pub payload: Option<String>,
    pub not: Excluded,
}

/// Runs that are left out: those for which any of these is so, as in [`RunFilter`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excluded {
    pub status: Option<RunStatus>,
    pub plugin: Option<PluginName>,
    pub handler: Option<HandlerName>,
    pub provider: Option<ProviderName>,
    pub version: Option<String>,
    pub error: Option<String>,
    pub result: Option<String>,
    pub payload: Option<String>,
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
