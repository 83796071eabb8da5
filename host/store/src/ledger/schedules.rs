//! Declaring, changing and pausing schedules, and deciding their slots.

mod declared;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::queue::Room;
use hookbox_core::run::{CancelCause, Run, RunStatus};
use hookbox_core::schedule::{BadWhen, Origin, Overlap, Passed, Schedule, ScheduleRow, SlotRecord, Verdict};
use hookbox_core::time::{Millis, Timestamp};

use super::Ledger;
use crate::codec::{self, RemovedV1};
use crate::due::Standing;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::{Fired, Firing, NewJob, NewRun, ScheduleChange};
use crate::values;
pub(crate) use declared::preview_schedule;
use declared::{Redefined, begun, redefined, schedule_row, with_operators};

/// A schedule that is declared again within this time goes on.
const REMOVED_FOR: Millis = Millis(30 * Millis::DAY.0);
/// Schedules that are kept for that.
const REMOVED_MAX: usize = 1000;

impl Ledger<'_> {
    /// Gives each of these names its declarations of plugins and of hooks.yaml. Those of operators stay as they are.
    pub(crate) fn declare_schedules(
        &mut self,
        declared: BTreeMap<ScheduleName, Vec<Schedule>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut gone = false;
        for (name, mut declarations) in declared {
            if let Some(row) = self.schedule_row(&name)? {
                declarations.extend(by_operator(&row).0);
                gone |= declarations.is_empty();
                self.redefine(row, declarations, now)?;
                continue;
            }
            declarations.sort_by_key(rank);
            let mut declarations = declarations.into_iter();
            if let Some(schedule) = declarations.next() {
                let row = self.new_schedule(schedule, now)?;
                self.write_schedule(ScheduleRow { shadowed: declarations.collect(), ..row })?;
            }
        }
        if gone { self.forget_removed(now) } else { Ok(()) }
    }

    /// One that was removed a while ago goes on.
    fn new_schedule(&mut self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        let key = keys::removed_schedule(&schedule.name);
        let row = begun(&self.tree, schedule, now)?;
        values::remove(&mut self.tree, key)?;
        self.shown.schedules_changed = true;
        Ok(row)
    }

    /// Gives a schedule these declarations; without any it is removed.
    fn redefine(&mut self, row: ScheduleRow, all: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        if all.is_empty() {
            return self.remove(row, now, |row| row);
        }
        let Redefined::Other { row, closed } = redefined(row, all, now)? else { return Ok(()) };
        self.count_closed(&row, &closed);
        self.shown.schedules_changed = true;
        self.write_schedule(row)
    }

    /// Where the slots of a schedule are about to end, and very many of them have come and are undecided, gives some their
    /// verdict: one commit is bounded. True where there may be more of them.
    pub(crate) fn close_some(
        &mut self,
        name: &ScheduleName,
        ending: &Ending,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(mut row) = self.schedule_row(name)? else { return Ok(false) };
        let (own, others) = by_operator(&row);
        let ends = match ending {
            Ending::Declared(declared) => {
                let next = declared.iter().chain(&own).min_by_key(|schedule| rank(schedule));
                next.is_none_or(|next| row.ends_with(next))
            }
            Ending::Put(schedule) => row.schedule.origin != Origin::Config && row.ends_with(schedule),
            Ending::Removed => {
                let next = others.iter().min_by_key(|schedule| rank(schedule));
                !own.is_empty() && next.is_none_or(|next| row.ends_with(next))
            }
            Ending::Reset => true,
        };
        let Some(closed) = Some(&mut row).filter(|_| ends).and_then(|row| row.close_some(now)) else {
            return Ok(false);
        };
        self.count_closed(&row, &closed);
        self.shown.schedules_changed = true;
        self.write_schedule(row)?;
        Ok(true)
    }

    /// Nobody declares it. What it was is kept for a while: it may come back, and no slot fires twice.
    fn remove(
        &mut self,
        mut row: ScheduleRow,
        now: Timestamp,
        kept: fn(ScheduleRow) -> ScheduleRow,
    ) -> Result<(), StoreError> {
        let closed = row.close(now);
        self.count_closed(&row, &closed);
        let mut row = kept(row);
        let name = row.schedule.name.clone();
        values::remove(&mut self.tree, keys::schedule(&name))?;
        (row.schedule.payload, row.shadowed) = (None, Vec::new());
        let removed = RemovedV1 { at: now.0, row: codec::encode_schedule(row)? };
        values::replace(&mut self.tree, keys::removed_schedule(&name), &codec::encode(&removed)?)?;
        self.schedules.push((name, None));
        self.shown.schedules_changed = true;
        Ok(())
    }

    /// Those that were removed long ago, and the oldest where there are many.
    fn forget_removed(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut removed = Vec::new();
        let (from, to) = ([keys::REMOVED_SCHEDULE], keys::end_of(&[keys::REMOVED_SCHEDULE]));
        self.tree.scan(&from, &to, Order::Ascending, &mut |key, stored| {
            let row = values::beginning(&self.tree, key, stored)?;
            removed.extend(row.map(|row| codec::removed_at(&row).map(|at| (at, key.to_vec()))).transpose()?);
            Ok(ControlFlow::Continue(()))
        })?;
        removed.sort_unstable();
        let surplus = removed.len().saturating_sub(REMOVED_MAX);
        let old = |(place, (at, _)): &(usize, (Timestamp, Vec<u8>))| *place < surplus || now.since(*at) > REMOVED_FOR;
        for (_, (_, key)) in removed.into_iter().enumerate().filter(old) {
            values::remove(&mut self.tree, key)?;
        }
        Ok(())
    }

    /// Slots that end with their rule.
    fn count_closed(&mut self, row: &ScheduleRow, records: &[SlotRecord]) {
        let name = &row.schedule.name;
        for record in records {
            if let Verdict::Changed { slots } = record.verdict {
                tracing::warn!(schedule = %name, slots, "{slots} slots of {name} had come and were undecided when it was changed: they are missed");
            }
        }
        self.count_slots(row, records);
    }

    fn count_slots(&mut self, row: &ScheduleRow, records: &[SlotRecord]) {
        let put_off = row.schedule.put_off();
        for record in records {
            self.counts.slots.add(&record.verdict);
            let late = record.decided_at.since(record.slot.plus(put_off)).0;
            self.counts.slots_late_ms += if record.verdict.run().is_some() { late } else { 0 };
        }
    }

    pub(crate) fn put_schedule(&mut self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, StoreError> {
        let name = schedule.name.clone();
        let Some(row) = self.schedule_row(&name)? else {
            let row = self.new_schedule(schedule, now)?;
            self.write_schedule(row.clone())?;
            return Ok(row);
        };
        let all = with_operators(&row, schedule)?;
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
        if !others.is_empty() {
            return self.redefine(row, others, now);
        }
        // Whoever makes it anew means another one.
        self.remove(row, now, ScheduleRow::forgotten)?;
        self.forget_removed(now)
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
            ScheduleChange::Reset => {
                let closed = row.reset(now).map_err(bad)?;
                self.count_closed(&row, &closed);
                true
            }
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
            let verdict = self.fire_slot(&mut row, job, firing.room, now)?;
            let record = SlotRecord { slot, decided_at: now, verdict };
            row.note(record.clone());
            records.push(record);
        }
        self.count_slots(&row, &records);
        row.decided = decision.to;
        row.next = decision.next.filter(|_| row.left() != Some(0));
        self.write_schedule(row)?;
        Ok(Fired::Decided(records))
    }

    fn fire_slot(
        &mut self,
        row: &mut ScheduleRow,
        job: NewJob,
        room: Room,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
        let mut alive = Vec::new();
        for run in &row.open {
            if self.is_alive(*run)? {
                alive.push(*run);
            }
        }
        row.open = alive;
        let open = row.open.len();
        let overlap = row.schedule.rules.overlap;
        let waits = matches!(overlap, Overlap::BufferOne | Overlap::BufferAll(_)) && open > 0;
        match overlap {
            Overlap::Skip if open > 0 => return Ok(Verdict::OverlapSkipped),
            Overlap::BufferOne if open > 1 => return Ok(Verdict::Dropped),
            Overlap::BufferAll(most) if open > most as usize => return Ok(Verdict::Dropped),
            // The others bound what waits by themselves.
            Overlap::Allow if open > 0 && self.is_full(room, self.deltas.len(), &[&job.run.target]) => {
                return Ok(Verdict::Dropped);
            }
            // Made by another definition: it would begin beside them.
            _ if waits && !self.are_at_its_gate(&row.open, &job.run)? => return Ok(Verdict::OverlapSkipped),
            Overlap::CancelRunning => {
                self.cancel(&std::mem::take(&mut row.open), CancelCause::Overlap, now)?;
            }
            _ => {}
        }
        let new = job.run.id;
        match self.enqueue(job, now)? {
            run if run == new && waits => Ok(Verdict::Buffered { run }),
            run if run == new => Ok(Verdict::Fired { run }),
            // The handler lets one run with its key be alive, and it is another's.
            _ => Ok(Verdict::OverlapSkipped),
        }
    }

    /// Whether a new run would wait for each of these.
    fn are_at_its_gate(&self, runs: &[RunId], new: &NewRun) -> Result<bool, StoreError> {
        let Some(gate) = new.terms.gate.as_ref().map(|gate| gate.id(&new.target)) else { return Ok(false) };
        for run in runs {
            let run = self.live_run(*run)?.map(|stored| stored.run);
            if run.and_then(|run| Some(run.gate?.id(&run.target))) != Some(gate) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A run that was alive has ended: its schedule may have to be paused.
    pub(super) fn schedule_run_ended(&mut self, run: &Run, at: Timestamp) -> Result<(), StoreError> {
        // Runs that were made by hand, by a backfill or as a replay say nothing of its slots.
        let of_slot = |name: &&ScheduleName| run.parent.is_none() && Schedule::is_slot_key(name, &run.idempotency_key);
        let Some(name) = run.schedule.as_ref().filter(of_slot) else { return Ok(()) };
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
        schedule_row(&self.tree, name)
    }

    fn known_schedule(&self, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
        self.schedule_row(name)?.ok_or_else(|| StoreError::NotFound(format!("schedule {name}")))
    }

    fn write_schedule(&mut self, row: ScheduleRow) -> Result<(), StoreError> {
        self.schedules.push((row.schedule.name.clone(), Some(Standing::of(&row))));
        let key = keys::schedule(&row.schedule.name);
        values::replace(&mut self.tree, key, &codec::encode_schedule(row)?)?;
        Ok(())
    }
}

fn rank(schedule: &Schedule) -> usize {
    Origin::BY_RANK.iter().position(|origin| *origin == schedule.origin).unwrap_or(usize::MAX)
}

/// What ends the slots of a schedule, if it does.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// These are declared now.
    Declared(Vec<Schedule>),
    /// An operator puts this one.
    Put(Box<Schedule>),
    /// An operator takes their own away.
    Removed,
    Reset,
}

/// Whether these are the declarations of plugins and of hooks.yaml that a row has.
pub(crate) fn is_declared_by(row: &ScheduleRow, declared: &mut [Schedule]) -> bool {
    declared.sort_by_key(rank);
    let known = std::iter::once(&row.schedule).chain(&row.shadowed);
    known.filter(|schedule| schedule.origin != Origin::Operator).eq(declared.iter())
}

/// What an operator has declared under the name, and what others have.
fn by_operator(row: &ScheduleRow) -> (Vec<Schedule>, Vec<Schedule>) {
    let all = std::iter::once(&row.schedule).chain(&row.shadowed);
    all.cloned().partition(|schedule| schedule.origin == Origin::Operator)
}

fn bad(bad: BadWhen) -> StoreError {
    StoreError::Conflict(bad.to_string())
}
