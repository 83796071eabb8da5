//! When a handler runs by itself: the definition of a schedule, its state, and
//! the verdict on each of its slots.
//!
//! A schedule's row holds the last decided slot (`decided`). Deciding is pure;
//! the store commits a decision only if `decided` is still what the decision
//! was made from, so any number of nodes may tick and each slot has exactly one
//! verdict.

use serde::{Deserialize, Serialize};

use crate::attempt::Output;
use crate::cron::{Calendar, CronExpr, DayRule, Every, TooRare, Zones};
use crate::id::RunId;
use crate::name::{HandlerRef, ScheduleName};
use crate::time::{Millis, Timestamp};

pub use crate::cron::Zone as ZoneName;

/// A firing later than this after its slot is not made up for.
pub const MISSED_WINDOW: Millis = Millis::DAY;
/// Slots that one decision looks at: a second of work for the worst expression. What is left is decided next.
pub const SLOTS_PER_DECISION_MAX: u64 = 100_000;
/// Verdicts that are kept with a schedule.
pub const RECENT_MAX: usize = 10;

/// The rule by which a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    Cron { expression: String, timezone: String, day_rule: DayRule },
    Every { period: Millis },
}

/// A rule that is refused, with its cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWhen {
    #[error("{0}")]
    Cron(String),
    #[error("cron expression {0:?} can never fire: no such day exists")]
    Never(String),
    /// It can fire, but not within ten years of the day on which it was to be made.
    #[error("{0} {1}")]
    TooRare(When, TooRare),
    #[error("every: {0}")]
    Every(String),
}

impl When {
    pub fn cron(expression: &str, zone: Option<ZoneName>) -> Result<When, BadWhen> {
        When::cron_with(expression, zone.unwrap_or_default(), DayRule::default())
    }

    /// Refuses what no day fits, whatever the zone and the year; what is too rare is told by [`When::first_after`].
    pub fn cron_with(expression: &str, zone: ZoneName, day_rule: DayRule) -> Result<When, BadWhen> {
        let parsed = CronExpr::parse(expression).map_err(|e| BadWhen::Cron(e.to_string()))?.with_day_rule(day_rule);
        if !parsed.names_a_day() {
            return Err(BadWhen::Never(expression.to_owned()));
        }
        Ok(When::Cron { expression: expression.trim().to_owned(), timezone: zone.to_string(), day_rule })
    }

    pub fn every(period: Millis) -> Result<When, BadWhen> {
        Every::new(period, Timestamp(0)).map_err(|e| BadWhen::Every(e.to_string()))?;
        Ok(When::Every { period })
    }

    /// `anchor` gives an interval its phase. Fails only where a row was written by a release with another grammar or
    /// other zones.
    pub fn calendar(&self, anchor: Timestamp) -> Result<Calendar, BadWhen> {
        self.calendar_in(anchor, &Zones::default())
    }

    /// As [`When::calendar`], with zones of the caller's.
    pub fn calendar_in(&self, anchor: Timestamp, zones: &Zones) -> Result<Calendar, BadWhen> {
        match self {
            When::Cron { expression, timezone, day_rule } => {
                let expr = CronExpr::parse(expression).map_err(|e| BadWhen::Cron(e.to_string()))?;
                let zone = zones.find(timezone).map_err(|e| BadWhen::Cron(e.to_string()))?;
                Ok(Calendar::Cron { expr: expr.with_day_rule(*day_rule), zone })
            }
            When::Every { period } => {
                Every::new(*period, anchor).map(Calendar::Every).map_err(|e| BadWhen::Every(e.to_string()))
            }
        }
    }
}

impl When {
    /// The first time of a schedule that is made at `now`: a rule without one in the ten years ahead is refused, as
    /// [`Calendar::first_after`] tells. To be asked where a schedule is new or its rule is another, and only there.
    pub fn first_after(&self, now: Timestamp, zones: &Zones) -> Result<Timestamp, BadWhen> {
        self.calendar_in(now, zones)?.first_after(now).map_err(|rare| BadWhen::TooRare(self.clone(), rare))
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            When::Cron { expression, timezone, .. } => write!(f, "{expression} ({timezone})"),
            When::Every { period } => write!(f, "every {period}"),
        }
    }
}

/// Who declares a schedule. hooks.yaml comes before a plugin where both name the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Plugin,
    Config,
}

/// What a schedule is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub name: ScheduleName,
    pub target: HandlerRef,
    pub when: When,
    pub payload: Option<Output>,
    pub origin: Origin,
}

