use hookbox_store::Counts;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HealthView {
    /// `ok`, `starting`, `draining`, or `degraded` where the store takes nothing at this moment or no schedule is looked at.
    pub(crate) status: &'static str,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// How long ago the scheduler finished its last look at what is due: it looks each second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scheduler_pass_ms_ago: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) providers: Option<Vec<String>>,
    /// `plugin/handler`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handlers: Option<Vec<String>>,
    /// `*`, `PLUGIN` or `PLUGIN/HANDLER`: their runs wait until they are released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Queue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counts: Option<CountsView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Queue {
    pub(crate) pending: u64,
    pub(crate) leased: u64,
    pub(crate) dead: u64,
}

/// Since the store was made; ended runs as long as they are kept.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct CountsView {
    pub(crate) events: u64,
    pub(crate) unrouted: u64,
    pub(crate) duplicates: u64,
    pub(crate) duplicates_differ: u64,
    pub(crate) succeeded: u64,
    pub(crate) dead: u64,
    pub(crate) cancelled: u64,
    pub(crate) attempts: u64,
}

impl CountsView {
    pub(crate) fn of(counts: &Counts) -> CountsView {
        CountsView {
            events: counts.events,
            unrouted: counts.unrouted,
            duplicates: counts.duplicates,
            duplicates_differ: counts.duplicates_differ,
            succeeded: counts.succeeded,
            dead: counts.dead,
            cancelled: counts.cancelled,
            attempts: counts.attempts,
        }
    }
}
