//! When a loop last came round: a sign of life, for whoever asks whether it hangs or has stopped.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Monotonic;
use crate::time::Millis;

/// None is seen before the first beat: what has not begun is not overdue.
#[derive(Debug, Default)]
pub struct Pulse(AtomicU64);

impl Pulse {
    /// The loop has come round.
    pub fn beat(&self, now: Monotonic) {
        // One more, as zero says that there was none.
        self.0.fetch_max(now.0.saturating_add(1), Ordering::AcqRel);
    }

    /// How long ago the last beat was.
    pub fn age(&self, now: Monotonic) -> Option<Millis> {
        let last = self.0.load(Ordering::Acquire).checked_sub(1)?;
        Some(now.since(Monotonic(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_has_an_age_and_none_has_none() {
        let pulse = Pulse::default();
        assert_eq!(pulse.age(Monotonic(90_000)), None);
        pulse.beat(Monotonic(0));
        assert_eq!(pulse.age(Monotonic(90_000)), Some(Millis(90_000)));
        pulse.beat(Monotonic(50_000));
        pulse.beat(Monotonic(40_000));
        assert_eq!(pulse.age(Monotonic(90_000)), Some(Millis(40_000)), "the latest counts");
    }
}
