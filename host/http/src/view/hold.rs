use hookbox_core::hold::{Held, Hold};
use schemars::JsonSchema;
use serde::Serialize;

/// What is held: its runs are taken in and wait.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HoldView {
    /// `*`, `PLUGIN` or `PLUGIN/HANDLER`.
    target: String,
    since: String,
    note: Option<String>,
    /// Whether there is such a plugin or handler.
    known: bool,
    /// Its runs that wait.
    pending: usize,
}

impl HoldView {
    pub(crate) fn of(held: &Held, hold: &Hold, known: bool, pending: usize) -> HoldView {
        HoldView { target: held.to_string(), since: hold.since.to_string(), note: hold.note.clone(), known, pending }
    }
}
