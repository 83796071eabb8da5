use std::collections::BTreeMap;

use hookbox_core::run::Run;
use hookbox_store::types::EventRecord;
use schemars::JsonSchema;
use serde::Serialize;

use super::payload::DataView;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct EventView {
    pub(crate) id: String,
    /// `provider/NAME` or `plugin/NAME`
    pub(crate) source: String,
    /// What patterns are matched against: `NAMESPACE/TYPE`.
    pub(crate) topic: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) time: String,
    pub(crate) content_type: String,
    pub(crate) data_bytes: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) hops: u8,
    pub(crate) run_ids: Vec<String>,
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
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct EventRunView {
    pub(crate) id: String,
    pub(crate) plugin: String,
    pub(crate) handler: String,
    pub(crate) state: &'static str,
    pub(crate) parent: Option<String>,
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

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct EventDetailView {
    #[serde(flatten)]
    pub(crate) event: EventView,
    pub(crate) runs: Vec<EventRunView>,
    #[serde(flatten)]
    pub(crate) data: DataView,
}

impl EventDetailView {
    pub(crate) fn of(record: &EventRecord, runs: Vec<EventRunView>) -> EventDetailView {
        EventDetailView { event: EventView::of(record), runs, data: DataView::exact(&record.event.payload()) }
    }
}