/// What a schedule is and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    pub schedule: Schedule,
    /// Phase of an interval; the first registration.
    pub anchor: Timestamp,
    /// Every slot up to here has its verdict.
    pub decided: Timestamp,
    pub next: Option<Timestamp>,
    pub last_fired: Option<Timestamp>,
    pub last_run: Option<RunId>,
    pub counts: SlotCounts,
    /// The latest verdicts, oldest first.
    pub recent: Vec<SlotRecord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlotCounts {
    pub fired: u64,
    pub missed: u64,
    pub overlap_skipped: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The slot; for several missed ones the last of them.
    pub slot: Timestamp,
    pub decided_at: Timestamp,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Fired {
        run: RunId,
    },
    /// So many slots passed while nobody could fire them.
    Missed {
        slots: u64,
    },
    /// The run of an earlier slot was not finished.
    OverlapSkipped,
}

/// What is to be done about the slots that have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotDecision {
    /// The high-water mark it was made from.
    pub from: Timestamp,
    /// The new one.
    pub to: Timestamp,
    /// Slots before `fire` (or up to `to`) that are missed, and the last of them.
    pub missed: u64,
    pub missed_last: Option<Timestamp>,
    pub fire: Option<Timestamp>,
    pub next: Option<Timestamp>,
}

impl ScheduleRow {
    /// Nothing before `now` is due for a schedule that is new.
    pub fn new(schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, BadWhen> {
        let next = schedule.when.calendar(now)?.next_after(now);
        Ok(ScheduleRow {
            schedule,
            anchor: now,
            decided: now,
            next,
            last_fired: None,
            last_run: None,
            counts: SlotCounts::default(),
            recent: Vec::new(),
        })
    }

    /// Takes over a changed definition. Another rule begins anew at `now`; the same rule keeps its mark.
    pub fn redefined(mut self, schedule: Schedule, now: Timestamp) -> Result<ScheduleRow, BadWhen> {
        if schedule.when != self.schedule.when {
            let calendar = schedule.when.calendar(now)?;
            self.anchor = now;
            // Never behind what is decided: a slot has one verdict, whatever the clock says.
            self.decided = now.max(self.decided);
            self.next = calendar.next_after(self.decided);
        }
        self.schedule = schedule;
        Ok(self)
    }

    pub fn note(&mut self, record: SlotRecord) {
        match &record.verdict {
            Verdict::Fired { run } => {
                self.counts.fired += 1;
                self.last_fired = Some(record.slot);
                self.last_run = Some(*run);
            }
            Verdict::Missed { slots } => self.counts.missed += slots,
            Verdict::OverlapSkipped => self.counts.overlap_skipped += 1,
        }
        self.recent.push(record);
        let surplus = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..surplus);
    }
}

