//! How often a measure was how large: a histogram with fixed bounds.

use std::sync::{Mutex, PoisonError};

use crate::pulse::Pulse;
use crate::time::Millis;

/// Bounds of one, at most; what is above the last one is counted beside them.
const BOUNDS_MAX: usize = 16;

/// Of times, in microseconds.
const TIMES: [u64; 16] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];
/// Of being late, in microseconds: to a day.
const LATENESS: [u64; 12] = [
    10_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
];
/// Of numbers of things.
const NUMBERS: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// Some words, whatever was added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    bounds: &'static [u64],
    /// Those up to each bound and above the one before.
    within: [u64; BOUNDS_MAX],
    above: u64,
    sum: u64,
}

/// Of times.
impl Default for Distribution {
    fn default() -> Distribution {
        Distribution::of_times()
    }
}

impl Distribution {
    const fn within(bounds: &'static [u64]) -> Distribution {
        assert!(bounds.len() <= BOUNDS_MAX, "no more bounds are kept");
        Distribution { bounds, within: [0; BOUNDS_MAX], above: 0, sum: 0 }
    }

    /// In microseconds.
    pub const fn of_times() -> Distribution {
        Distribution::within(&TIMES)
    }

    /// In microseconds.
    pub const fn of_lateness() -> Distribution {
        Distribution::within(&LATENESS)
    }

    pub const fn of_numbers() -> Distribution {
        Distribution::within(&NUMBERS)
    }

    pub fn add(&mut self, value: u64) {
        let place = self.bounds.iter().zip(&mut self.within).find(|(bound, _)| value <= **bound);
        match place {
            Some((_, number)) => *number += 1,
            None => self.above += 1,
        }
        self.sum = self.sum.saturating_add(value);
    }

    pub fn sum(&self) -> u64 {
        self.sum
    }

    pub fn number(&self) -> u64 {
        self.within.iter().sum::<u64>() + self.above
    }

    /// Each bound with the number of those between it and the one before; at last those above all, without one.
    pub fn parts(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().zip(&self.within).map(|(bound, number)| (Some(*bound), *number));
        bounds.chain([(None, self.above)])
    }
}

/// Shared by those that add and those that read.
#[derive(Debug)]
pub struct Shared(Mutex<Distribution>);

impl Shared {
    pub const fn new(empty: Distribution) -> Shared {
        Shared(Mutex::new(empty))
    }

    pub fn add(&self, value: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(value);
    }

    pub fn read(&self) -> Distribution {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the doers measure, since the start.
#[derive(Debug)]
pub struct Meters {
    lateness: Shared,
    /// The loop that decides slots.
    pub scheduler: Pulse,
}

impl Default for Meters {
    fn default() -> Meters {
        Meters { lateness: Shared::new(Distribution::of_lateness()), scheduler: Pulse::default() }
    }
}

impl Meters {
    /// A slot made a run so long after its time.
    pub fn late(&self, late: Millis) {
        self.lateness.add(late.0.saturating_mul(1000));
    }

    pub fn lateness(&self) -> Distribution {
        self.lateness.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_to_its_bound_and_one_above_all_counts_nevertheless() {
        let mut sizes = Distribution::of_numbers();
        for value in [1, 2, 3, 512, 513, 1_000] {
            sizes.add(value);
        }
        let parts: Vec<_> = sizes.parts().filter(|(_, number)| *number > 0).collect();
        assert_eq!(parts, [(Some(1), 1), (Some(2), 1), (Some(4), 1), (Some(512), 1), (None, 2)]);
        assert_eq!((sizes.number(), sizes.sum()), (6, 2031));
    }

    #[test]
    fn bounds_grow() {
        for empty in [Distribution::of_times(), Distribution::of_lateness(), Distribution::of_numbers()] {
            assert!(empty.bounds.is_sorted() && empty.number() == 0);
        }
    }
}
