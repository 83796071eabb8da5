//! Schedules as they should be, by what was done to them: who declares one, how
//! far it came, what it counts, what is left of it when nobody declares it.
//! Compared with the stored row after each commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{Origin, RECENT_MAX, Schedule, ScheduleRow, SlotCounts, SlotRecord, Verdict};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::ScheduleChange;
use hookbox_store::{Store, StoreError};

use crate::almanac;
use crate::model::Model;
use crate::watch::{Watch, at_once};

pub(crate) type Schedules = BTreeMap<ScheduleName, ScheduleSeen>;

pub(crate) struct ScheduleSeen {
    /// By rank: the first counts.
    pub(crate) declared: Vec<Schedule>,
    pub(crate) anchor: Timestamp,
    pub(crate) decided: Timestamp,
    pub(crate) paused: bool,
    pub(crate) paused_until: Option<Timestamp>,
    failures: u32,
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

/// Slots that are counted where their rule ends.
const CLOSED_MAX: usize = 100_000;
/// How long one that nobody declares is kept.
const REMOVED_FOR: Millis = Millis(30 * Millis::DAY.0);

impl ScheduleSeen {
    fn new(declared: Vec<Schedule>, now: Timestamp) -> ScheduleSeen {
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
    fn redefine(&mut self, declared: Vec<Schedule>, now: Timestamp) -> Vec<SlotRecord> {
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
    fn revive(&mut self, declared: Vec<Schedule>, now: Timestamp) {
        self.declare(declared, now);
        self.decided = self.decided.max(now);
    }

    /// Whoever made it has removed it: what it fired and what may be alive is all that is kept.
    fn forget(self) -> ScheduleSeen {
        let ScheduleSeen { anchor, decided, own_verdicts, open, declared, .. } = self;
        ScheduleSeen { anchor, decided, own_verdicts, open, ..ScheduleSeen::new(declared, decided) }
    }

    /// Its rule ends: the slots that are due have their verdict.
    fn close(&mut self, now: Timestamp) -> Vec<SlotRecord> {
        if self.next().is_none() {
            return Vec::new();
        }
        let due = now.minus(self.schedule().map_or(Millis(0), Schedule::put_off));
        let mut come = self.undecided(due);
        come.truncate(CLOSED_MAX);
        self.passed += come.len() as u64;
        self.decided = come.last().copied().unwrap_or(self.decided);
        let in_pause = if self.paused {
            come.len()
        } else {
            come.partition_point(|slot| self.paused_until.is_some_and(|until| *slot <= until))
        };
        let (paused, changed) = come.split_at(in_pause);
        let record = |slots: &[Timestamp], verdict| {
            slots.last().map(|slot| SlotRecord { slot: *slot, decided_at: now, verdict })
        };
        let records = [
            record(paused, Verdict::Paused { slots: paused.len() as u64 }),
            record(changed, Verdict::Changed { slots: changed.len() as u64 }),
        ];
        let records: Vec<SlotRecord> = records.into_iter().flatten().collect();
        records.iter().for_each(|record| self.note(record.clone()));
        records
    }

    fn change(&mut self, change: &ScheduleChange, now: Timestamp) -> Vec<SlotRecord> {
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
    fn differs(&self, row: &ScheduleRow) -> Option<String> {
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

impl Watch {
    pub(crate) fn declared(&self, declared: &[Schedule], now: Timestamp, answer: &Result<(), StoreError>) {
        self.trace.note(format_args!("declare {} schedules: {answer:?}", declared.len()));
        if answer.is_err() {
            return;
        }
        let mut model = self.model();
        let mut names: BTreeSet<ScheduleName> = model.schedules.keys().cloned().collect();
        names.extend(declared.iter().map(|schedule| schedule.name.clone()));
        for name in names {
            let mut all: Vec<Schedule> = declared.iter().filter(|new| new.name == name).cloned().collect();
            all.extend(model.by_operator(&name).cloned());
            model.redefine(&name, all, now);
        }
        model.forget_removed(now);
    }

    pub(crate) fn put(&self, schedule: &Schedule, now: Timestamp, answer: &Result<ScheduleRow, StoreError>) {
        let name = &schedule.name;
        self.trace.note(format_args!("put {name}: {}", shown(answer)));
        let mut model = self.model();
        if self.refused(name, model.is_of(name, Origin::Config), answer) {
            return;
        }
        let mut all = model.by_others(name);
        all.push(schedule.clone());
        model.redefine(name, all, now);
    }

    pub(crate) fn removed(&self, name: &ScheduleName, now: Timestamp, answer: &Result<(), StoreError>) {
        self.trace.note(format_args!("remove {name}: {}", shown(answer)));
        let mut model = self.model();
        if self.refused(name, model.by_operator(name).is_none(), answer) {
            return;
        }
        model.tally.removed += 1;
        let all = model.by_others(name);
        let is_gone = all.is_empty();
        model.redefine(name, all, now);
        if is_gone {
            if let Some((at, seen)) = model.removed.remove(name) {
                model.removed.insert(name.clone(), (at, seen.forget()));
            }
            model.forget_removed(now);
        }
    }

    pub(crate) fn changed(
        &self,
        name: &ScheduleName,
        change: &ScheduleChange,
        now: Timestamp,
        answer: &Result<ScheduleRow, StoreError>,
    ) {
        self.trace.note(format_args!("{change:?} {name}: {}", shown(answer)));
        let mut model = self.model();
        if self.refused(name, !model.schedules.contains_key(name), answer) {
            return;
        }
        model.tally.reset += u64::from(*change == ScheduleChange::Reset);
        let closed = model.schedules.get_mut(name).map_or_else(Vec::new, |seen| seen.change(change, now));
        model.count_closed(&closed);
        model.touched.schedules.insert(name.clone());
    }

    /// Whether nothing was done; a refusal must be right.
    fn refused<T>(&self, name: &ScheduleName, rightly: bool, answer: &Result<T, StoreError>) -> bool {
        match answer {
            Ok(_) if rightly => self.trace.broken(format!("{name} was changed, which should be refused")),
            Err(StoreError::Conflict(why) | StoreError::NotFound(why)) if !rightly => {
                self.trace.broken(format!("{name} was not changed: {why}"));
            }
            _ => {}
        }
        answer.is_err()
    }

    /// Whether what the store says of a schedule is what was seen.
    pub(crate) fn check_schedule(&self, model: &Model, name: &ScheduleName) {
        let stored = at_once(self.store().schedule(name)).and_then(Result::ok);
        match (stored, model.schedules.get(name)) {
            (Some(row), Some(seen)) => {
                if let Some(why) = seen.differs(&row) {
                    self.trace.broken(format!("{name} {why}"));
                }
            }
            (None, None) => {}
            (stored, _) => self.trace.broken(format!("{name} is there: {}", stored.is_some())),
        }
    }

    /// Every slot up to a time must have its verdict, unless its schedule is paused or used up.
    pub(crate) fn check_all_decided(&self, up_to: Timestamp) {
        let model = self.model();
        for (name, seen) in model.schedules.iter().filter(|(_, seen)| !seen.paused && seen.left() != Some(0)) {
            let put_off = seen.schedule().map_or(Millis(0), Schedule::put_off);
            let undecided = seen.undecided(up_to.minus(put_off));
            if let Some(first) = undecided.first() {
                self.trace.broken(format!("{} slots of {name} have no verdict, from {first}", undecided.len()));
            }
            self.check_schedule(&model, name);
        }
    }
}

impl Model {
    fn is_of(&self, name: &ScheduleName, origin: Origin) -> bool {
        let counts = self.schedules.get(name).and_then(ScheduleSeen::schedule);
        counts.is_some_and(|schedule| schedule.origin == origin)
    }

    fn by_operator(&self, name: &ScheduleName) -> Option<&Schedule> {
        let declared = self.schedules.get(name).into_iter().flat_map(|seen| &seen.declared);
        declared.into_iter().find(|schedule| schedule.origin == Origin::Operator)
    }

    fn by_others(&self, name: &ScheduleName) -> Vec<Schedule> {
        let declared = self.schedules.get(name).into_iter().flat_map(|seen| &seen.declared);
        declared.filter(|schedule| schedule.origin != Origin::Operator).cloned().collect()
    }

    /// A run of a slot has ended: its schedule may be paused for it.
    pub(crate) fn schedule_run_ended(&mut self, name: &ScheduleName, status: RunStatus) {
        let Some(seen) = self.schedules.get_mut(name) else { return };
        let Some(most) = seen.schedule().and_then(|schedule| schedule.rules.pause_after) else { return };
        match status {
            RunStatus::Dead => seen.failures += 1,
            RunStatus::Succeeded => seen.failures = 0,
            _ => return,
        }
        if seen.failures >= most && !seen.paused {
            seen.paused = true;
            self.tally.paused_by_failures += 1;
        }
        self.touched.schedules.insert(name.clone());
    }

    /// Gives a schedule these declarations.
    fn redefine(&mut self, name: &ScheduleName, all: Vec<Schedule>, now: Timestamp) {
        let all = in_order(all);
        self.touched.schedules.insert(name.clone());
        let closed = match self.schedules.get_mut(name) {
            Some(seen) if seen.declared == all => Vec::new(),
            Some(seen) if all.is_empty() => {
                let closed = seen.close(now);
                let seen = self.schedules.remove(name);
                self.removed.extend(seen.map(|seen| (name.clone(), (now, seen))));
                closed
            }
            Some(seen) => {
                self.tally.redefined += 1;
                seen.redefine(all, now)
            }
            None if all.is_empty() => Vec::new(),
            None => {
                let seen = self.removed.remove(name).filter(|(at, _)| now.since(*at) <= REMOVED_FOR);
                self.tally.revived += u64::from(seen.is_some());
                let seen = match seen {
                    Some((_, mut seen)) => {
                        seen.revive(all, now);
                        seen
                    }
                    None => ScheduleSeen::new(all, now),
                };
                self.schedules.insert(name.clone(), seen);
                Vec::new()
            }
        };
        self.count_closed(&closed);
    }

    fn count_closed(&mut self, closed: &[SlotRecord]) {
        for record in closed {
            self.slots.add(&record.verdict);
            match record.verdict {
                Verdict::Changed { slots } => self.tally.changed += slots,
                Verdict::Paused { slots } => self.tally.changed_in_pause += slots,
                _ => {}
            }
        }
    }

    fn forget_removed(&mut self, now: Timestamp) {
        self.removed.retain(|_, (at, _)| now.since(*at) <= REMOVED_FOR);
    }
}

/// hooks.yaml comes before operators, and they before plugins. Without any declaration it is gone.
fn in_order(mut all: Vec<Schedule>) -> Vec<Schedule> {
    all.sort_by_key(|schedule| match schedule.origin {
        Origin::Config => 0,
        Origin::Operator => 1,
        Origin::Plugin => 2,
    });
    all
}

fn shown<T>(answer: &Result<T, StoreError>) -> String {
    answer.as_ref().map_or_else(|error| format!("{error:?}"), |_| "done".to_owned())
}