/// Decides the slots after `decided` and up to `now`: the latest is fired if it is not older than
/// [`MISSED_WINDOW`], those before it are missed. Nothing where no slot has come, or the clock is behind the mark.
pub fn decide(calendar: &Calendar, decided: Timestamp, now: Timestamp) -> Option<SlotDecision> {
    let mut latest = calendar.next_after(decided).filter(|slot| *slot <= now && *slot > decided)?;
    let mut missed = 0;
    let mut missed_last = None;
    let mut next = calendar.next_after(latest);
    while let Some(slot) = next.filter(|slot| *slot <= now && *slot > latest) {
        if missed + 1 == SLOTS_PER_DECISION_MAX {
            let whole = SlotDecision {
                from: decided,
                to: latest,
                missed: missed + 1,
                missed_last: Some(latest),
                fire: None,
                next,
            };
            return Some(whole);
        }
        missed += 1;
        missed_last = Some(latest);
        latest = slot;
        next = calendar.next_after(latest);
    }
    let next = next.filter(|slot| *slot > latest);
    let fire = (now.since(latest) <= MISSED_WINDOW).then_some(latest);
    if fire.is_none() {
        missed += 1;
        missed_last = Some(latest);
    }
    Some(SlotDecision { from: decided, to: latest, missed, missed_last, fire, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{HandlerName, PluginName};
    use proptest::prelude::*;

    fn every(period: Millis) -> Calendar {
        When::every(period).unwrap().calendar(Timestamp(0)).unwrap()
    }

    fn schedule(when: When) -> Schedule {
        let target = HandlerRef {
            plugin: PluginName::parse("daily-digest").unwrap(),
            handler: HandlerName::parse("digest").unwrap(),
        };
        Schedule { name: ScheduleName::of(&target), target, when, payload: None, origin: Origin::Plugin }
    }

    const NOON: Timestamp = Timestamp(1_780_000_000_000);

    #[test]
    fn a_slot_that_has_come_is_fired() {
        let calendar = every(Millis::MINUTE);
        let decision = decide(&calendar, Timestamp(60_000), Timestamp(120_005)).unwrap();
        assert_eq!((decision.fire, decision.missed, decision.to), (Some(Timestamp(120_000)), 0, Timestamp(120_000)));
        assert_eq!(decision.next, Some(Timestamp(180_000)));
    }

    #[test]
    fn no_slot_is_decided_twice() {
        assert_eq!(decide(&every(Millis::MINUTE), Timestamp(120_000), Timestamp(120_005)), None);
    }

    #[test]
    fn a_clock_behind_the_mark_waits() {
        assert_eq!(decide(&every(Millis::MINUTE), Timestamp(600_000), Timestamp(120_000)), None);
    }

    #[test]
    fn of_several_missed_slots_the_latest_is_fired() {
        let decision = decide(&every(Millis::HOUR), Timestamp(0), Timestamp(3 * 3_600_000 + 5)).unwrap();
        assert_eq!((decision.fire, decision.missed), (Some(Timestamp(3 * 3_600_000)), 2));
        assert_eq!(decision.missed_last, Some(Timestamp(2 * 3_600_000)));
    }

    #[test]
    fn a_slot_older_than_the_window_is_missed() {
        let weekly = every(Millis(7 * Millis::DAY.0));
        let late = Timestamp(7 * Millis::DAY.0).plus(MISSED_WINDOW).plus(Millis(1));
        let decision = decide(&weekly, Timestamp(0), late).unwrap();
        assert_eq!((decision.fire, decision.missed, decision.to), (None, 1, Timestamp(7 * Millis::DAY.0)));
    }

    #[test]
    fn a_year_of_missed_seconds_is_decided_in_steps() {
        let calendar = every(Millis::SECOND);
        let now = Timestamp(250_000 * 1000);
        let first = decide(&calendar, Timestamp(0), now).unwrap();
        assert_eq!((first.missed, first.fire), (SLOTS_PER_DECISION_MAX, None));
        let second = decide(&calendar, first.to, now).unwrap();
        let third = decide(&calendar, second.to, now).unwrap();
        assert_eq!(first.missed + second.missed + third.missed + 1, 250_000);
        assert_eq!(third.fire, Some(now));
    }

    #[test]
    fn a_rule_that_cannot_fire_is_refused() {
        assert_eq!(When::cron("0 0 31 2 *", None), Err(BadWhen::Never("0 0 31 2 *".into())));
        assert!(When::every(Millis(10)).is_err());
    }

    #[test]
    fn a_changed_rule_begins_anew_and_an_unchanged_one_keeps_its_mark() {
        let row = ScheduleRow::new(schedule(When::every(Millis::HOUR).unwrap()), NOON).unwrap();
        let later = NOON.plus(Millis(500));
        let same = row.clone().redefined(schedule(When::every(Millis::HOUR).unwrap()), later).unwrap();
        assert_eq!((same.anchor, same.decided), (NOON, NOON));
        let other = row.redefined(schedule(When::every(Millis::MINUTE).unwrap()), later).unwrap();
        assert_eq!((other.anchor, other.decided), (later, later));
    }

    #[test]
    fn ten_verdicts_are_kept() {
        let mut row = ScheduleRow::new(schedule(When::every(Millis::HOUR).unwrap()), NOON).unwrap();
        for n in 0..15 {
            let verdict = Verdict::Missed { slots: 1 };
            row.note(SlotRecord { slot: Timestamp(n), decided_at: NOON, verdict });
        }
        assert_eq!((row.recent.len(), row.counts.missed, row.recent[0].slot), (10, 15, Timestamp(5)));
    }

    proptest! {
        #[test]
        fn every_slot_has_one_verdict_however_often_it_is_looked_at(steps in prop::collection::vec(1u64..7_200_000, 1..40)) {
            let calendar = every(Millis::MINUTE);
            let (mut now, mut decided, mut fired, mut missed) = (Timestamp(0), Timestamp(0), 0, 0);
            for step in steps {
                now = now.plus(Millis(step));
                if let Some(decision) = decide(&calendar, decided, now) {
                    prop_assert!(decision.to > decided);
                    fired += u64::from(decision.fire.is_some());
                    missed += decision.missed;
                    decided = decision.to;
                }
                prop_assert_eq!(fired + missed, now.0 / 60_000);
            }
        }
    }
}
