//! What of a schedule somebody should look at. It follows from its row, so it goes when its cause does.

use super::{ScheduleRow, When};
use crate::time::{Millis, Timestamp};

/// A slot that is due for longer than this should have its verdict.
pub const UNDECIDED_FOR: Millis = Millis::MINUTE;
/// A clock this far behind a schedule's mark is worth a warning.
pub const CLOCK_BEHIND: Millis = Millis(5000);

/// Why somebody should look at a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is paused because its runs failed.
    Failing,
    /// Its rule gives no time that is later than its last slot, and no bound says so.
    NoNextSlot,
    /// A slot has been due for a while, and has no verdict.
    Undecided,
    /// Its mark is later than the clock: it waits until then.
    ClockBehind,
}

/// What somebody should look at, and since when it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention {
    pub reason: Reason,
    /// Nothing where nobody knows: when the clock was set back.
    pub since: Option<Timestamp>,
}

/// Whether a schedule has slots to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Active,
    /// An operator asked for it.
    Paused,
    /// Its runs failed.
    Failing,
    /// It has come to its bounds.
    Ended,
    /// It has not, and yet no slot will come.
    Dry,
}

impl Reason {
    pub const ALL: [Reason; 4] = [Reason::Failing, Reason::NoNextSlot, Reason::Undecided, Reason::ClockBehind];

    pub fn code(self) -> &'static str {
        match self {
            Reason::Failing => "failing",
            Reason::NoNextSlot => "no-next-slot",
            Reason::Undecided => "undecided",
            Reason::ClockBehind => "clock-behind",
        }
    }
}

impl ScheduleRow {
    pub fn state(&self) -> State {
        match (&self.pause, self.next) {
            (Some(pause), _) if pause.failures.is_some() => State::Failing,
            (Some(_), _) => State::Paused,
            (None, Some(_)) => State::Active,
            (None, None) if self.has_come_to_its_bounds() => State::Ended,
            (None, None) => State::Dry,
        }
    }

    /// What somebody should look at.
    pub fn attention(&self, now: Timestamp) -> Option<Attention> {
        let (reason, since) = Attention::of(self.state(), self.due(), self.decided, now)?;
        let paused = self.pause.as_ref().filter(|_| reason == Reason::Failing).map(|pause| pause.since);
        Some(Attention { reason, since: since.or(paused) })
    }

    /// Whether its mark is later than the clock: slots that are to come are decided already, so it waits, or has ended
    /// too early. One that would have no slot from here on, either, has ended as it should.
    pub fn is_ahead_of_the_clock(&self, now: Timestamp) -> bool {
        let begins_anew = || {
            let mut anew = self.clone();
            anew.reset(now).is_ok() && anew.next.is_some()
        };
        self.decided.since(now) > CLOCK_BEHIND && (self.next.is_some() || begins_anew())
    }

    /// What it is that somebody should look at, and what to do.
    pub fn cure(&self, reason: Reason) -> String {
        let name = &self.schedule.name;
        match reason {
            Reason::Failing => format!("its runs failed: mend its handler, then `hookbox schedules resume {name}`"),
            Reason::NoNextSlot => format!(
                "its rule gives no time after {}: change its rule, or begin it anew with `hookbox schedules reset {name}`",
                self.decided
            ),
            Reason::ClockBehind => format!(
                "it waits until {}, its last slot: set the clock right, or begin it anew with `hookbox schedules reset {name}`",
                self.decided
            ),
            Reason::Undecided => match self.slots() {
                Err(error) => format!("its rule does not read ({error}): change its rule"),
                Ok(_) => "the scheduler has not come to it: look into the log of the host".to_owned(),
            },
        }
    }

    fn has_come_to_its_bounds(&self) -> bool {
        let rules = &self.schedule.rules;
        let has_ended = || self.slots().is_ok_and(|slots| slots.end_before(self.decided));
        self.left() == Some(0)
            || matches!(self.schedule.when, When::Once { .. })
            || (rules.end.is_some() && has_ended())
    }
}

