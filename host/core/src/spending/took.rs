//! How long attempts take, in a few buckets: enough to draw, and cheap to keep.

use serde::{Deserialize, Serialize};

use crate::attempt::Outcome;

/// Upper bounds of how long attempts took, in microseconds; those above the last are counted behind it.
pub const TOOK_BOUNDS_US: [u64; TOOK_BUCKETS - 1] = [
    100,
    200,
    500,
    1000,
    2000,
    5000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    60_000_000,
    300_000_000,
];
pub const TOOK_BUCKETS: usize = 20;

/// Attempts of all handlers by how long they took, and those that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Took {
    pub buckets: [u64; TOOK_BUCKETS],
    pub failed: u64,
}

impl Took {
    pub(super) fn add(&mut self, wall_us: u64, outcome: &Outcome) {
        let bucket = TOOK_BOUNDS_US.partition_point(|bound| *bound < wall_us);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *bucket += 1;
        }
        self.failed += u64::from(!outcome.is_success());
    }

    pub fn attempts(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Both together.
    #[must_use]
    pub fn with(&self, other: &Took) -> Took {
        let mut both = *self;
        for (bucket, more) in both.buckets.iter_mut().zip(other.buckets) {
            *bucket = bucket.saturating_add(more);
        }
        both.failed = both.failed.saturating_add(other.failed);
        both
    }

    /// What was added since an earlier one.
    #[must_use]
    pub fn without(&self, earlier: &Took) -> Took {
        let mut since = *self;
        for (bucket, before) in since.buckets.iter_mut().zip(earlier.buckets) {
            *bucket = bucket.saturating_sub(before);
        }
        since.failed = since.failed.saturating_sub(earlier.failed);
        since
    }

    /// How long no more than this share of them took, in microseconds, as near as the buckets tell; nothing of none.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let all = self.attempts();
        if all == 0 {
            return None;
        }
        let (wanted, mut below) = (share * all as f64, 0.0);
        let bounds = TOOK_BOUNDS_US.iter().map(|bound| *bound as f64);
        let highest = TOOK_BOUNDS_US.last().map_or(0.0, |bound| *bound as f64);
        let starts = std::iter::once(0.0).chain(bounds.clone());
        for ((count, start), end) in self.buckets.iter().zip(starts).zip(bounds.chain([highest])) {
            let count = *count as f64;
            if count > 0.0 && below + count >= wanted {
                return Some(start + (end - start) * ((wanted - below) / count).clamp(0.0, 1.0));
            }
            below += count;
        }
        Some(highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(all: &[u64]) -> Took {
        let mut took = Took::default();
        all.iter().for_each(|us| took.add(*us, &Outcome::Completed { output: None }));
        took
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_attempt() {
        let mut all = vec![150; 98];
        all.extend([400_000, u64::MAX]);
        let took = took(&all);
        assert_eq!(took.attempts(), 100);
        let at = |share| took.quantile_us(share).unwrap();
        assert!((100.0..=200.0).contains(&at(0.5)), "{}", at(0.5));
        assert!((200_000.0..=500_000.0).contains(&at(0.99)), "{}", at(0.99));
        assert_eq!(at(1.0), 300_000_000.0, "what is beyond the last bound is told as that bound");
        assert_eq!(Took::default().quantile_us(0.5), None);
    }

    #[test]
    fn what_was_added_since_is_told_alone() {
        let before = took(&[5, 5]);
        let mut after = before;
        after.add(5, &Outcome::Lost);
        let since = after.without(&before);
        assert_eq!((since.attempts(), since.failed), (1, 1));
    }
}
