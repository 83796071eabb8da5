//! Declaring, changing and pausing schedules, and deciding their slots.

use std::collections::BTreeMap;

use hookbox_core::name::ScheduleName;
use hookbox_core::run::{CancelCause, Run, RunStatus};
use hookbox_core::schedule::{BadWhen, Origin, Overlap, Passed, Schedule, ScheduleRow, SlotRecord, Verdict};
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::query;
use crate::types::{Fired, Firing, NewJob, ScheduleChange};
use crate::values;

impl Ledger<'_> {
    /// Those of operators stay as they are.
    pub(crate) fn declare_schedules(&mut self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        let mut names = BTreeMap::<ScheduleName, Vec<Schedule>>::new();
        for schedule in declared {
            names.entry(schedule.name.clone()).or_default().push(schedule);
        }
        for row in query::schedules(&self.tree, None, usize::MAX)? {
            let mut declarations = names.remove(&row.schedule.name).unwrap_or_default();
            let known = std::iter::once(&row.schedule).chain(&row.shadowed);
            declarations.extend(known.filter(|schedule| schedule.origin == Origin::Operator).cloned());
            self.redefine(row, declarations, now)?;
        }
        for mut declarations in names.into_values() {
            declarations.sort_by_key(rank);
            let mut declarations = declarations.into_iter();
            if let Some(schedule) = declarations.next() {
                let row = ScheduleRow::new(schedule, now).map_err(bad)?;
                self.shown.schedules_changed = true;
                self.write_schedule(ScheduleRow { shadowed: declarations.collect(), ..row })?;
            }
        }
        Ok(())
    }

    /// Gives a schedule these declarations; without any it is removed.
    fn redefine(&mut self, row: ScheduleRow, mut all: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        all.sort_by_key(rank);
        let mut all = all.into_iter();
        let Some(schedule) = all.next() else {
            let name = row.schedule.name;
            values::remove(&mut self.tree, keys::schedule(&name))?;
            self.schedules.push((name, None));
            self.shown.schedules_changed = true;
            return Ok(());
        };
        let shadowed: Vec<Schedule> = all.collect();
        if schedule == row.schedule && shadowed == row.shadowed {
            return Ok(());
        }
        let row = row.redefined(schedule, now).map_err(bad)?;
        self.shown.schedules_changed = true;
        self.write_schedule(ScheduleRow { shadowed, ..row })
    }

    pub(crate) fn put_schedule(&mut self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        let name = schedule.name.clone();
        let Some(row) = self.schedule_row(&name)? else {
            let row = ScheduleRow::new(schedule, now).map_err(bad)?;
            self.shown.schedules_changed = true;
            self.write_schedule(row.clone())?;
            return Ok(row);
        };
        if row.schedule.origin == Origin::Config {
            return Err(StoreError::Conflict(format!("{name} is in hooks.yaml, which comes first: change it there")));
        }
        let (_, mut all) = by_operator(&row);
        all.push(schedule);
        self.redefine(row, all, now)?;
        self.known_schedule(&name)
    }

    /// Takes away what an operator has declared; what others have declared under the name counts again.
    pub(crate) fn remove_schedule(&mut self, name: &ScheduleName, now: Timestamp) -> Result<(), StoreError> {
        let row = self.known_schedule(name)?;
        let (own, others) = by_operator(&row);
        if own.is_empty() {
            let origin = row.schedule.origin.code();
            return Err(StoreError::Conflict(format!(
                "{name} is declared by {origin}: take it out there, or pause it"
            )));
        }
        self.redefine(row, others, now)
    }

    pub(crate) fn change_schedule(
        &mut self,
        name: &ScheduleName,
        change: ScheduleChange,
        now: Timestamp,
    ) -> Result<ScheduleRow, StoreError> {
        let mut row = self.known_schedule(name)?;
        let changed = match change {
            ScheduleChange::Pause(pause) => row.set_pause(Some(pause), now),
            ScheduleChange::Resume => row.set_pause(None, now),
            ScheduleChange::Reset => row.reset(now).map(|()| true).map_err(bad)?,
        };
        if changed {
            self.shown.schedules_changed = true;
            self.write_schedule(row.clone())?;
        }
        Ok(row)
    }

    pub(crate) fn fire(&mut self, firing: Firing) -> Result<Fired, StoreError> {
        let Some(mut row) = self.schedule_row(&firing.schedule)? else { return Ok(Fired::Stale) };
        let (decision, now) = (firing.decision, firing.now);
        if row.decided != decision.from || row.pause.is_some() || row.basis() != firing.basis {
            return Ok(Fired::Stale);
        }
        if firing.jobs.len() != decision.fire.len() {
            return Err(StoreError::Conflict(format!("a slot of {} is to fire without a job", firing.schedule)));
        }
        let mut records = Vec::new();
        let passed = |passed: Passed, verdict: fn(u64) -> Verdict| {
            let verdict = verdict(passed.slots);
            passed.last.map(|slot| SlotRecord { slot, decided_at: now, verdict })
        };
        records.extend(passed(decision.paused, |slots| Verdict::Paused { slots }));
        records.extend(passed(decision.missed, |slots| Verdict::Missed { slots }));
        records.iter().for_each(|record| row.note(record.clone()));
        for (slot, job) in decision.fire.into_iter().zip(firing.jobs) {
            let verdict = self.fire_slot(&mut row, job, now)?;
            let record = SlotRecord { slot, decided_at: now, verdict };
            row.note(record.clone());
            records.push(record);
        }
        if row.schedule.rules.overlap == Overlap::Allow {
            row.open.clear();
        }
        let put_off = row.schedule.put_off();
        for record in &records {
            self.counts.slots.add(&record.verdict);
            let late = record.decided_at.since(record.slot.plus(put_off)).0;
            self.counts.slots_late_ms += if record.verdict.run().is_some() { late } else { 0 };
        }
        row.decided = decision.to;
        row.next = decision.next.filter(|_| row.left() != Some(0));
        self.write_schedule(row)?;
        Ok(Fired::Decided(records))
    }

    fn fire_slot(&mut self, row: &mut ScheduleRow, job: NewJob, now: Timestamp) -> Result<Verdict, StoreError> {
        let mut alive = Vec::new();
        for run in &row.open {
            if self.is_alive(*run)? {
                alive.push(*run);
            }
        }
        row.open = alive;
        let open = row.open.len();
        match row.schedule.rules.overlap {
            Overlap::Skip if open > 0 => return Ok(Verdict::OverlapSkipped),
            Overlap::BufferOne if open > 1 => return Ok(Verdict::Dropped),
            Overlap::BufferAll(most) if open > most as usize => return Ok(Verdict::Dropped),
            Overlap::CancelRunning => {
                self.cancel(&std::mem::take(&mut row.open), CancelCause::Overlap, now)?;
            }
            _ => {}
        }
        let waits = matches!(row.schedule.rules.overlap, Overlap::BufferOne | Overlap::BufferAll(_)) && open > 0;
        let new = job.run.id;
        match self.enqueue(job, now)? {
            run if run == new && waits => Ok(Verdict::Buffered { run }),
            run if run == new => Ok(Verdict::Fired { run }),
            // The handler lets one run with its key be alive, and it is another's.
            _ => Ok(Verdict::OverlapSkipped),
        }
    }

    /// A run that was alive has ended: its schedule may have to be paused.
    pub(super) fn schedule_run_ended(&mut self, run: &Run, at: Timestamp) -> Result<(), StoreError> {
        let Some(name) = &run.schedule else { return Ok(()) };
        let failed = match run.status() {
            RunStatus::Dead => true,
            RunStatus::Succeeded => false,
            _ => return Ok(()),
        };
        let Some(mut row) = self.schedule_row(name)? else { return Ok(()) };
        if row.run_ended(failed, at) {
            if let Some(failures) = row.pause.as_ref().and_then(|pause| pause.failures) {
                tracing::error!(schedule = %name, failures, "schedule {name} is paused: {failures} of its runs in a row have failed for good");
            }
            self.shown.schedules_changed = true;
            self.write_schedule(row)?;
        }
        Ok(())
    }

    fn schedule_row(&self, name: &ScheduleName) -> Result<Option<ScheduleRow>, StoreError> {
        let row = values::get(&self.tree, &keys::schedule(name))?;
        row.map(|row| codec::decode_schedule(&row)).transpose()
    }

    fn known_schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.schedule_row(name)?.ok_or_else(|| StoreError::NotFound(format!("schedule {name}")))
    }

    fn write_schedule(&mut self, row: ScheduleRow) -> Result<(), StoreError> {
        self.schedules.push((row.schedule.name.clone(), row.due()));
        let key = keys::schedule(&row.schedule.name);
        values::replace(&mut self.tree, key, &codec::encode_schedule(row)?)?;
        Ok(())
    }
}

fn rank(schedule: &Schedule) -> usize {
    Origin::BY_RANK.iter().position(|origin| *origin == schedule.origin).unwrap_or(usize::MAX)
}

/// What an operator has declared under the name, and what others have.
fn by_operator(row: &ScheduleRow) -> (Vec<Schedule>, Vec<Schedule>) {
    let all = std::iter::once(&row.schedule).chain(&row.shadowed);
    all.cloned().partition(|schedule| schedule.origin == Origin::Operator)
}

fn bad(bad: BadWhen) -> StoreError {
    StoreError::Conflict(bad.to_string())
}
