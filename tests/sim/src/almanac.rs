//! When schedules fire, worked out another way than hookbox does: instant by
//! instant, with the clocks of three zones by hand. A wildcard (its minute or
//! hour begins with a star) fires at every instant whose wall time fits. A
//! fixed time fires once a day: not again where the clock has been set back,
//! and at the change where its time was skipped.

use hookbox_core::cron::DayRule;
use hookbox_core::schedule::{Rules, When};
use hookbox_core::time::{Millis, Timestamp};

const MINUTE: u64 = 60_000;
/// How far the next slot is looked for: all rules here fire each day.
const HORIZON: u64 = 3 * 24 * 60 * MINUTE;

/// A cron expression that fires each day, and what it means.
pub(crate) struct Rule {
    expression: &'static str,
    zone: &'static str,
    is_wildcard: bool,
    /// No slot lies between two multiples of it.
    step: u64,
    /// By hour, minute and second.
    fits: fn(u64, u64, u64) -> bool,
}

const NEW_YORK: &str = "America/New_York";
const BERLIN: &str = "Europe/Berlin";
const LORD_HOWE: &str = "Australia/Lord_Howe";

const fn star(expression: &'static str, zone: &'static str, fits: fn(u64, u64, u64) -> bool) -> Rule {
    Rule { expression, zone, is_wildcard: true, step: MINUTE, fits }
}

const fn fixed(expression: &'static str, zone: &'static str, fits: fn(u64, u64, u64) -> bool) -> Rule {
    Rule { expression, zone, is_wildcard: false, step: MINUTE, fits }
}

const RULES: [Rule; 13] = [
    star("* * * * *", "UTC", |_, _, _| true),
    Rule { step: 10_000, ..star("*/10 * * * * *", "UTC", |_, _, second| second % 10 == 0) },
    star("*/5 * * * *", NEW_YORK, |_, minute, _| minute % 5 == 0),
    star("45 */2 * * *", NEW_YORK, |hour, minute, _| hour % 2 == 0 && minute == 45),
    fixed("30 1 * * *", NEW_YORK, |hour, minute, _| hour == 1 && minute == 30),
    fixed("0-50/10 1-3 * * *", NEW_YORK, |hour, minute, _| (1..=3).contains(&hour) && minute % 10 == 0),
    fixed("0,30 2 * * *", NEW_YORK, |hour, minute, _| hour == 2 && minute % 30 == 0),
    star("*/15 * * * *", BERLIN, |_, minute, _| minute % 15 == 0),
    fixed("15,45 1-3 * * *", BERLIN, |hour, minute, _| (1..=3).contains(&hour) && (minute == 15 || minute == 45)),
    fixed("0 2 * * *", BERLIN, |hour, minute, _| hour == 2 && minute == 0),
    star("*/10 2 * * *", LORD_HOWE, |hour, minute, _| hour == 2 && minute % 10 == 0),
    star("*/20 * * * *", LORD_HOWE, |_, minute, _| minute % 20 == 0),
    fixed("10,50 1,2 * * *", LORD_HOWE, |hour, minute, _| (hour == 1 || hour == 2) && (minute == 10 || minute == 50)),
];

/// A clock on a wall is set from one offset, in minutes, to another.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    zone: &'static str,
    pub(crate) at: u64,
    before: i64,
    after: i64,
}

/// In order; before the first of a zone its clock is as it says.
pub(crate) const CHANGES: [Change; 6] = [
    Change { zone: LORD_HOWE, at: 1_791_041_400_000, before: 630, after: 660 },
    Change { zone: BERLIN, at: 1_792_890_000_000, before: 120, after: 60 },
    Change { zone: NEW_YORK, at: 1_793_512_800_000, before: -240, after: -300 },
    Change { zone: NEW_YORK, at: 1_805_007_600_000, before: -300, after: -240 },
    Change { zone: BERLIN, at: 1_806_195_600_000, before: 60, after: 120 },
    Change { zone: LORD_HOWE, at: 1_806_764_400_000, before: 660, after: 630 },
];

impl Change {
    fn shown(&self, at: u64, offset: i64) -> u64 {
        at.saturating_add_signed(offset * MINUTE.cast_signed())
    }

    /// Wall times that the clock leaves out, or shows once more.
    fn between(&self) -> std::ops::Range<u64> {
        let (before, after) = (self.shown(self.at, self.before), self.shown(self.at, self.after));
        before.min(after)..before.max(after)
    }

    fn skips(&self) -> bool {
        self.after > self.before
    }
}

