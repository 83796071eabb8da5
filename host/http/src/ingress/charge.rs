//! A bucket for every source address, in memory that does not grow.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hookbox_core::clock::Monotonic;
use hookbox_core::rate::{Bucket, Rate};
use hookbox_core::time::Millis;

use crate::share::key;

/// Together with [`WAYS`]: 16384 sources, in about half a megabyte.
const SETS: usize = 2048;
/// Sources that share a set. One that is new takes the place of the one whose bucket is fullest, which loses least.
const WAYS: usize = 8;

type Set = [(u128, Bucket); WAYS];

pub(super) struct Sources {
    sets: Vec<Mutex<Set>>,
    /// Keyed at random: no stranger can choose addresses that share a set with another's.
    hasher: RandomState,
}

impl Sources {
    pub(super) fn new() -> Sources {
        let sets = std::iter::repeat_with(|| Mutex::new([(0, Bucket::default()); WAYS])).take(SETS).collect();
        Sources { sets, hasher: RandomState::new() }
    }

    /// Takes a token of this source, or tells when there is one. Loopback is not charged: it is this machine, or a
    /// proxy on it that would stand for everyone.
    pub(super) fn charge(&self, source: IpAddr, rate: Rate, now: Monotonic) -> Result<(), Millis> {
        if source.is_loopback() {
            return Ok(());
        }
        let key = key(source);
        let at = usize::try_from(self.hasher.hash_one(key) % self.sets.len() as u64).unwrap_or(0);
        let Some(set) = self.sets.get(at) else { return Ok(()) };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bucket)) = set.iter_mut().find(|(held, _)| *held == key) {
            return bucket.charge(rate, now);
        }
        match set.iter_mut().min_by_key(|(_, bucket)| *bucket) {
            Some(place) => {
                *place = (key, Bucket::default());
                place.1.charge(rate, now)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Monotonic = Monotonic(1_000);

    fn taken(sources: &Sources, source: &str) -> usize {
        let (source, rate) = (source.parse().unwrap(), Rate::per_second(1).unwrap());
        std::iter::repeat_with(|| sources.charge(source, rate, NOW)).take_while(Result::is_ok).take(100).count()
    }

    #[test]
    fn every_source_has_a_bucket_of_its_own() {
        let sources = Sources::new();
        assert_eq!(taken(&sources, "192.0.2.1"), 5);
        assert_eq!(taken(&sources, "192.0.2.1"), 0);
        assert_eq!(taken(&sources, "192.0.2.2"), 5);
    }

    #[test]
    fn a_64_of_ipv6_is_one_source() {
        let sources = Sources::new();
        assert_eq!(taken(&sources, "2001:db8::1"), 5);
        assert_eq!(taken(&sources, "2001:db8::ffff:0:0:2"), 0);
        assert_eq!(taken(&sources, "2001:db8:0:1::1"), 5);
    }

    #[test]
    fn loopback_is_not_charged() {
        let sources = Sources::new();
        assert_eq!((taken(&sources, "127.0.0.1"), taken(&sources, "::1")), (100, 100));
    }

    #[test]
    fn an_empty_bucket_outlives_fuller_ones_of_its_set() {
        let mut sources = Sources::new();
        sources.sets.truncate(1);
        assert_eq!(taken(&sources, "192.0.2.1"), 5);
        let rate = Rate::per_second(1).unwrap();
        for last in 0..=255 {
            assert_eq!(sources.charge(IpAddr::from([198, 51, 100, last]), rate, NOW), Ok(()));
        }
        assert_eq!(taken(&sources, "192.0.2.1"), 0);
    }
}
