//! The verdicts on slots: which should fire and which are missed, by plain
//! counting, and what becomes of those that fire beside runs that are alive.

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{
    Basis, FIRES_PER_DECISION_MAX, Missed, ON_TIME, OPEN_MAX, Overlap, SLOTS_PER_DECISION_MAX, Schedule, SlotDecision,
    SlotRecord, Verdict, When,
};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::StoreError;
use hookbox_store::types::{Fired, Firing, NewJob};

use crate::almanac;
use crate::model::{Model, RunSeen, Seen};
use crate::schedules::ScheduleSeen;
use crate::watch::Watch;

impl Watch {
    pub(crate) fn fired(&self, firing: &Firing, answer: &Result<Fired, StoreError>) {
        let name = &firing.schedule;
        self.trace.note(format_args!("fire {name} up to {}: {answer:?}", firing.decision.to));
        let Ok(fired) = answer else { return };
        let mut model = self.model();
        let checked = match (fired, model.schedules.get(name).is_some_and(|seen| seen.allows(firing))) {
            (Fired::Decided(records), true) => self.fire(&mut model, firing, records),
            (Fired::Stale, false) => Ok(()),
            (fired, allowed) => Err(format!("{name} could be decided: {allowed}, and it is {fired:?}")),
        };
        self.check("fire", checked);
    }

    fn fire(&self, model: &mut Model, firing: &Firing, records: &[SlotRecord]) -> Result<(), String> {
        let (name, decision) = (&firing.schedule, &firing.decision);
        let Model { schedules, tally, touched, slots, .. } = model;
        touched.schedules.insert(name.clone());
        let seen = schedules.get_mut(name).ok_or("it is not there")?;
        let schedule = seen.schedule().cloned().ok_or("nobody declares it")?;
        let passed = seen.rightly_decided(&schedule, decision, firing.now).map_err(|why| format!("{name} {why}"))?;
        if let Some(twice) = decision.fire.iter().find(|slot| !seen.own_verdicts.insert(**slot)) {
            return Err(format!("{name} decides {twice} twice"));
        }
        seen.passed += passed;
        tally.across_changes += u64::from(almanac::changes_between(&schedule.when, decision.from, decision.to));
        tally.put_off += u64::from(schedule.put_off() > Millis(0));
        tally.once += u64::from(matches!(schedule.when, When::Once { .. }));
        let (before, now) = (seen.decided, firing.now);
        seen.decided = decision.to;
        let mut expected = Vec::new();
        for (passed, verdict) in [
            (&decision.paused, Verdict::Paused { slots: decision.paused.slots }),
            (&decision.missed, Verdict::Missed { slots: decision.missed.slots }),
        ] {
            expected.extend(passed.last.map(|slot| SlotRecord { slot, decided_at: now, verdict }));
        }
        (tally.paused, tally.missed) = (tally.paused + decision.paused.slots, tally.missed + decision.missed.slots);
        for record in &expected {
            slots.add(&record.verdict);
            seen.note(record.clone());
        }
        if records.get(..expected.len()) != Some(&expected) || records.len() != expected.len() + decision.fire.len() {
            return Err(format!("{name} from {before} is told {records:?}, it should begin with {expected:?}"));
        }
        for ((slot, job), record) in decision.fire.iter().zip(&firing.jobs).zip(&records[expected.len()..]) {
            if (record.slot, record.decided_at) != (*slot, now) {
                return Err(format!("{slot} of {name} has the verdict {record:?}"));
            }
            self.verdict(model, (name, &schedule), record, job)?;
        }
        if let Some(seen) = model.schedules.get_mut(name) {
            model.tally.ended += u64::from(seen.next().is_none());
        }
        Ok(())
    }

