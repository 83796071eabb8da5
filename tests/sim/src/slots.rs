//! The slots of schedules, by plain arithmetic: each has one verdict.

use std::collections::{BTreeMap, BTreeSet};

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{Schedule, When};
use hookbox_core::time::Timestamp;
use hookbox_store::StoreError;
use hookbox_store::types::{Fired, Firing};

use crate::model::Model;
use crate::watch::Watch;

#[derive(Default)]
pub(crate) struct Slots {
    schedules: BTreeMap<ScheduleName, Row>,
}

struct Row {
    when: When,
    anchor: Timestamp,
    decided: Timestamp,
    fired: BTreeSet<Timestamp>,
    pub(crate) counts: [u64; 3],
}

impl Row {
    /// Slots after `from` up to `to`: how many, and the last.
    fn slots(&self, from: Timestamp, to: Timestamp) -> (u64, Option<Timestamp>) {
        let (anchor, period) = match &self.when {
            When::Every { period } => (self.anchor.0, period.0),
            When::Cron { expression, .. } => (0, if expression.starts_with("*/10") { 10_000 } else { 60_000 }),
        };
        // How many there are up to a time, the anchor itself among them.
        let up_to = |at: Timestamp| at.0.checked_sub(anchor).map_or(0, |gone| gone / period + 1);
        let count = up_to(to).saturating_sub(up_to(from));
        (count, (count > 0).then(|| Timestamp(anchor + (up_to(to) - 1) * period)))
    }
}

impl Slots {
    fn declare(&mut self, declared: &[Schedule], now: Timestamp) {
        self.schedules.retain(|name, _| declared.iter().any(|schedule| schedule.name == *name));
        for schedule in declared {
            let fresh = || Row {
                when: schedule.when.clone(),
                anchor: now,
                decided: now,
                fired: BTreeSet::new(),
                counts: [0; 3],
            };
            let row = self.schedules.entry(schedule.name.clone()).or_insert_with(fresh);
            if row.when != schedule.when {
                (row.when, row.anchor, row.decided) = (schedule.when.clone(), now, now.max(row.decided));
            }
        }
    }

    /// Whether what the store says of a schedule is what was seen.
    pub(crate) fn compare(&self, name: &ScheduleName, decided: Timestamp, counts: [u64; 3]) -> Result<(), String> {
        match self.schedules.get(name) {
            Some(row) if row.decided == decided && row.counts == counts => Ok(()),
            Some(row) => Err(format!("{name}: {decided:?} {counts:?}, seen were {:?} {:?}", row.decided, row.counts)),
            None => Err(format!("nobody declared {name}")),
        }
    }
}

impl Watch {
    pub(crate) fn declared(&self, declared: &[Schedule], now: Timestamp, answer: &Result<(), StoreError>) {
        self.trace.note(format_args!("declare {} schedules: {answer:?}", declared.len()));
        if answer.is_ok() {
            self.model().slots.declare(declared, now);
        }
    }

    pub(crate) fn fired(&self, firing: &Firing, answer: &Result<Fired, StoreError>) {
        let (name, to) = (&firing.schedule, firing.decision.to);
        self.trace.note(format_args!("fire {name} up to {}: {answer:?}", to.0));
        let Ok(fired) = answer else { return };
        let checked = self.fire(&mut self.model(), firing, fired);
        self.check("fire", checked);
    }

    fn fire(&self, model: &mut Model, firing: &Firing, fired: &Fired) -> Result<(), String> {
        let (name, decision) = (&firing.schedule, &firing.decision);
        let run = match fired {
            Fired::Stale => return Ok(()),
            Fired::Run(run) => Some(*run),
            Fired::OverlapSkipped(_) | Fired::Missed => None,
        };
        let row = model.slots.schedules.get_mut(name).ok_or_else(|| format!("nobody declared {name}"))?;
        if decision.from != row.decided || decision.to > firing.now {
            return Err(format!("{name} is decided from {:?}, its mark is {:?}", decision.from, row.decided));
        }
        let (slots, last) = row.slots(decision.from, decision.to);
        let verdicts = decision.missed + u64::from(decision.fire.is_some());
        if (slots, last) != (verdicts, Some(decision.to)) {
            return Err(format!("{name} has {slots} slots up to {last:?}, {verdicts} are decided: {decision:?}"));
        }
        row.decided = decision.to;
        let added = match fired {
            Fired::Run(_) => [1, decision.missed, 0],
            Fired::OverlapSkipped(_) => [0, decision.missed, 1],
            Fired::Missed | Fired::Stale => [0, decision.missed, 0],
        };
        for (sum, more) in row.counts.iter_mut().zip(added) {
            *sum += more;
        }
        if run.is_some() && !decision.fire.is_some_and(|slot| row.fired.insert(slot)) {
            return Err(format!("{name} fired {:?} twice", decision.fire));
        }
        model.tally.fired += added[0];
        model.tally.missed += added[1];
        model.tally.overlapped += added[2];
        self.job_of(model, firing, fired, run)
    }

    fn job_of(&self, model: &mut Model, firing: &Firing, fired: &Fired, run: Option<RunId>) -> Result<(), String> {
        if let Fired::OverlapSkipped(other) = fired
            && !model.is_alive(*other)
        {
            return Err(format!("{} skipped a slot for {other}, which is over", firing.schedule));
        }
        match (run, &firing.job) {
            (Some(run), Some(job)) if job.run.id == run && Some(job.job.scheduled_at) == firing.decision.fire => {
                self.enqueue(model, job).map(|_| ())
            }
            (Some(run), _) => Err(format!("{run} is not the job of the slot")),
            (None, _) => Ok(()),
        }
    }
}
