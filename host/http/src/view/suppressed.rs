use hookbox_store::types::{EventRecord, Suppressed};
use serde::Serialize;

use super::event::EventView;
use super::payload::DataView;

/// A delivery that was a duplicate, once for each body that it came with.
#[derive(Debug, Serialize)]
pub(crate) struct SuppressedView {
    /// What it would be as an event.
    #[serde(flatten)]
    event: EventView,
    duplicate_of: String,
    /// Whether its body is the one of the first.
    same_body: bool,
    /// How often it came.
    times: u64,
    last: String,
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

#[derive(Debug, Serialize)]
pub(crate) struct SuppressedDetailView {
    #[serde(flatten)]
    suppressed: SuppressedView,
    #[serde(flatten)]
    data: DataView,
}

impl SuppressedDetailView {
    pub(crate) fn of(suppressed: &Suppressed) -> SuppressedDetailView {
        let data = DataView::exact(&suppressed.event.payload());
        SuppressedDetailView { suppressed: SuppressedView::of(suppressed), data }
    }
}
