//! What an expression does where the clocks of its zone change.

use chrono::{Months, NaiveDateTime, TimeDelta, Timelike};

use super::{CronExpr, Zone};
use crate::time::Timestamp;

/// How far ahead changes of the clocks are looked for.
const YEARS_MAX: u32 = 10;
/// Readings of one change that are looked at: a day of seconds is left out where the date line moves.
const READINGS_MAX: usize = 100_000;
/// Readings that a sentence tells.
const SHOWN: usize = 6;

/// What becomes of a reading of the clocks that an expression names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Left out by the clocks, and the expression does not fire for it.
    Skipped,
    /// Left out by the clocks; the expression fires at the change instead, once for all that is left out.
    MadeUp,
    /// Shown twice; the expression fires the first time.
    Once,
    /// Shown twice, and the expression fires both times.
    Twice,
}

/// A change of a zone's clocks, and what an expression does in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockChange {
    /// The first instant of the new offset.
    pub at: Timestamp,
    /// The offset before and after.
    pub from_seconds: i32,
    pub to_seconds: i32,
    /// What the clocks show at `at` by either offset.
    pub from_reading: NaiveDateTime,
    pub to_reading: NaiveDateTime,
    /// Each reading that the expression names among those that the clocks leave out or show twice, 100,000 at most.
    pub readings: Vec<(NaiveDateTime, Fate)>,
}

impl CronExpr {
    /// The next `count` changes of a zone's clocks later than `after`; fewer where fewer come in ten years.
    pub fn clock_changes(&self, zone: &Zone, after: Timestamp, count: usize) -> Vec<ClockChange> {
        let until = after.to_utc().checked_add_months(Months::new(12 * YEARS_MAX)).map_or(after, Timestamp::from_utc);
        let next = |after| zone.next_change(after, until).map(|change| change.at);
        let changes = std::iter::successors(next(after), |last| next(*last));
        changes.take(count).map(|at| self.clock_change(zone, at)).collect()
    }

    fn clock_change(&self, zone: &Zone, at: Timestamp) -> ClockChange {
        let (from, to) = (zone.offset_seconds(Timestamp(at.0.saturating_sub(1))), zone.offset_seconds(at));
        let (from_offset, to_offset) = (TimeDelta::seconds(i64::from(from)), TimeDelta::seconds(i64::from(to)));
        let utc = at.to_utc().naive_utc();
        let (from_reading, to_reading) = (utc + from_offset, utc + to_offset);
        let (begins, ends) = (from_reading.min(to_reading), from_reading.max(to_reading));
        let fires_at = |at: Timestamp| self.next_after(Timestamp(at.0.saturating_sub(1)), zone) == Some(at);
        let fires_under =
            |reading: NaiveDateTime, offset: TimeDelta| fires_at(Timestamp::from_utc((reading - offset).and_utc()));
        let made_up = to > from && self.makes_up(ends - begins) && fires_at(at);
        let fate = |reading| {
            if to > from {
                return if made_up { Fate::MadeUp } else { Fate::Skipped };
            }
            match (fires_under(reading, from_offset), fires_under(reading, to_offset)) {
                (true, true) => Fate::Twice,
                (false, false) => Fate::Skipped,
                _ => Fate::Once,
            }
        };
        let second = TimeDelta::seconds(1);
        let named = std::iter::successors(self.wall.at_or_after(begins), |last| self.wall.at_or_after(*last + second));
        let named = named.take_while(|reading| *reading < ends).take(READINGS_MAX);
        let readings = named.map(|reading| (reading, fate(reading))).collect();
        ClockChange { at, from_seconds: from, to_seconds: to, from_reading, to_reading, readings }
    }
}

impl ClockChange {
    /// Whether the clocks leave readings out, rather than show some twice.
    pub fn is_forward(&self) -> bool {
        self.to_seconds > self.from_seconds
    }

    /// One sentence on the clocks and one on the expression: `Clocks go forward from 02:00 to 03:00. 02:30 is left out:
    /// it fires at 03:00 instead.`
    pub fn describe(&self) -> String {
        let (from, to) = (self.show(self.from_reading), self.show(self.to_reading));
        let way = if self.is_forward() { "forward" } else { "back" };
        format!("Clocks go {way} from {from} to {to}. {}", self.effect())
    }

    fn effect(&self) -> String {
        let (lost, are_lost) = match (self.is_forward(), self.readings.len()) {
            (true, 1) => ("left out", "is left out"),
            (true, _) => ("left out", "are left out"),
            (false, 1) => ("shown twice", "is shown twice"),
            (false, _) => ("shown twice", "are shown twice"),
        };
        let Some((_, fate)) = self.readings.first() else { return format!("It names no time that is {lost}.") };
        let end = match fate {
            Fate::Skipped => "it does not fire then".to_owned(),
            Fate::MadeUp => format!("it fires once at {} instead", self.show(self.to_reading)),
            Fate::Once => "it fires the first time only".to_owned(),
            Fate::Twice => "it fires both times".to_owned(),
        };
        format!("{} {are_lost}: {end}.", self.shown())
    }

    /// The first readings, and how many more there are.
    fn shown(&self) -> String {
        let mut shown: Vec<String> = self.readings.iter().take(SHOWN).map(|(reading, _)| self.show(*reading)).collect();
        let more = self.readings.len() - shown.len();
        let last = if more > 0 { Some(format!("{more} more")) } else { shown.pop() };
        match (shown.is_empty(), last.unwrap_or_default()) {
            (true, last) => last,
            (false, last) => format!("{} and {last}", shown.join(", ")),
        }
    }

    /// With its day where that is another than the one on which the change begins.
    fn show(&self, reading: NaiveDateTime) -> String {
        let time = if reading.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        let day = self.from_reading.min(self.to_reading).date();
        let day = if reading.date() == day { "" } else { " on %-d %B" };
        reading.format(&format!("{time}{day}")).to_string()
    }
}
