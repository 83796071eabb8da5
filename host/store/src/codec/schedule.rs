//! The rows of schedules. Form 2 has rules, pauses and declarations that do not count; form 1, without them, is read and
//! no longer written.

use hookbox_core::attempt::Output;
use hookbox_core::cron::DayRule;
use hookbox_core::id::RunId;
use hookbox_core::name::{HandlerRef, ScheduleName};
use hookbox_core::schedule::{Lateness, Origin, Pause, Rules, Schedule, ScheduleRow, SlotCounts, SlotRecord, When};
use hookbox_core::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use super::decode;
use crate::error::StoreError;

const VERSION_WITH_RULES: u8 = 2;

#[derive(Debug, Serialize, Deserialize)]
struct ScheduleV2 {
    schedule: Schedule,
    shadowed: Vec<Schedule>,
    anchor: u64,
    decided: u64,
    next: Option<u64>,
    last_fired: Option<u64>,
    last_run: Option<[u8; 16]>,
    pause: Option<Pause>,
    paused_until: Option<u64>,
    failures: u32,
    open: Vec<[u8; 16]>,
    counts: SlotCounts,
    lateness: Lateness,
    recent: Vec<SlotRecord>,
}

pub(crate) fn encode_schedule(row: ScheduleRow) -> Result<Vec<u8>, StoreError> {
    let form = ScheduleV2 {
        schedule: row.schedule,
        shadowed: row.shadowed,
        anchor: row.anchor.0,
        decided: row.decided.0,
        next: row.next.map(|at| at.0),
        last_fired: row.last_fired.map(|at| at.0),
        last_run: row.last_run.map(RunId::to_bytes),
        pause: row.pause,
        paused_until: row.paused_until.map(|at| at.0),
        failures: row.failures,
        open: row.open.into_iter().map(RunId::to_bytes).collect(),
        counts: row.counts,
        lateness: row.lateness,
        recent: row.recent,
    };
    postcard::to_extend(&form, vec![VERSION_WITH_RULES])
        .map_err(|e| StoreError::Corrupt(format!("a schedule cannot be written: {e}")))
}

pub(crate) fn decode_schedule(bytes: &[u8]) -> Result<ScheduleRow, StoreError> {
    let Some((&VERSION_WITH_RULES, rest)) = bytes.split_first() else {
        return decode::<ScheduleV1>(bytes).map(ScheduleRow::from);
    };
    let form: ScheduleV2 = postcard::from_bytes(rest)
        .map_err(|e| StoreError::Corrupt(format!("the row of a schedule does not read: {e}")))?;
    Ok(ScheduleRow {
        schedule: form.schedule,
        shadowed: form.shadowed,
        anchor: Timestamp(form.anchor),
        decided: Timestamp(form.decided),
        next: form.next.map(Timestamp),
        last_fired: form.last_fired.map(Timestamp),
        last_run: form.last_run.map(RunId::from_bytes),
        pause: form.pause,
        paused_until: form.paused_until.map(Timestamp),
        failures: form.failures,
        open: form.open.into_iter().map(RunId::from_bytes).collect(),
        counts: form.counts,
        lateness: form.lateness,
        recent: form.recent,
    })
}

#[derive(Debug, Deserialize)]
struct ScheduleV1 {
    schedule: OldSchedule,
    anchor: u64,
    decided: u64,
    next: Option<u64>,
    last_fired: Option<u64>,
    last_run: Option<[u8; 16]>,
    counts: OldCounts,
    recent: Vec<SlotRecord>,
}

#[derive(Debug, Deserialize)]
struct OldSchedule {
    name: ScheduleName,
    target: HandlerRef,
    when: OldWhen,
    payload: Option<Output>,
    origin: Origin,
}

/// A rule as the first release kept it, also with the handlers of plugins.
#[derive(Debug, Deserialize)]
pub(super) enum OldWhen {
    Cron { expression: String, timezone: String, day_rule: DayRule },
    Every { period: Millis },
}

#[derive(Debug, Deserialize)]
struct OldCounts {
    fired: u64,
    missed: u64,
    overlap_skipped: u64,
}

impl From<OldWhen> for When {
    fn from(when: OldWhen) -> When {
        match when {
            OldWhen::Cron { expression, timezone, day_rule } => When::Cron { expression, timezone, day_rule },
            OldWhen::Every { period } => When::Every { period, phase: None },
        }
    }
}

impl From<ScheduleV1> for ScheduleRow {
    fn from(form: ScheduleV1) -> ScheduleRow {
        let OldSchedule { name, target, when, payload, origin } = form.schedule;
        let OldCounts { fired, missed, overlap_skipped } = form.counts;
        let last_run = form.last_run.map(RunId::from_bytes);
        ScheduleRow {
            schedule: Schedule { name, target, when: when.into(), payload, origin, rules: Rules::default() },
            shadowed: Vec::new(),
            anchor: Timestamp(form.anchor),
            decided: Timestamp(form.decided),
            next: form.next.map(Timestamp),
            last_fired: form.last_fired.map(Timestamp),
            last_run,
            pause: None,
            paused_until: None,
            failures: 0,
            open: last_run.into_iter().collect(),
            counts: SlotCounts { fired, missed, overlap_skipped, ..SlotCounts::default() },
            lateness: Lateness::default(),
            recent: form.recent,
        }
    }
}
