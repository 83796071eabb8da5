//! The rows of schedules. Form 3 counts what a definition has fired and has whole retries; form 2, without that, and form 1, without rules,
//! pauses and declarations that do not count either, are read and no longer written.

use hookbox_core::attempt::Output;
use hookbox_core::cron::DayRule;
use hookbox_core::id::RunId;
use hookbox_core::name::{HandlerRef, ScheduleName};
use hookbox_core::run::RunPolicy;
use hookbox_core::schedule::{
    Lateness, Missed, Origin, Overlap, Pause, Rules, Schedule, ScheduleRow, SlotCounts, SlotRecord, When,
};
use hookbox_core::time::{Millis, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{VERSION, decode};
use crate::error::StoreError;

const VERSION_WITH_RULES: u8 = 2;
const VERSION_WITH_COUNTED: u8 = 3;
/// What is written.
pub(crate) const FORM: u8 = VERSION_WITH_COUNTED;

#[derive(Debug, Serialize, Deserialize)]
struct ScheduleV3 {
    row: ScheduleV2<Schedule>,
    counted: u64,
}

/// A definition with three parts of a policy.
#[derive(Debug, Deserialize)]
struct DefinitionV2 {
    name: ScheduleName,
    target: HandlerRef,
    when: When,
    payload: Option<Output>,
    origin: Origin,
    rules: RulesV2,
}

/// Rules with three parts of a policy, also with the handlers of plugins.
#[derive(Debug, Deserialize)]
pub(super) struct RulesV2 {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    count: Option<u64>,
    jitter: Millis,
    overlap: Overlap,
    missed: Missed,
    missed_within: Option<Millis>,
    pause_after: Option<u32>,
    timeout: Option<Millis>,
    attempts: Option<u32>,
    backoff: Option<Millis>,
}

/// One that nobody declares any more.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RemovedV1 {
    pub(crate) at: u64,
    /// As it was while it was declared.
    pub(crate) row: Vec<u8>,
}

/// When it was removed, read from the beginning of its row.
pub(crate) fn removed_at(row: &[u8]) -> Result<Timestamp, StoreError> {
    let bad = |why: &str| StoreError::Corrupt(format!("the row of a removed schedule does not read: {why}"));
    let Some((&VERSION, rest)) = row.split_first() else { return Err(bad("it has another form")) };
    postcard::take_from_bytes(rest).map(|(at, _)| Timestamp(at)).map_err(|error| bad(&error.to_string()))
}

/// As the second form has it, with the definition of whichever.
#[derive(Debug, Serialize, Deserialize)]
struct ScheduleV2<S> {
    schedule: S,
    shadowed: Vec<S>,
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
    let counted = row.counted;
    let row = ScheduleV2 {
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
    postcard::to_extend(&ScheduleV3 { row, counted }, vec![VERSION_WITH_COUNTED])
        .map_err(|e| StoreError::Corrupt(format!("a schedule cannot be written: {e}")))
}

pub(crate) fn decode_schedule(bytes: &[u8]) -> Result<ScheduleRow, StoreError> {
    let (form, counted) = match bytes.split_first() {
        Some((&VERSION_WITH_COUNTED, rest)) => {
            let ScheduleV3 { row, counted } = read(rest)?;
            (row, counted)
        }
        Some((&VERSION_WITH_RULES, rest)) => {
            let row: ScheduleV2<DefinitionV2> = read(rest)?;
            let counted = row.counts.fired + row.counts.buffered;
            (row.into(), counted)
        }
        _ => return decode::<ScheduleV1>(bytes).map(ScheduleRow::from),
    };
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
        counted,
        lateness: form.lateness,
        recent: form.recent,
    })
}

fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(form).map_err(|e| StoreError::Corrupt(format!("the row of a schedule does not read: {e}")))
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

impl From<RulesV2> for Rules {
    fn from(rules: RulesV2) -> Rules {
        let RulesV2 { start, end, count, jitter, overlap, missed, missed_within, pause_after, .. } = rules;
        let RulesV2 { timeout, attempts, backoff, .. } = rules;
        let policy = RunPolicy { timeout, attempts, backoff, ..RunPolicy::default() };
        Rules { start, end, count, jitter, overlap, missed, missed_within, pause_after, policy }
    }
}

impl From<DefinitionV2> for Schedule {
    fn from(form: DefinitionV2) -> Schedule {
        let DefinitionV2 { name, target, when, payload, origin, rules } = form;
        Schedule { name, target, when, payload, origin, rules: rules.into() }
    }
}

impl From<ScheduleV2<DefinitionV2>> for ScheduleV2<Schedule> {
    fn from(form: ScheduleV2<DefinitionV2>) -> ScheduleV2<Schedule> {
        ScheduleV2 {
            schedule: form.schedule.into(),
            shadowed: form.shadowed.into_iter().map(Schedule::from).collect(),
            anchor: form.anchor,
            decided: form.decided,
            next: form.next,
            last_fired: form.last_fired,
            last_run: form.last_run,
            pause: form.pause,
            paused_until: form.paused_until,
            failures: form.failures,
            open: form.open,
            counts: form.counts,
            lateness: form.lateness,
            recent: form.recent,
        }
    }
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
            counted: fired,
            lateness: Lateness::default(),
            recent: form.recent,
        }
    }
}