    /// One slot that is to fire.
    fn verdict(
        &self,
        model: &mut Model,
        (name, schedule): (&ScheduleName, &Schedule),
        record: &SlotRecord,
        job: &NewJob,
    ) -> Result<(), String> {
        let overlap = schedule.rules.overlap;
        let open: Vec<RunId> = model.schedules.get(name).map_or_else(Vec::new, |seen| seen.open.clone());
        let mut open: Vec<RunId> = open.into_iter().filter(|run| model.is_alive(*run)).collect();
        let beside = open.len();
        if overlap == Overlap::CancelRunning {
            model.tally.taken_over += beside as u64;
            for run in open.drain(..) {
                model.moves(run, Seen::Ended(RunStatus::Cancelled))?;
            }
        }
        let most = match overlap {
            Overlap::Skip => 1,
            Overlap::BufferOne => 2,
            Overlap::BufferAll(most) => most as usize + 1,
            Overlap::Allow | Overlap::CancelRunning => usize::MAX,
        };
        let kept_out = model.holder(&job.run).is_some();
        let buffers = matches!(overlap, Overlap::BufferOne | Overlap::BufferAll(_)) && beside > 0;
        let gate = job.run.terms.gate.as_ref().map(|gate| gate.id(&job.run.target));
        let waits_for = |run: &RunId| gate.is_some() && model.runs.get(run).and_then(RunSeen::gate_of) == gate;
        let cannot_wait = buffers && !open.iter().all(waits_for);
        let expected = match overlap {
            Overlap::Skip if beside >= most => Verdict::OverlapSkipped,
            _ if beside >= most => Verdict::Dropped,
            _ if cannot_wait || kept_out => Verdict::OverlapSkipped,
            _ if buffers => Verdict::Buffered { run: job.run.id },
            _ => Verdict::Fired { run: job.run.id },
        };
        if record.verdict != expected {
            return Err(format!("{name} has {beside} runs alive with {overlap:?}: {record:?}, not {expected:?}"));
        }
        match expected {
            Verdict::Fired { .. } => model.tally.fired += 1,
            Verdict::Buffered { .. } => model.tally.buffered += 1,
            Verdict::Dropped => model.tally.dropped += 1,
            _ => model.tally.overlapped += 1,
        }
        model.tally.could_not_wait += u64::from(cannot_wait && beside < most);
        model.slots.add(&record.verdict);
        if let Some(run) = expected.run() {
            open.push(run);
            open.drain(..open.len().saturating_sub(OPEN_MAX));
            model.enqueue(job)?;
            if let Some(run) = model.runs.get_mut(&run) {
                run.of_slot = true;
            }
        }
        if let Some(seen) = model.schedules.get_mut(name) {
            seen.open = open;
            seen.note(record.clone());
        }
        Ok(())
    }
}

impl ScheduleSeen {
    /// Whether a decision was made from what the schedule still is.
    fn allows(&self, firing: &Firing) -> bool {
        let Some(schedule) = self.schedule() else { return false };
        let basis = Basis { schedule: schedule.clone(), anchor: self.anchor, paused_until: self.paused_until };
        self.decided == firing.decision.from && !self.paused && basis == firing.basis
    }

    /// Decides anew what has come, and compares. Returns how many slots have passed.
    fn rightly_decided(&self, schedule: &Schedule, decision: &SlotDecision, now: Timestamp) -> Result<u64, String> {
        let now = now.minus(schedule.put_off());
        if schedule.put_off() > schedule.rules.jitter {
            return Err(format!("is put off by {}, with a jitter of {}", schedule.put_off(), schedule.rules.jitter));
        }
        let mut come = self.undecided(now);
        let all = come.len();
        come.truncate(SLOTS_PER_DECISION_MAX);
        let in_pause = come.partition_point(|slot| self.paused_until.is_some_and(|until| *slot <= until));
        let (most, within) = made_up_for(schedule, self.left());
        let (paused, missed, fire) = if in_pause > 0 {
            come.truncate(in_pause);
            (in_pause, 0, Vec::new())
        } else if all > SLOTS_PER_DECISION_MAX {
            // The latest are not known yet.
            come.truncate(SLOTS_PER_DECISION_MAX.saturating_sub(most));
            (0, come.len(), Vec::new())
        } else {
            let late = come.iter().filter(|slot| now.since(**slot) > within).count();
            let missed = late.max(come.len().saturating_sub(most));
            come.truncate(missed + FIRES_PER_DECISION_MAX);
            (0, missed, come.split_off(missed))
        };
        let to = fire.last().or(come.last()).copied();
        let told = (decision.paused.slots, decision.missed.slots, &decision.fire, Some(decision.to));
        let right = (paused as u64, missed as u64, &fire, to);
        if told != right {
            return Err(format!("has {all} slots after {}: {told:?} of them are decided, not {right:?}", self.decided));
        }
        Ok((paused + missed + fire.len()) as u64)
    }
}

/// Slots that a schedule makes up for, and how old they may be.
fn made_up_for(schedule: &Schedule, left: Option<u64>) -> (usize, Millis) {
    let rules = &schedule.rules;
    let day = rules.missed_within.unwrap_or(Millis::DAY).max(ON_TIME);
    let (most, within) = match rules.missed {
        Missed::None => (1, ON_TIME),
        Missed::Latest => (1, day),
        Missed::All(most) => (most as usize, day),
    };
    (most.min(left.map_or(usize::MAX, |left| left as usize)), within)
}
