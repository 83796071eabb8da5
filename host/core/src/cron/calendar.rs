//! When a schedule fires, whichever way it was written.

use std::fmt;

use chrono::Months;

use super::{CronExpr, Every, FIRST_YEARS_MAX, SEARCH_YEARS_MAX, Zone};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calendar {
    Cron { expr: CronExpr, zone: Zone },
    Every(Every),
}

/// A rule whose first time is too far away to be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooRare {
    /// `None` where there is none within [`super::SEARCH_YEARS_MAX`].
    pub first: Option<Timestamp>,
}

impl Calendar {
    /// Most times that one call of [`Calendar::upcoming`] gives.
    pub const UPCOMING_MAX: usize = 1000;

    /// The first time later than `after`.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Calendar::Cron { expr, zone } => expr.next_after(after, zone),
            Calendar::Every(every) => every.next_after(after),
        }
    }

    /// The first `count` times later than `after`, [`Calendar::UPCOMING_MAX`] at most.
    pub fn upcoming(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let times = std::iter::successors(self.next_after(after), |last| self.next_after(*last));
        times.take(count.min(Self::UPCOMING_MAX)).collect()
    }

    /// The first time of a schedule that is made at `now`; one whose first time lies more than [`FIRST_YEARS_MAX`]
    /// ahead is refused.
    ///
    /// That depends on the day of asking: a 29 February on a Sunday is six years ahead in 2026, and forty in 2088. So
    /// it is asked once, when a schedule is made. A text that is read again and again, and without a clock, as
    /// hooks.yaml is, is refused only for what holds on any day, [`CronExpr::names_a_day`]: else a host that has run
    /// for years would not start again.
    pub fn first_after(&self, now: Timestamp) -> Result<Timestamp, TooRare> {
        match (self.next_after(now), latest_first(now)) {
            (Some(first), Some(latest)) if first <= latest => Ok(first),
            (first, _) => Err(TooRare { first }),
        }
    }

    /// In English, with the zone: `at 09:00, on any Friday (Europe/London)`, `every 45m`.
    pub fn describe(&self) -> String {
        match self {
            Calendar::Cron { expr, zone } => format!("{} ({zone})", expr.describe()),
            Calendar::Every(every) => format!("every {}", every.period()),
        }
    }
}

/// The latest first time of a schedule that is made at `now`.
pub(crate) fn latest_first(now: Timestamp) -> Option<Timestamp> {
    now.to_utc().checked_add_months(Months::new(12 * FIRST_YEARS_MAX)).map(Timestamp::from_utc)
}

impl std::error::Error for TooRare {}

impl fmt::Display for TooRare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first {
            Some(first) => write!(f, "does not fire within {FIRST_YEARS_MAX} years: its next time is {first}"),
            None => write!(f, "does not fire within {SEARCH_YEARS_MAX} years"),
        }
    }
}
