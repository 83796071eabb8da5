use schemars::JsonSchema;
use serde::Serialize;

/// The host itself.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct SystemView {
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) release: &'static str,
    pub(crate) os: &'static str,
    pub(crate) arch: &'static str,
    /// Null where it has not begun.
    pub(crate) scheduler_pass_ms_ago: Option<u64>,
    /// The folder of the store.
    pub(crate) store: String,
    /// Of the files in it, those of loaded components included.
    pub(crate) store_bytes: u64,
    /// Null where the system does not tell.
    pub(crate) disk_free_bytes: Option<u64>,
    pub(crate) disk_size_bytes: Option<u64>,
    /// Of the machine, over 1, 5 and 15 minutes; null where the system does not tell.
    pub(crate) load_average: Option<[f64; 3]>,
    pub(crate) cpus: u64,
    /// Runs that wait, and how many may.
    pub(crate) queue: u64,
    pub(crate) queue_max: u64,
    /// Since the store was made.
    pub(crate) attempts: u64,
    pub(crate) runs_pruned: u64,
    /// As they count at this moment.
    pub(crate) limits: Vec<LimitView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct LimitView {
    /// In hooks.yaml.
    pub(crate) option: &'static str,
    pub(crate) what: &'static str,
    /// In words.
    pub(crate) value: String,
}
