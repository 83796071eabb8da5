//! Where time comes from: a trait with two sides, the system's clock (in the
//! binary) and one that a test moves by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::{Millis, Timestamp};

/// Milliseconds since some moment of this boot; never runs backwards. Leases are judged by it, because the wall clock
/// may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    #[must_use]
    pub fn plus(self, span: Millis) -> Monotonic {
        Monotonic(self.0.saturating_add(span.0))
    }

    /// Zero where `earlier` is later.
    pub fn since(self, earlier: Monotonic) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    fn monotonic(&self) -> Monotonic;

    /// The same in microseconds, where the clock is so fine: for what is measured.
    fn micros(&self) -> u64 {
        self.monotonic().0.saturating_mul(1000)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall: AtomicU64,
    monotonic: AtomicU64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> ManualClock {
        ManualClock { wall: AtomicU64::new(now.0), monotonic: AtomicU64::new(0) }
    }

    /// Both clocks go on by `span`.
    pub fn advance(&self, span: Millis) {
        self.wall.fetch_add(span.0, Ordering::SeqCst);
        self.monotonic.fetch_add(span.0, Ordering::SeqCst);
    }

    /// The wall clock jumps, as when an operator sets it; the monotonic one does not.
    pub fn set_wall(&self, now: Timestamp) {
        self.wall.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.monotonic.load(Ordering::SeqCst))
    }
}
