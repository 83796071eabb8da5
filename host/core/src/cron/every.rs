//! Fixed intervals, counted from an anchor.

use crate::time::{Millis, Timestamp};

/// Fires at its anchor and then each time a period has gone by. It knows no
/// clock on the wall: where clocks change it keeps its pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    period: Millis,
    anchor: Timestamp,
}

/// A period that no schedule may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("every must be {min} to {max}, got {0}", min = Every::PERIOD_MIN, max = Every::PERIOD_MAX)]
pub struct BadPeriod(pub Millis);

impl Every {
    pub const PERIOD_MIN: Millis = Millis::SECOND;
    pub const PERIOD_MAX: Millis = Millis(365 * Millis::DAY.0);

    pub fn new(period: Millis, anchor: Timestamp) -> Result<Every, BadPeriod> {
        if (Self::PERIOD_MIN..=Self::PERIOD_MAX).contains(&period) {
            Ok(Every { period, anchor })
        } else {
            Err(BadPeriod(period))
        }
    }

    pub fn period(&self) -> Millis {
        self.period
    }

    pub fn anchor(&self) -> Timestamp {
        self.anchor
    }

    /// The first time later than `after`; `None` past [`Timestamp::MAX`].
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let next = if after < self.anchor {
            self.anchor
        } else {
            let gone = after.since(self.anchor).0 % self.period.0;
            Timestamp(after.0.checked_add(self.period.0 - gone)?)
        };
        (next <= Timestamp::MAX).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_counted_from_its_anchor() {
        let every = Every::new(Millis(90_000), Timestamp(1_000)).unwrap();
        assert_eq!(every.next_after(Timestamp(0)), Some(Timestamp(1_000)));
        assert_eq!(every.next_after(Timestamp(1_000)), Some(Timestamp(91_000)));
        assert_eq!(every.next_after(Timestamp(90_999)), Some(Timestamp(91_000)));
        assert_eq!(every.next_after(Timestamp(91_000)), Some(Timestamp(181_000)));
    }

    #[test]
    fn an_interval_ends_with_time_itself() {
        let every = Every::new(Millis::DAY, Timestamp(0)).unwrap();
        assert_eq!(every.next_after(Timestamp::MAX), None);
        assert_eq!(every.next_after(Timestamp(u64::MAX)), None);
    }

    #[test]
    fn a_period_is_a_second_to_a_year() {
        assert!(
            Every::new(Millis::SECOND, Timestamp(0)).is_ok() && Every::new(Every::PERIOD_MAX, Timestamp(0)).is_ok()
        );
        for period in [Millis(0), Millis(999), Millis(Every::PERIOD_MAX.0 + 1), Millis(u64::MAX)] {
            assert_eq!(Every::new(period, Timestamp(0)), Err(BadPeriod(period)));
        }
        assert_eq!(BadPeriod(Millis(500)).to_string(), "every must be 1s to 365d, got 500ms");
    }
}
