//! When a schedule fires, whichever way it was written.

use super::{CronExpr, Every, Zone};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calendar {
    Cron { expr: CronExpr, zone: Zone },
    Every(Every),
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
}
