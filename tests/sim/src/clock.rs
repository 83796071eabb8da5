//! Time as the simulation has it: the paused time of tokio, and a wall clock that may jump.

use std::sync::atomic::{AtomicI64, Ordering};

use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::time::Timestamp;
use tokio::time::Instant;

pub(crate) struct SimClock {
    begun: Instant,
    /// When the wall clock begins, in milliseconds since 1970.
    begin: u64,
    jumped_ms: AtomicI64,
}

impl SimClock {
    /// To be made where time is paused.
    pub(crate) fn new(begin: u64) -> SimClock {
        SimClock { begun: Instant::now(), begin, jumped_ms: AtomicI64::new(0) }
    }

    /// The wall clock is set forward or back; leases do not see it.
    pub(crate) fn jump(&self, ms: i64) {
        self.jumped_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn jumped_ms(&self) -> i64 {
        self.jumped_ms.load(Ordering::SeqCst)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp((self.begin + self.monotonic().0).saturating_add_signed(self.jumped_ms()))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
