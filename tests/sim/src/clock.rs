//! Time as the simulation has it: the paused time of tokio, and a wall clock that may jump.

use std::sync::atomic::{AtomicI64, Ordering};

use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::time::Timestamp;
use tokio::time::Instant;

/// When the wall clock begins.
const BEGIN: i64 = 1_780_000_000_000;

pub(crate) struct SimClock {
    begun: Instant,
    jumped_ms: AtomicI64,
}

impl SimClock {
    /// To be made where time is paused.
    pub(crate) fn new() -> SimClock {
        SimClock { begun: Instant::now(), jumped_ms: AtomicI64::new(0) }
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
        let now = BEGIN + self.jumped_ms() + i64::try_from(self.monotonic().0).unwrap_or(i64::MAX);
        Timestamp(now.unsigned_abs())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
