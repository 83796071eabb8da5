//! When a schedule fires: cron expressions, time zones and fixed intervals.
//!
//! An expression has five fields, or six with the seconds first. It says what
//! a clock on the wall reads when it fires; a [`Zone`] says when a wall clock
//! reads that. The two questions are kept apart:
//!
//! * `wall` walks the readings of a clock that never jumps. Plain sets of
//!   numbers go to the `cron` crate, on a clock in UTC and never with a text
//!   that a user wrote: the crate counts Sunday as 1, wants both day fields to
//!   match and is wrong at every change of the clocks. What it has no notation
//!   for (`L`, `W`, `#`), and a search that leaves its years 1970 to 2100, is a
//!   walk over days of our own. A property test holds the two walks equal.
//! * `zone` turns a reading into instants, and knows the readings that a
//!   change of the clocks leaves out or shows twice.
//!
//! At such a change the rule is Vixie's. An expression whose minute or hour
//! begins with `*` keeps its pace: it skips what is left out and fires in both
//! passes of what is repeated. Any other means a time of day: left out by up to
//! [`GAP_MAX`] it fires at the first instant after, repeated it fires once.
//!
//! What is looked for more than [`SEARCH_YEARS_MAX`] ahead is "never". Zone
//! data ends in 2099; from then on a zone keeps its last offset.
//!
//! `words` says an expression in English, `clocks` what it does where clocks
//! change: both ask the parts that fire it. [`Zones`] may hold tables in place
//! of built-in zones.

mod calendar;
mod clocks;
mod days;
mod every;
mod field;
pub mod kinds;
mod table;
mod text;
mod wall;
mod words;
mod zone;
mod zones;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Months, NaiveDateTime, SubsecRound, TimeDelta, Utc};

pub(crate) use calendar::latest_first;
pub use calendar::{Calendar, TooRare};
pub use clocks::{ClockChange, Fate};
pub use days::DayRule;
pub use every::{BadPeriod, Every};
pub use field::{CronError, Field};
pub use table::{BadTable, Change};
pub use words::DESCRIPTION_CHARS_MAX;
pub use zone::{UnknownZone, Zone};
pub use zones::Zones;

/// The release of the time zone data that is built in, such as `2026a`.
pub use chrono_tz::IANA_TZDB_VERSION as TIME_ZONES;

use crate::time::Timestamp;
use wall::Wall;
use zone::{Landing, Pass};

/// Longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 256;

/// How far ahead a time is looked for. A 29 February on a given weekday is 40
/// years away at most, across a century that is no leap year.
pub const SEARCH_YEARS_MAX: u32 = 41;

/// How far ahead the first time of a schedule may lie when it is made: see [`Calendar::first_after`].
pub const FIRST_YEARS_MAX: u32 = 10;

/// The longest jump forward that is a change of the clocks; a longer one moves
/// the date line, and what it leaves out is not made up for.
pub const GAP_MAX: TimeDelta = TimeDelta::hours(3);

/// Readings of one search that may come to nothing, each in a gap of its own.
const SKIPS_MAX: usize = 100;

/// A cron expression. Shows itself as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpr {
    text: Box<str>,
    pace: Pace,
    wall: Wall,
}

/// What a change of the clocks does to an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The minute or the hour begins with `*`: real time counts.
    Wild,
    /// A time of day: what the clock shows counts.
    Fixed,
}

impl CronExpr {
    /// Five fields, six with the seconds first, or an alias such as `@daily`.
    pub fn parse(text: &str) -> Result<CronExpr, CronError> {
        text::parse(text)
    }

    /// Which days fire where both day fields say something; [`DayRule::Or`] until told.
    #[must_use]
    pub fn with_day_rule(self, rule: DayRule) -> CronExpr {
        CronExpr { wall: self.wall.with_day_rule(rule), ..self }
    }

    pub fn day_rule(&self) -> DayRule {
        self.wall.days().rule
    }

    /// In English, with the day rule and without the zone: `at 09:00, on the 13th of the month or on any Friday`.
    /// Never empty, and at most [`DESCRIPTION_CHARS_MAX`] characters: long lists end with how many more there are.
    pub fn describe(&self) -> String {
        words::describe(&self.wall)
    }

    /// Whether the days that it names exist at all, whatever the zone and the year. 41 years have every
    /// date, a 29 February on each day of the week among them.
    pub fn names_a_day(&self) -> bool {
        self.wall.at_or_after(DateTime::UNIX_EPOCH.naive_utc()).is_some()
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time later than `after`, or `None` where there is none within [`SEARCH_YEARS_MAX`].
    pub fn next_after(&self, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let now = after.to_utc();
        let reading = zone.wall_at(now).trunc_subsecs(0) + TimeDelta::seconds(1);
        let next = match (self.pace, zone.fold_at(now)) {
            (Pace::Fixed, Some(fold)) if fold.pass == Pass::Second => self.land(fold.ends, now, zone),
            (Pace::Wild, Some(fold)) if fold.pass == Pass::First => {
                let rest_of_this_pass = self.land(reading, now, zone);
                let next_pass = self.land(fold.begins, now, zone);
                rest_of_this_pass.into_iter().chain(next_pass).min()
            }
            _ => self.land(reading, now, zone),
        };
        next.map(Timestamp::from_utc).filter(|next| after < *next && *next <= Timestamp::MAX)
    }

    /// The instant later than `now` of the first reading at or after `from` that has one.
    fn land(&self, from: NaiveDateTime, now: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        let end = from.checked_add_months(Months::new(12 * SEARCH_YEARS_MAX))?;
        let mut from = from;
        for _ in 0..SKIPS_MAX {
            let reading = self.wall.at_or_after(from).filter(|reading| *reading <= end)?;
            from = match zone.land(reading) {
                Landing::Once(at) if at > now => return Some(at),
                Landing::Twice(first, _) if first > now => return Some(first),
                Landing::Twice(_, second) if second > now => return Some(second),
                Landing::Gap(gap) if self.makes_up(gap.length) && gap.over > now => return Some(gap.over),
                Landing::Gap(gap) => gap.ends,
                Landing::Once(_) | Landing::Twice(..) | Landing::Nowhere => reading + TimeDelta::seconds(1),
            };
        }
        None
    }

    /// Whether what a gap leaves out fires at the end of it.
    fn makes_up(&self, gap: TimeDelta) -> bool {
        self.pace == Pace::Fixed && gap <= GAP_MAX
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for CronExpr {
    type Err = CronError;

    fn from_str(text: &str) -> Result<CronExpr, CronError> {
        CronExpr::parse(text)
    }
}
