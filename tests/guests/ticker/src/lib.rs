//! Two schedules: one that never rests, one that hardly ever fires.

use std::time::UNIX_EPOCH;

use hookbox_sdk::{Job, Json, Result, Value, cron, every, json, kv};

#[every("1s")]
fn tick(job: &Job) -> Result<Json<Value>> {
    kv::add("ticks", 1)?;
    let slot = job.scheduled_at.duration_since(UNIX_EPOCH)?;
    Ok(Json(json!({ "slot_ms": slot.as_millis() as u64, "schedule": job.schedule() })))
}

#[cron("0 0 1 1 *", overlap = "buffer-all:5", missed = "all:10", jitter = "30s", pause_after = 3)]
fn new_year(job: &Job) -> Json<Value> {
    Json(json!({ "schedule": job.schedule() }))
}
