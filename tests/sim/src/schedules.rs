//! Schedules as they should be, by what was done to them: who declares one, how
//! far it came, what it counts. Compared with the stored row after each commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{Origin, RECENT_MAX, Schedule, ScheduleRow, SlotCounts, SlotRecord};
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
    pub(crate) counts: SlotCounts,
    /// Slots that have passed and were decided.
    pub(crate) passed: u64,
    pub(crate) recent: VecDeque<SlotRecord>,
    /// Slots that had a verdict of their own since it was begun anew.
    pub(crate) own_verdicts: BTreeSet<Timestamp>,
    /// Runs of its slots that may be alive.
    pub(crate) open: Vec<RunId>,
}

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
        Some(count.saturating_sub(self.counts.fired + self.counts.buffered))
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
        self.recent.push_back(record);
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    /// Other declarations of the same name.
    fn redefine(&mut self, declared: Vec<Schedule>, now: Timestamp) {
        let when = |declared: &[Schedule]| declared.first().map(|schedule| schedule.when.clone());
        let same_times = when(&declared) == when(&self.declared);
        // What passed without a slot stays without one, whatever the new bounds say.
        let without_slots = self.next().map_or(now, |next| now.min(next.minus(Millis(1))));
        self.declared = declared;
        if !same_times {
            self.anchor = now;
        }
        self.decided = self.decided.max(if same_times { without_slots } else { now });
    }

    fn change(&mut self, change: &ScheduleChange, now: Timestamp) {
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
                (self.anchor, self.decided, self.paused_until) = (now, now, None);
                self.own_verdicts.clear();
            }
        }
    }

    /// What differs from the row that is stored.
    fn differs(&self, row: &ScheduleRow) -> Option<String> {
        let declared: Vec<&Schedule> = std::iter::once(&row.schedule).chain(&row.shadowed).collect();
        let counts = &self.counts;
        let decided =
            counts.fired + counts.missed + counts.overlap_skipped + counts.buffered + counts.dropped + counts.paused;
        let ours = format!(
            "{:?}",
            (&self.anchor, &self.decided, self.paused, self.paused_until, self.failures, self.counts, self.next())
        );
        let theirs = format!(
            "{:?}",
            (&row.anchor, &row.decided, row.pause.is_some(), row.paused_until, row.failures, row.counts, row.next)
        );
        if declared != self.declared.iter().collect::<Vec<_>>() {
            return Some(format!("is declared as {declared:?}, it should be {:?}", self.declared));
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
            redefine(&mut model, &name, all, now);
        }
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
        redefine(&mut model, name, all, now);
    }

    pub(crate) fn removed(&self, name: &ScheduleName, now: Timestamp, answer: &Result<(), StoreError>) {
        self.trace.note(format_args!("remove {name}: {}", shown(answer)));
        let mut model = self.model();
        if self.refused(name, model.by_operator(name).is_none(), answer) {
            return;
        }
        model.tally.removed += 1;
        let all = model.by_others(name);
        redefine(&mut model, name, all, now);
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
        if let Some(seen) = model.schedules.get_mut(name) {
            seen.change(change, now);
        }
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

    /// A run of a schedule has ended: it may be paused for it.
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
}

/// hooks.yaml comes before operators, and they before plugins. Without any declaration it is gone.
fn redefine(model: &mut Model, name: &ScheduleName, mut all: Vec<Schedule>, now: Timestamp) {
    all.sort_by_key(|schedule| match schedule.origin {
        Origin::Config => 0,
        Origin::Operator => 1,
        Origin::Plugin => 2,
    });
    model.touched.schedules.insert(name.clone());
    match model.schedules.get_mut(name) {
        _ if all.is_empty() => drop(model.schedules.remove(name)),
        Some(seen) if seen.declared == all => {}
        Some(seen) => {
            model.tally.redefined += 1;
            seen.redefine(all, now);
        }
        None => {
            model.schedules.insert(name.clone(), ScheduleSeen::new(all, now));
        }
    }
}

fn shown<T>(answer: &Result<T, StoreError>) -> String {
    answer.as_ref().map_or_else(|error| format!("{error:?}"), |_| "done".to_owned())
}
