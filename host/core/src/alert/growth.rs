//! How much a number has grown within a time that may be longer than the host runs.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::{Millis, Timestamp};

/// Changes that are known: with more, every other one is let go.
const CHANGES_MAX: usize = 128;

/// A number and when it was seen to change, oldest first. Between two changes it is what it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Growth(VecDeque<(Timestamp, u64)>);

impl Growth {
    /// Takes in the number of this moment. Tells by how much it is larger than when the time began, and whether that is
    /// known: else than when it was first seen.
    pub(super) fn grown(&mut self, number: u64, within: Millis, now: Timestamp) -> (u64, bool) {
        // The clock was set back: nobody knows how long ago that was.
        self.0.iter_mut().for_each(|(at, _)| *at = (*at).min(now));
        if self.0.back().is_none_or(|(_, last)| *last != number) {
            self.0.push_back((now, number));
        }
        let begin = now.minus(within);
        // The last change before the time began says what it was then.
        while self.0.get(1).is_some_and(|(at, _)| *at <= begin) {
            self.0.pop_front();
        }
        let last = self.0.len();
        if last > CHANGES_MAX {
            let mut nth = 0;
            self.0.retain(|_| {
                nth += 1;
                nth % 2 == 1 || nth == last
            });
        }
        self.0.front().map_or((0, false), |(at, before)| (number.saturating_sub(*before), *at <= begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Millis = Millis(100);

    #[test]
    fn a_number_grows_within_its_time_whether_or_not_somebody_looked_meanwhile() {
        let mut growth = Growth::default();
        let mut grown = |number, now| growth.grown(number, WITHIN, Timestamp(now));
        assert_eq!(grown(5, 1_000), (0, false), "nothing is known from before");
        assert_eq!(grown(5, 1_099), (0, false));
        assert_eq!(grown(6, 1_100), (1, true));
        assert_eq!(grown(6, 1_199), (1, true));
        assert_eq!(grown(6, 1_200), (0, true));
        assert_eq!(grown(9, 9_000), (3, true), "it was six when somebody last looked");
        assert_eq!(grown(9, 9_100), (0, true));
        assert_eq!(grown(2, 9_110), (0, true));
        assert_eq!(grown(3, 9_211), (1, true));
    }

    #[test]
    fn what_changed_before_the_clock_was_set_back_counts_for_its_time_by_the_new_clock() {
        let mut growth = Growth::default();
        growth.grown(5, WITHIN, Timestamp(90_000));
        growth.grown(6, WITHIN, Timestamp(90_200));
        assert_eq!(growth.grown(6, WITHIN, Timestamp(1_000)), (1, false));
        assert_eq!(growth.grown(6, WITHIN, Timestamp(1_099)), (1, false));
        assert_eq!(growth.grown(6, WITHIN, Timestamp(1_100)), (0, true));
    }

    #[test]
    fn many_changes_take_bounded_room_and_lose_none_of_the_growth() {
        let mut growth = Growth::default();
        for number in 0..10_000 {
            let grown = growth.grown(number, Millis(20_000), Timestamp(50_000 + number));
            assert_eq!(grown, (number, false));
        }
        assert!(growth.0.len() <= CHANGES_MAX, "{}", growth.0.len());
    }
}
