use hookbox_store::types::{EventRecord, Suppressed};
use schemars::JsonSchema;
use serde::Serialize;

use super::event::EventView;
use super::payload::DataView;

/// A delivery that was a duplicate, once for each body that it came with.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct SuppressedView {
    /// What it would be as an event.
    #[serde(flatten)]
    pub(crate) event: EventView,
    pub(crate) duplicate_of: String,
    /// Whether its body is the one of the first.
    pub(crate) same_body: bool,
    /// How often it came.
    pub(crate) times: u64,
    pub(crate) last: String,
}

impl SuppressedView {
    pub(crate) fn of(suppressed: &Suppressed) -> SuppressedView {
        let Suppressed { event, data_bytes, first, same_body, times, last } = suppressed;
        let record = EventRecord { event: event.clone(), data_bytes: *data_bytes, runs: Vec::new() };
        SuppressedView {
            event: EventView::of(&record),
            duplicate_of: first.to_string(),
            same_body: *same_body,
            times: *times,
            last: last.to_string(),
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct SuppressedDetailView {
    #[serde(flatten)]
    pub(crate) suppressed: SuppressedView,
    #[serde(flatten)]
    pub(crate) data: DataView,
}

impl SuppressedDetailView {
    pub(crate) fn of(suppressed: &Suppressed) -> SuppressedDetailView {
        let data = DataView::exact(&suppressed.event.payload());
        SuppressedDetailView { suppressed: SuppressedView::of(suppressed), data }
    }
}
