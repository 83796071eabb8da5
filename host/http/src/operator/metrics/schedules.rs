//! Slots by their verdicts, how late they were, and what is paused.

use hookbox_core::schedule::{ScheduleRow, SlotCounts};
use hookbox_store::StoreError;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Labels;
use crate::operator::Operator;

/// With more schedules there are only totals: each would be some series.
const NAMED_MAX: usize = 100;
/// Schedules that are looked at; with more, how many are paused is not told.
const LOOKED_AT_MAX: usize = 10_000;
const PAGE: usize = 500;

pub(super) async fn register(registry: &mut Registry, operator: &Operator) -> Result<(), StoreError> {
    let counts = operator.store.counts();
    let slots = Family::<Labels, Counter>::default();
    for (verdict, number) in by_verdict(&counts.slots) {
        slots.get_or_create(&vec![("verdict", verdict.to_owned())]).inc_by(number);
    }
    registry.register("slots", "Slots of all schedules, by verdict", slots);
    let late = Counter::<u64>::default();
    late.inc_by(counts.slots_late_ms);
    registry.register("slots_late_milliseconds", "How late the slots were that made a run, together", late);
    if let Some(rows) = rows(operator).await? {
        of_all(registry, &rows);
        if rows.len() <= NAMED_MAX {
            of_each(registry, &rows);
        }
    }
    Ok(())
}

async fn rows(operator: &Operator) -> Result<Option<Vec<ScheduleRow>>, StoreError> {
    let mut rows: Vec<ScheduleRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.schedule.name.clone());
        let page = operator.store.schedules(after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        rows.extend(page);
        match is_last {
            _ if rows.len() > LOOKED_AT_MAX => return Ok(None),
            true => return Ok(Some(rows)),
            false => {}
        }
    }
}

fn by_verdict(counts: &SlotCounts) -> [(&'static str, u64); 6] {
    [
        ("fired", counts.fired),
        ("buffered", counts.buffered),
        ("missed", counts.missed),
        ("overlap-skipped", counts.overlap_skipped),
        ("dropped", counts.dropped),
        ("paused", counts.paused),
    ]
}

fn of_all(registry: &mut Registry, rows: &[ScheduleRow]) {
    let states = Family::<Labels, Gauge>::default();
    let state = |row: &ScheduleRow| match (&row.pause, row.next) {
        (Some(_), _) => "paused",
        (None, None) => "ended",
        (None, Some(_)) => "active",
    };
    for name in ["active", "paused", "ended"] {
        let number = rows.iter().filter(|row| state(row) == name).count();
        states.get_or_create(&vec![("state", name.to_owned())]).set(i64::try_from(number).unwrap_or(i64::MAX));
    }
    registry.register("schedules", "Schedules, by state", states);
}

fn of_each(registry: &mut Registry, rows: &[ScheduleRow]) {
    let (slots, paused) = (Family::<Labels, Counter>::default(), Family::<Labels, Gauge>::default());
    let late = Family::<Labels, Gauge>::default();
    for row in rows {
        let schedule = ("schedule", row.schedule.name.to_string());
        for (verdict, number) in by_verdict(&row.counts) {
            slots.get_or_create(&vec![schedule.clone(), ("verdict", verdict.to_owned())]).inc_by(number);
        }
        late.get_or_create(&vec![schedule.clone()]).set(i64::try_from(row.lateness.last.0).unwrap_or(i64::MAX));
        paused.get_or_create(&vec![schedule]).set(i64::from(row.pause.is_some()));
    }
    registry.register("schedule_slots", "Slots of one schedule, by verdict", slots);
    registry.register("schedule_late_milliseconds", "How late the last slot that made a run was", late);
    registry.register("schedule_paused", "1 while it is paused", paused);
}
