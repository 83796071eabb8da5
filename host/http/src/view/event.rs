use std::collections::BTreeMap;

use hookbox_core::run::Run;
use hookbox_store::types::EventRecord;
use serde::Serialize;

use super::payload::DataView;

#[derive(Debug, Serialize)]
pub(crate) struct EventView {
    id: String,
    /// `provider/NAME` or `plugin/NAME`
    source: String,
    /// What patterns are matched against: `NAMESPACE/TYPE`.
    topic: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: Option<String>,
    time: String,
    content_type: String,
    data_bytes: u64,
    attributes: BTreeMap<String, String>,
    hops: u8,
    run_ids: Vec<String>,
}

impl EventView {
    pub(crate) fn of(record: &EventRecord) -> EventView {
        let event = &record.event;
        EventView {
            id: event.id.to_string(),
            source: event.source.to_string(),
            topic: event.topic(),
            event_type: event.event_type.clone(),
            subject: event.subject.clone(),
            time: event.time.to_string(),
            content_type: event.content_type.clone(),
            data_bytes: record.data_bytes,
            attributes: event.attributes.iter().cloned().collect(),
            hops: event.hops,
            run_ids: record.runs.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A run of an event.
#[derive(Debug, Serialize)]
pub(crate) struct EventRunView {
    id: String,
    plugin: String,
    handler: String,
    state: &'static str,
    parent: Option<String>,
}

impl EventRunView {
    pub(crate) fn of(run: &Run) -> EventRunView {
        EventRunView {
            id: run.id.to_string(),
            plugin: run.target.plugin.to_string(),
            handler: run.target.handler.to_string(),
            state: run.status().code(),
            parent: run.parent.map(|parent| parent.to_string()),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct EventDetailView {
    #[serde(flatten)]
    event: EventView,
    runs: Vec<EventRunView>,
    #[serde(flatten)]
    data: DataView,
}

impl EventDetailView {
    pub(crate) fn of(record: &EventRecord, runs: Vec<EventRunView>) -> EventDetailView {
        EventDetailView { event: EventView::of(record), runs, data: DataView::exact(&record.event.payload()) }
    }
}