impl Rule {
    pub(crate) fn when(&self) -> When {
        let (expression, timezone) = (self.expression.to_owned(), self.zone.to_owned());
        When::Cron { expression, timezone, day_rule: DayRule::default() }
    }

    fn of(expression: &str, zone: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.expression == expression && rule.zone == zone)
    }

    fn fits(&self, wall: u64) -> bool {
        let second = wall / 1000;
        (self.fits)(second / 3600 % 24, second / 60 % 60, second % 60)
    }

    fn fires(&self, at: u64) -> bool {
        let changes = || CHANGES.iter().filter(|change| change.zone == self.zone);
        let last = changes().rev().find(|change| change.at <= at);
        let wall = match (last, changes().next()) {
            (Some(change), _) => change.shown(at, change.after),
            (None, Some(first)) => first.shown(at, first.before),
            (None, None) => at,
        };
        match last.filter(|_| !self.is_wildcard) {
            Some(change) if change.skips() && change.at == at => {
                self.fits(wall) || change.between().step_by(MINUTE as usize).any(|skipped| self.fits(skipped))
            }
            // The clock shows it for the second time.
            Some(change) if !change.skips() && change.between().contains(&wall) => false,
            _ => self.fits(wall),
        }
    }
}

/// Those of one zone, or all.
pub(crate) fn rules(zone: Option<&'static str>) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| zone.is_none_or(|zone| rule.zone == zone))
}

/// Where clocks were changed lately, or will be.
pub(crate) fn zone_of_change_near(now: Timestamp) -> Option<&'static str> {
    let near = |change: &&Change| change.at.abs_diff(now.0) < Millis::DAY.0;
    CHANGES.iter().find(near).map(|change| change.zone)
}

/// The first time of a rule after another.
fn next_time(when: &When, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
    match when {
        When::Once { at } => Some(*at).filter(|at| *at > after),
        When::Every { period, phase } => {
            let first = phase.map_or(anchor.0, |phase| phase.0);
            let gone = after.0.checked_sub(first).map_or(0, |gone| gone / period.0 + 1);
            Some(Timestamp(first + gone * period.0))
        }
        When::Cron { expression, timezone, .. } => {
            let rule = Rule::of(expression, timezone)?;
            let first = (after.0 / rule.step + 1) * rule.step;
            let times = (first..first + HORIZON).step_by(rule.step as usize);
            times.into_iter().find(|at| rule.fires(*at)).map(Timestamp)
        }
    }
}

/// The first slot of a rule within its bounds after a time.
pub(crate) fn next_slot(when: &When, rules: &Rules, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
    let after = rules.start.map_or(after, |start| after.max(start.minus(Millis(1))));
    next_time(when, anchor, after).filter(|slot| rules.end.is_none_or(|end| *slot < end))
}

/// The slots after a time up to another.
pub(crate) fn slots(
    when: &When,
    rules: &Rules,
    anchor: Timestamp,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = Timestamp> {
    let next = move |after: &Timestamp| next_slot(when, rules, anchor, *after).filter(|slot| *slot <= to);
    std::iter::successors(next(&from), next)
}

/// Whether a clock that a rule goes by was changed between two times.
pub(crate) fn changes_between(when: &When, from: Timestamp, to: Timestamp) -> bool {
    let When::Cron { timezone, .. } = when else { return false };
    CHANGES.iter().any(|change| change.zone == timezone && (from.0..=to.0).contains(&change.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both have the same times around each change; neither knows how the other finds them.
    #[test]
    fn hookbox_and_the_almanac_agree_around_each_change() {
        for (rule, change) in RULES.iter().flat_map(|rule| CHANGES.iter().map(move |change| (rule, change))) {
            let (when, rules) = (rule.when(), Rules::default());
            let schedule = hookbox_core::schedule::Schedule {
                name: "one".parse().unwrap(),
                target: crate::handler("alpha", "tick"),
                when: when.clone(),
                payload: None,
                origin: hookbox_core::schedule::Origin::Config,
                rules,
            };
            let from = Timestamp(change.at).minus(Millis(30 * 60 * MINUTE));
            let row = hookbox_core::schedule::ScheduleRow::new(schedule, from).unwrap();
            let theirs = row.slots().unwrap();
            let until = Timestamp(change.at + 30 * 60 * MINUTE);
            let theirs: Vec<_> = std::iter::successors(theirs.next_after(from), |slot| theirs.next_after(*slot))
                .take_while(|slot| *slot <= until)
                .collect();
            let ours: Vec<_> = slots(&when, &rules, from, from, until).collect();
            assert_eq!(theirs, ours, "{} {}", rule.expression, rule.zone);
        }
    }
}
