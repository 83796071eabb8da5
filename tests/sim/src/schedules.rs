//! Schedules as they should be, by what was done to them: who declares one, how
//! far it came, what it counts, what is left of it when nobody declares it.
//! Compared with the stored row after each commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{RECENT_MAX, Schedule, ScheduleRow, SlotCounts, SlotRecord, Verdict};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::ScheduleChange;

use crate::almanac;

pub(crate) type Schedules = BTreeMap<ScheduleName, ScheduleSeen>;

pub(crate) struct ScheduleSeen {
    /// By rank: the first counts.
    pub(crate) declared: Vec<Schedule>,
    pub(crate) anchor: Timestamp,
    pub(crate) decided: Timestamp,
    pub(crate) paused: bool,
    pub(crate) paused_until: Option<Timestamp>,
    pub(crate) failures: u32,
    counts: SlotCounts,
    /// Slots that made a run by the definition that it has.
    counted: u64,
    /// Slots that have passed and were decided.
    pub(crate) passed: u64,
    pub(crate) recent: VecDeque<SlotRecord>,
    /// Slots that had a verdict of their own since it was begun anew.
    pub(crate) own_verdicts: BTreeSet<Timestamp>,
    /// Runs of its slots that may be alive, the latest.
    pub(crate) open: Vec<RunId>,
}

/// Slots that have one verdict together where their rule ends.
const CLOSED_AT_ONCE: usize = 5000;

impl ScheduleSeen {
    pub(crate) fn new(declared: Vec<Schedule>, now: Timestamp) -> ScheduleSeen {
        ScheduleSeen {
            declared,
            anchor: now,
            decided: now,
            paused: false,
            paused_until: None,
            failures: 0,
            counts: SlotCounts::default(),
            counted: 0,
            passed: 0,
            recent: VecDeque::new(),
            own_verdicts: BTreeSet::new(),
            open: Vec::new(),
        }
    }

