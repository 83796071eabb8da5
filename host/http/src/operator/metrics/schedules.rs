//! Slots by their verdicts, how late they were, and what is paused.

use std::sync::atomic::AtomicU64;

use hookbox_core::schedule::{Reason, ScheduleRow, SlotCounts};
use hookbox_store::StoreError;
use hookbox_store::types::ScheduleCounts;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Labels;
use super::histogram::Histogram;
use crate::operator::Operator;

/// With more schedules there are only totals: each would be some series.
const NAMED_MAX: usize = 100;

pub(super) async fn register(registry: &mut Registry, operator: &Operator) -> Result<(), StoreError> {
    let counts = operator.store.counts();
    let slots = Family::<Labels, Counter>::default();
    for (verdict, number) in by_verdict(&counts.slots) {
        slots.get_or_create(&vec![("verdict", verdict.to_owned())]).inc_by(number);
    }
    registry.register("slots", "Slots of all schedules, by verdict", slots);
    let late = Counter::<f64, AtomicU64>::default();
    late.inc_by(counts.slots_late_ms as f64 / 1000.0);
    registry.register("slots_late_seconds", "How late the slots were that made a run, together", late);
    let lateness = Histogram::of_seconds(operator.meters.lateness());
    registry.register("slot_lateness_seconds", "How late a slot was that made a run, since the start", lateness);
    let age = Gauge::<f64, AtomicU64>::default();
    age.set(operator.pass_age().unwrap_or_default().0 as f64 / 1000.0);
    let help = "How long ago the scheduler finished a pass, which it should each second; 0 before it begins";
    registry.register("scheduler_pass_age_seconds", help, age);
    let standing = operator.store.schedule_counts(operator.clock.now());
    of_all(registry, &standing);
    if standing.active + standing.paused + standing.ended + standing.dry <= NAMED_MAX as u64 {
        of_each(registry, &operator.store.schedules(None, NAMED_MAX).await?);
    }
    Ok(())
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

fn of_all(registry: &mut Registry, standing: &ScheduleCounts) {
    let gauge = |label: &'static str, numbers: &[(&'static str, u64)]| {
        let family = Family::<Labels, Gauge>::default();
        for (name, number) in numbers {
            let labels = vec![(label, (*name).to_owned())];
            family.get_or_create(&labels).set(i64::try_from(*number).unwrap_or(i64::MAX));
        }
        family
    };
    let states = [
        ("active", standing.active),
        ("paused", standing.paused),
        ("ended", standing.ended),
        (Reason::NoNextSlot.code(), standing.dry),
    ];
    registry.register("schedules", "Schedules, by state", gauge("state", &states));
    let reasons: Vec<_> = Reason::ALL.map(Reason::code).into_iter().zip(standing.attention).collect();
    let help = "Schedules that somebody should look at: `hookbox schedules list` says which";
    registry.register("schedules_needing_attention", help, gauge("reason", &reasons));
}

fn of_each(registry: &mut Registry, rows: &[ScheduleRow]) {
    let (slots, paused) = (Family::<Labels, Counter>::default(), Family::<Labels, Gauge>::default());
    let late = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for row in rows {
        let schedule = ("schedule", row.schedule.name.to_string());
        for (verdict, number) in by_verdict(&row.counts) {
            slots.get_or_create(&vec![schedule.clone(), ("verdict", verdict.to_owned())]).inc_by(number);
        }
        late.get_or_create(&vec![schedule.clone()]).set(row.lateness.last.0 as f64 / 1000.0);
        paused.get_or_create(&vec![schedule]).set(i64::from(row.pause.is_some()));
    }
    registry.register("schedule_slots", "Slots of one schedule, by verdict", slots);
    registry.register("schedule_late_seconds", "How late the last slot that made a run was", late);
    registry.register("schedule_paused", "1 while it is paused", paused);
}
