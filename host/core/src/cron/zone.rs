//! Time zones: what a clock on the wall reads at an instant, and at which instants it reads that.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use super::table::{BadTable, Change, Table};
use crate::time::{Millis, Timestamp};

/// Longer texts are no misspelt name.
const NAME_BYTES_MAX: usize = 64;

/// How alike two names must be for one to be meant by the other; 1 is equal.
const LIKENESS_MIN: f64 = 0.8;

/// Changes of a zone's clocks that are nearer to each other may be overlooked; there are none.
const LOOK_FOR_CHANGES: Millis = Millis(12 * Millis::HOUR.0);

/// A time zone, by name: of the built-in IANA database, or a table. UTC by default.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Zone(Data);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Data {
    BuiltIn(Tz),
    Table(Arc<Table>),
}

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownZone {
    pub text: String,
    /// The zone that may be meant.
    pub meant: Option<&'static str>,
}

/// What is shown twice where clocks go back.
pub(super) struct Fold {
    pub(super) pass: Pass,
    /// The first reading that comes again.
    pub(super) begins: NaiveDateTime,
    /// The first reading that does not.
    pub(super) ends: NaiveDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    First,
    Second,
}

/// What is left out where clocks go forward.
pub(super) struct Gap {
    pub(super) length: TimeDelta,
    /// The first instant after it, and what it reads.
    pub(super) over: DateTime<Utc>,
    pub(super) ends: NaiveDateTime,
}

/// The instants that have a reading.
pub(super) enum Landing {
    Once(DateTime<Utc>),
    Twice(DateTime<Utc>, DateTime<Utc>),
    Gap(Gap),
    /// Left out, and the zone's data does not say by what.
    Nowhere,
}

impl Zone {
    /// In any case: `europe/london` is Europe/London.
    pub fn parse(text: &str) -> Result<Zone, UnknownZone> {
        Tz::from_str_insensitive(text).map(|zone| Zone(Data::BuiltIn(zone))).map_err(|_| UnknownZone::new(text))
    }

    /// A zone that is not the built-in one of its name: `changes` in order and at least two days apart. The offset of
    /// the first counts before it, too, and that of the last for ever.
    pub fn from_table(name: &str, changes: &[Change]) -> Result<Zone, BadTable> {
        Table::new(name, changes).map(|table| Zone(Data::Table(Arc::new(table))))
    }

    pub fn name(&self) -> &str {
        match &self.0 {
            Data::BuiltIn(zone) => zone.name(),
            Data::Table(table) => table.name(),
        }
    }

    /// How far its clocks are ahead of UTC at an instant.
    pub fn offset_seconds(&self, at: Timestamp) -> i32 {
        i32::try_from(self.offset_at(at.to_utc()).num_seconds()).unwrap_or(0)
    }

    /// The first change of its clocks that is later than `after` and not later than `until`.
    pub fn next_change(&self, after: Timestamp, until: Timestamp) -> Option<Change> {
        let mut early = Timestamp(after.seconds() * 1000);
        while early < until {
            let late = early.plus(LOOK_FOR_CHANGES).min(until);
            if self.offset_seconds(early) != self.offset_seconds(late) {
                let at = Timestamp::from_utc(self.change_between(early.to_utc(), late.to_utc()));
                return Some(Change { at, offset_seconds: self.offset_seconds(at) });
            }
            early = late;
        }
        None
    }

    /// What its clocks show, as RFC 3339 with the offset and in whole seconds: `2026-11-13T09:00:00-05:00`.
    pub fn show(&self, at: Timestamp) -> String {
        match FixedOffset::east_opt(self.offset_seconds(at)) {
            Some(offset) => at.to_utc().with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, false),
            None => at.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }

    pub(super) fn wall_at(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + self.offset_at(at)
    }

    /// The fold that `at` lies in.
    pub(super) fn fold_at(&self, at: DateTime<Utc>) -> Option<Fold> {
        let Landing::Twice(first, second) = self.land(self.wall_at(at)) else { return None };
        let (before, after) = (self.offset_at(first), self.offset_at(second));
        let change = self.change_between(first, second);
        let pass = if at < change { Pass::First } else { Pass::Second };
        Some(Fold { pass, begins: change.naive_utc() + after, ends: change.naive_utc() + before })
    }

    pub(super) fn land(&self, reading: NaiveDateTime) -> Landing {
        let zone = match &self.0 {
            Data::BuiltIn(zone) => zone,
            Data::Table(table) => return table.land(reading),
        };
        match zone.from_local_datetime(&reading) {
            LocalResult::Single(at) => Landing::Once(at.to_utc()),
            LocalResult::Ambiguous(one, other) => {
                let (one, other) = (one.to_utc(), other.to_utc());
                Landing::Twice(one.min(other), one.max(other))
            }
            LocalResult::None => gap(zone, reading).map_or(Landing::Nowhere, Landing::Gap),
        }
    }

    /// The first instant of the later offset.
    fn change_between(&self, earlier: DateTime<Utc>, later: DateTime<Utc>) -> DateTime<Utc> {
        let before = self.offset_at(earlier);
        let (mut low, mut high) = (earlier, later);
        while high - low > TimeDelta::seconds(1) {
            let middle = low + TimeDelta::seconds((high - low).num_seconds() / 2);
            if self.offset_at(middle) == before {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    fn offset_at(&self, at: DateTime<Utc>) -> TimeDelta {
        match &self.0 {
            Data::BuiltIn(zone) => {
                let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
                TimeDelta::seconds(i64::from(offset.local_minus_utc()))
            }
            Data::Table(table) => table.offset_at(at),
        }
    }
}

impl Default for Data {
    fn default() -> Data {
        Data::BuiltIn(Tz::UTC)
    }
}

fn gap(zone: &Tz, reading: NaiveDateTime) -> Option<Gap> {
    let GapInfo { begin, end } = GapInfo::new(&reading, zone)?;
    let (begins, end) = (begin?.0, end?);
    let ends = end.naive_local();
    Some(Gap { length: ends - begins, over: end.to_utc(), ends })
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Zone, UnknownZone> {
        Zone::parse(text)
    }
}

impl UnknownZone {
    fn new(text: &str) -> UnknownZone {
        let meant = if text.len() <= NAME_BYTES_MAX { meant_by(text) } else { None };
        UnknownZone { text: text.chars().take(NAME_BYTES_MAX).collect(), meant }
    }
}

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no time zone; ", self.text)?;
        match self.meant {
            Some(name) => write!(f, "did you mean {name}?"),
            None => f.write_str("write a name such as Europe/London or UTC"),
        }
    }
}

/// The most alike zone, or the first whose city is as alike.
fn meant_by(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase().replace(' ', "_");
    let likeness = |name: &str| {
        let name = name.to_ascii_lowercase();
        let city = name.rsplit('/').next().unwrap_or(&name);
        strsim::normalized_damerau_levenshtein(&text, &name).max(strsim::normalized_damerau_levenshtein(&text, city))
    };
    let alike = TZ_VARIANTS.iter().map(|zone| (likeness(zone.name()), zone.name()));
    let best = alike.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    (best.0 >= LIKENESS_MIN).then_some(best.1)
}