    /// The declaration that counts; there is always one.
    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        self.declared.first()
    }

    pub(crate) fn left(&self) -> Option<u64> {
        let count = self.schedule()?.rules.count?;
        Some(count.saturating_sub(self.counted))
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        let schedule = self.schedule().filter(|_| self.left() != Some(0))?;
        almanac::next_slot(&schedule.when, &schedule.rules, self.anchor, self.decided)
    }

    /// Slots that nobody has decided, up to a time.
    pub(crate) fn undecided(&self, to: Timestamp) -> Vec<Timestamp> {
        let Some(schedule) = self.schedule() else { return Vec::new() };
        almanac::slots(&schedule.when, &schedule.rules, self.anchor, self.decided, to).collect()
    }

    pub(crate) fn note(&mut self, record: SlotRecord) {
        self.counts.add(&record.verdict);
        self.counted += u64::from(record.verdict.run().is_some());
        self.recent.push_back(record);
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    /// Other declarations of the same name. Returns the verdicts on slots that end with those of before.
    pub(crate) fn redefine(&mut self, declared: Vec<Schedule>, now: Timestamp) -> Vec<SlotRecord> {
        let (Some(old), Some(new)) = (self.schedule().cloned(), declared.first()) else { return Vec::new() };
        let same_rule = old.when == new.when;
        let same_times = same_rule && (old.rules.start, old.rules.end) == (new.rules.start, new.rules.end);
        let decided_before = match self.next() {
            None => now,
            Some(_) if !same_rule => now,
            Some(_) if same_times => self.decided,
            // What passed without a slot stays without one, whatever the new bounds say.
            Some(_) => {
                let due = now.minus(old.put_off());
                let put_off = almanac::next_slot(&old.when, &old.rules, self.anchor, self.decided.max(due));
                put_off.map_or(now, |slot| now.min(slot.minus(Millis(1))))
            }
        };
        let closed = if same_times { Vec::new() } else { self.close(now) };
        self.decided = self.decided.max(decided_before);
        self.declare(declared, now);
        closed
    }

    fn declare(&mut self, declared: Vec<Schedule>, now: Timestamp) {
        let (Some(old), Some(new)) = (self.schedule(), declared.first()) else { return };
        let same_rule = old.when == new.when;
        if !same_rule || old.target != new.target || old.origin != new.origin {
            self.counted = 0;
        }
        if !same_rule {
            self.anchor = now;
        }
        self.declared = declared;
    }

    /// It is declared again: what it had goes on, and there were no slots while it was gone.
    pub(crate) fn revive(&mut self, declared: Vec<Schedule>, now: Timestamp) {
        self.declare(declared, now);
        self.decided = self.decided.max(now);
    }

    /// Whoever made it has removed it: what it fired and what may be alive is all that is kept.
    pub(crate) fn forget(self) -> ScheduleSeen {
        let ScheduleSeen { anchor, decided, own_verdicts, open, declared, .. } = self;
        ScheduleSeen { anchor, decided, own_verdicts, open, ..ScheduleSeen::new(declared, decided) }
    }

    /// Its rule ends: the slots that are due have their verdict.
    pub(crate) fn close(&mut self, now: Timestamp) -> Vec<SlotRecord> {
        if self.next().is_none() {
            return Vec::new();
        }
        let due = now.minus(self.schedule().map_or(Millis(0), Schedule::put_off));
        let come = self.undecided(due);
        self.passed += come.len() as u64;
        self.decided = come.last().copied().unwrap_or(self.decided);
        let record = |slots: &[Timestamp], verdict| {
            slots.last().map(|slot| SlotRecord { slot: *slot, decided_at: now, verdict })
        };
        let mut records = Vec::new();
        for come in come.chunks(CLOSED_AT_ONCE) {
            let in_pause = |slot: &Timestamp| self.paused || self.paused_until.is_some_and(|until| *slot <= until);
            let (paused, changed) = come.split_at(come.partition_point(in_pause));
            records.extend(record(paused, Verdict::Paused { slots: paused.len() as u64 }));
            records.extend(record(changed, Verdict::Changed { slots: changed.len() as u64 }));
        }
        records.iter().for_each(|record| self.note(record.clone()));
        records
    }

    pub(crate) fn change(&mut self, change: &ScheduleChange, now: Timestamp) -> Vec<SlotRecord> {
        let mut closed = Vec::new();
        match change {
            ScheduleChange::Pause(_) => self.paused = true,
            ScheduleChange::Resume if self.paused => {
                let put_off = self.schedule().map_or(Millis(0), Schedule::put_off);
                self.paused = false;
                self.paused_until = Some(now.minus(put_off));
                self.failures = 0;
            }
            ScheduleChange::Resume => {}
            ScheduleChange::Reset => {
                closed = self.close(now);
                (self.anchor, self.decided, self.paused_until) = (now, now, None);
                self.own_verdicts.clear();
            }
        }
        closed
    }

    /// What differs from the row that is stored.
    pub(crate) fn differs(&self, row: &ScheduleRow) -> Option<String> {
        let declared: Vec<&Schedule> = std::iter::once(&row.schedule).chain(&row.shadowed).collect();
        let counts = &self.counts;
        let decided =
            counts.fired + counts.missed + counts.overlap_skipped + counts.buffered + counts.dropped + counts.paused;
        let ours =
            format!("{:?}", (&self.anchor, &self.decided, self.paused, self.paused_until, self.failures, self.next()));
        let theirs =
            format!("{:?}", (&row.anchor, &row.decided, row.pause.is_some(), row.paused_until, row.failures, row.next));
        if declared != self.declared.iter().collect::<Vec<_>>() {
            return Some(format!("is declared as {declared:?}, it should be {:?}", self.declared));
        }
        if (row.counts, row.counted, &row.open) != (self.counts, self.counted, &self.open) {
            let counted = (self.counts, self.counted, &self.open);
            return Some(format!("counts {:?}, it should be {counted:?}", (row.counts, row.counted, &row.open)));
        }
        if decided != self.passed {
            return Some(format!("has passed {} slots and decided {decided}", self.passed));
        }
        if !row.recent.iter().eq(&self.recent) {
            return Some(format!("says of its last slots {:?}, seen were {:?}", row.recent, self.recent));
        }
        (ours != theirs).then(|| format!("is {theirs}, it should be {ours}"))
    }
}
