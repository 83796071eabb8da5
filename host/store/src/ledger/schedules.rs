//! Declaring schedules and deciding their slots.

use hookbox_core::schedule::{Schedule, ScheduleRow, SlotRecord, Verdict};
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::query;
use crate::types::{Fired, Firing};
use crate::values;

impl Ledger<'_> {
    pub(crate) fn declare_schedules(&mut self, declared: Vec<Schedule>, now: Timestamp) -> Result<(), StoreError> {
        let known = query::schedules(&self.tree)?;
        for row in &known {
            if !declared.iter().any(|schedule| schedule.name == row.schedule.name) {
                values::remove(&mut self.tree, keys::schedule(&row.schedule.name))?;
                self.shown.schedules_changed = true;
            }
        }
        for schedule in declared {
            let known = known.iter().find(|row| row.schedule.name == schedule.name);
            let row = match known {
                Some(row) if row.schedule == schedule => continue,
                Some(row) => row.clone().redefined(schedule, now),
                None => ScheduleRow::new(schedule, now),
            };
            self.put_schedule(row.map_err(|e| StoreError::Conflict(e.to_string()))?)?;
        }
        Ok(())
    }

    pub(crate) fn fire(&mut self, firing: Firing) -> Result<Fired, StoreError> {
        let Some(row) = values::get(&self.tree, &keys::schedule(&firing.schedule))? else { return Ok(Fired::Stale) };
        let mut row = codec::decode_schedule(&row)?;
        let (decision, now) = (firing.decision, firing.now);
        let other_target = firing.job.as_ref().is_some_and(|job| job.run.target != row.schedule.target);
        if row.decided != decision.from || other_target {
            return Ok(Fired::Stale);
        }
        if let Some(slot) = decision.missed_last {
            row.note(SlotRecord { slot, decided_at: now, verdict: Verdict::Missed { slots: decision.missed } });
        }
        let overlapping = match row.last_run {
            Some(run) if self.is_alive(run)? => Some(run),
            _ => None,
        };
        let fired = match (decision.fire, firing.job, overlapping) {
            (Some(slot), _, Some(run)) => {
                row.note(SlotRecord { slot, decided_at: now, verdict: Verdict::OverlapSkipped });
                Fired::OverlapSkipped(run)
            }
            (Some(slot), Some(job), None) => {
                let run = self.enqueue(job, now)?;
                row.note(SlotRecord { slot, decided_at: now, verdict: Verdict::Fired { run } });
                Fired::Run(run)
            }
            (Some(_), None, None) => {
                return Err(StoreError::Conflict(format!("a slot of {} is to fire without a job", firing.schedule)));
            }
            (None, _, _) => Fired::Missed,
        };
        row.decided = decision.to;
        row.next = decision.next;
        self.put_schedule(row)?;
        Ok(fired)
    }

    fn put_schedule(&mut self, row: ScheduleRow) -> Result<(), StoreError> {
        let key = keys::schedule(&row.schedule.name);
        values::replace(&mut self.tree, key, &codec::encode_schedule(row)?)?;
        self.shown.schedules_changed = true;
        Ok(())
    }
}