impl Attention {
    /// Of a schedule in this state. Where it is paused, its pause says since when.
    pub fn of(
        state: State,
        due: Option<Timestamp>,
        decided: Timestamp,
        now: Timestamp,
    ) -> Option<(Reason, Option<Timestamp>)> {
        match state {
            State::Failing => Some((Reason::Failing, None)),
            State::Dry => Some((Reason::NoNextSlot, Some(decided))),
            State::Active | State::Paused if decided.since(now) > CLOCK_BEHIND => Some((Reason::ClockBehind, None)),
            State::Active => {
                let overdue = due.filter(|due| now.since(*due) > UNDECIDED_FOR)?;
                Some((Reason::Undecided, Some(overdue)))
            }
            State::Paused | State::Ended => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Origin, Pause, Rules, Schedule};

    const NOON: Timestamp = Timestamp(1_780_000_000_000);

    fn hourly(rules: Rules) -> ScheduleRow {
        let when = When::every(Millis::HOUR).unwrap();
        let target = crate::name::HandlerRef { plugin: "shop".parse().unwrap(), handler: "digest".parse().unwrap() };
        let name = "digest".parse().unwrap();
        let schedule = Schedule { name, target, when, payload: None, origin: Origin::Config, rules };
        ScheduleRow::new(schedule, NOON).unwrap()
    }

    fn attention(row: &ScheduleRow, now: Timestamp) -> Option<(Reason, Option<Timestamp>)> {
        row.attention(now).map(|attention| (attention.reason, attention.since))
    }

    #[test]
    fn a_slot_without_a_verdict_and_a_clock_that_is_behind_are_told() {
        let row = hourly(Rules::default());
        let due = NOON.plus(Millis::HOUR);
        assert_eq!(attention(&row, due.plus(UNDECIDED_FOR)), None);
        let late = due.plus(UNDECIDED_FOR).plus(Millis(1));
        assert_eq!(attention(&row, late), Some((Reason::Undecided, Some(due))));
        assert_eq!(attention(&row, NOON.minus(CLOCK_BEHIND)), None);
        assert_eq!(attention(&row, NOON.minus(Millis(5001))), Some((Reason::ClockBehind, None)));
    }

    #[test]
    fn a_pause_is_told_only_where_nobody_asked_for_it() {
        let asked = ScheduleRow { pause: Some(Pause::new(NOON, None)), ..hourly(Rules::default()) };
        assert_eq!((asked.state(), attention(&asked, NOON.plus(Millis::DAY))), (State::Paused, None));
        assert_eq!(attention(&asked, NOON.minus(Millis::DAY)), Some((Reason::ClockBehind, None)));
        let failing = Pause { failures: Some(3), ..Pause::new(NOON, None) };
        let mut failing = ScheduleRow { pause: Some(failing), ..asked };
        assert_eq!(attention(&failing, NOON), Some((Reason::Failing, Some(NOON))));
        failing.set_pause(None, NOON);
        assert_eq!(attention(&failing, NOON), None);
    }

    #[test]
    fn one_that_waits_or_ended_too_early_is_ahead_of_the_clock_whatever_else_it_needs() {
        let early = NOON.minus(Millis(2 * Millis::HOUR.0));
        let ahead = |row: &ScheduleRow| (row.is_ahead_of_the_clock(NOON), row.is_ahead_of_the_clock(early));
        let row = hourly(Rules::default());
        assert_eq!(ahead(&row), (false, true));
        assert!(!row.is_ahead_of_the_clock(NOON.minus(CLOCK_BEHIND)));
        let failing = Pause { failures: Some(3), ..Pause::new(NOON, None) };
        assert_eq!(ahead(&ScheduleRow { pause: Some(failing), ..row.clone() }), (false, true));
        assert_eq!(ahead(&ScheduleRow { next: None, ..row }), (false, true), "its rule is dry");

        let ended = |rules: Rules| ScheduleRow { next: None, counted: 1, ..hourly(rules) };
        let end = |end: Timestamp| Rules { end: Some(end), ..Rules::default() };
        assert_eq!(ahead(&ended(end(NOON))), (false, true), "slots before its end are to come");
        assert_eq!(ahead(&ended(end(early))), (false, false));
        assert_eq!(ahead(&ended(Rules { count: Some(1), ..Rules::default() })), (false, false));
    }

    #[test]
    fn one_that_has_come_to_its_bounds_is_well_and_one_that_has_not_is_told() {
        let dry = |rules: Rules| ScheduleRow { next: None, ..hourly(rules) };
        assert_eq!(attention(&dry(Rules::default()), NOON), Some((Reason::NoNextSlot, Some(NOON))));
        let count = |count| Rules { count: Some(count), ..Rules::default() };
        assert_eq!(dry(count(1)).state(), State::Dry);
        assert_eq!(ScheduleRow { counted: 1, ..dry(count(1)) }.state(), State::Ended);
        let end = |hours: u64| Rules { end: Some(NOON.plus(Millis(hours * Millis::HOUR.0))), ..Rules::default() };
        assert_eq!(dry(end(1)).state(), State::Ended, "its next time is its end");
        assert_eq!(dry(end(2)).state(), State::Dry, "there is one before its end");
        let mut once = dry(Rules::default());
        once.schedule.when = When::Once { at: NOON };
        assert_eq!(once.state(), State::Ended);
    }
}
