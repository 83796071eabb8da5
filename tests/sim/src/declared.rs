//! What declarations, removals and operators make of schedules.

use std::collections::BTreeSet;

use hookbox_core::name::ScheduleName;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{Origin, Schedule, ScheduleRow, SlotRecord, Verdict};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::ScheduleChange;
use hookbox_store::{Store, StoreError};

use crate::model::Model;
use crate::schedules::ScheduleSeen;
use crate::watch::{Watch, at_once};

/// How long one that nobody declares is kept.
const REMOVED_FOR: Millis = Millis(30 * Millis::DAY.0);

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
