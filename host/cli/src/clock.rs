//! The one clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::time::{Millis, Timestamp};

/// The system's clocks.
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    pub(crate) fn new() -> SystemClock {
        SystemClock { started: Instant::now() }
    }
}

/// When a file was last written; nothing where it is not there.
pub(crate) fn changed_at(file: &std::path::Path) -> Option<Timestamp> {
    let changed = std::fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(Millis::from_duration(changed).0))
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(Millis::from_duration(since).0)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(Millis::from_duration(self.started.elapsed()).0)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
