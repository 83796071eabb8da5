use hookbox_core::config::SCHEDULE_KINDS;
use hookbox_core::schedule::Rules;
use serde_json::{Map, Value, json};

use super::document::{Document, name_of, time};
use crate::operator::schedules::{Asked, BackfillAsked};
use crate::view::Page;
use crate::view::schedule::{
    BackfillView, PreviewView, PutView, RemovedView, ScheduleDetailView, ScheduleRunView, ScheduleView,
};

const SCHEDULES: &str = "schedules";

pub(super) fn describe(api: &mut Document) {
    api.get(SCHEDULES, "/api/v1/schedules", "List schedules")
        .says("By name.")
        .paged(name_of("._-"))
        .answers::<Page<ScheduleView>>("200", "A page");
    api.get(SCHEDULES, "/api/v1/schedules/{name}", "Show a schedule")
        .answers::<ScheduleDetailView>("200", "Its rules, and its next and last slots")
        .tagged();
    api.put(SCHEDULES, "/api/v1/schedules/{name}", "Make or change a schedule")
        .says("With `If-None-Match: *` it is made, and not changed.")
        .conditional()
        .body_of(schedule())
        .answers::<PutView>("200", "It was changed")
        .makes::<PutView>("It was made")
        .tagged();
    api.delete(SCHEDULES, "/api/v1/schedules/{name}", "Remove a schedule that an operator made")
        .conditional()
        .answers::<RemovedView>("200", "What counts under the name from here on");
    api.post(SCHEDULES, "/api/v1/schedules/preview", "Say what a schedule would be")
        .without_key()
        .says("Nothing is changed. What is wrong with it is told in the answer.")
        .query("name", name_of("._-"), "Its name, which decides how far jitter puts it off")
        .body_of(json!({ "type": "object", "description": "As where it is made" }))
        .answers::<PreviewView>("200", "Its next slots, or what is wrong with it");
    api.post(SCHEDULES, "/api/v1/schedules/{name}/run", "Run a schedule once more")
        .says("Its slots and their verdicts stay what they are.")
        .makes::<ScheduleRunView>("The run that was made");
    api.post(SCHEDULES, "/api/v1/schedules/{name}/pause", "Pause a schedule")
        .conditional()
        .body::<Asked>()
        .answers::<ScheduleDetailView>("200", "The schedule, paused")
        .tagged();
    api.post(SCHEDULES, "/api/v1/schedules/{name}/resume", "Resume a schedule")
        .conditional()
        .answers::<ScheduleDetailView>("200", "The schedule")
        .tagged();
    api.post(SCHEDULES, "/api/v1/schedules/{name}/reset", "Begin a schedule anew at this moment")
        .conditional()
        .answers::<ScheduleDetailView>("200", "The schedule")
        .tagged();
    api.post(SCHEDULES, "/api/v1/schedules/{name}/backfill", "Run each slot of a past range once")
        .body::<BackfillAsked>()
        .answers::<BackfillView>("200", "What was made, or would be");
}

/// The keys that hooks.yaml has. Of those that say when, one.
fn schedule() -> Value {
    let mut members = Map::new();
    members.insert("plugin".to_owned(), name_of("_-"));
    members.insert("handler".to_owned(), name_of("_-"));
    for kind in SCHEDULE_KINDS {
        let schema = match kind {
            "every_minutes" | "hourly" => json!({ "type": ["integer", "string"] }),
            "at" => time(),
            _ => json!({ "type": "string" }),
        };
        members.insert(kind.to_owned(), schema);
    }
    for more in ["timezone", "day_rule", "phase"] {
        members.insert(more.to_owned(), json!({ "type": "string" }));
    }
    members.insert("payload".to_owned(), json!({ "description": "Any JSON, which its jobs carry" }));
    for option in Rules::OPTIONS {
        let schema = match option {
            "start" | "end" => time(),
            "count" | "pause_after" | "attempts" => json!({ "type": ["integer", "string"] }),
            _ => json!({ "type": "string" }),
        };
        members.insert(option.to_owned(), schema);
    }
    let one_kind: Vec<Value> = SCHEDULE_KINDS.iter().map(|kind| json!({ "required": [kind] })).collect();
    json!({
        "type": "object",
        "properties": members,
        "required": ["plugin", "handler"],
        "oneOf": one_kind,
        "additionalProperties": false
    })
}
