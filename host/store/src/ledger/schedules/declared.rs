//! What a declaration makes of what is known of its name; nothing here writes.

use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{Origin, Schedule, ScheduleRow, SlotRecord};
use hookbox_core::time::Timestamp;

use super::{REMOVED_FOR, bad, by_operator, rank};
use crate::codec::{self, RemovedV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::Read;
use crate::values;

/// What `put_schedule` would make of it.
pub(crate) fn preview_schedule(tree: &dyn Read, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
    let Some(row) = schedule_row(tree, &schedule.name)? else { return begun(tree, schedule, now) };
    let all = with_operators(&row, schedule)?;
    Ok(match redefined(row, all, now)? {
        Redefined::Same(row) | Redefined::Other { row, .. } => row,
    })
}

pub(super) fn schedule_row(tree: &dyn Read, name: &ScheduleName) -> Result<Option<ScheduleRow>, StoreError> {
    let row = values::get(tree, &keys::schedule(name))?;
    row.map(|row| codec::decode_schedule(&row)).transpose()
}

/// The row of a name that nobody declared. One that was removed a while ago goes on.
pub(super) fn begun(tree: &dyn Read, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
    let removed = values::get(tree, &keys::removed_schedule(&schedule.name))?;
    let removed = removed.map(|removed| codec::decode::<RemovedV1>(&removed)).transpose()?;
    match removed.filter(|removed| now.since(Timestamp(removed.at)) <= REMOVED_FOR) {
        Some(removed) => codec::decode_schedule(&removed.row)?.revived(schedule, now),
        None => ScheduleRow::new(schedule, now),
    }
    .map_err(bad)
}

pub(super) enum Redefined {
    Same(ScheduleRow),
    /// With the verdicts on slots that end with the old definition.
    Other {
        row: ScheduleRow,
        closed: Vec<SlotRecord>,
    },
}

/// The row with these declarations, of which there is one at least.
pub(super) fn redefined(row: ScheduleRow, mut all: Vec<Schedule>, now: Timestamp) -> Result<Redefined, StoreError> {
    all.sort_by_key(rank);
    let mut all = all.into_iter();
    let Some(schedule) = all.next() else { return Ok(Redefined::Same(row)) };
    let shadowed: Vec<Schedule> = all.collect();
    if schedule == row.schedule && shadowed == row.shadowed {
        return Ok(Redefined::Same(row));
    }
    let (row, closed) = row.redefined(schedule, now).map_err(bad)?;
    Ok(Redefined::Other { row: ScheduleRow { shadowed, ..row }, closed })
}

/// All declarations of a name where an operator declares this one.
pub(super) fn with_operators(row: &ScheduleRow, schedule: Schedule) -> Result<Vec<Schedule>, StoreError> {
    if row.schedule.origin == Origin::Config {
        let name = &schedule.name;
        return Err(StoreError::Conflict(format!("{name} is in hooks.yaml, which comes first: change it there")));
    }
    let (_, mut all) = by_operator(row);
    all.push(schedule);
    Ok(all)
}
