//! What happened, in order: a hash of it tells whether two simulations were
//! the same, and where one is to be looked at, every line is shown.

use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub(crate) struct Trace {
    loud: bool,
    begun: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    hash: Fnv,
    lines: u64,
    broken: Option<String>,
}

/// FNV-1a, 64 bits.
pub(crate) struct Fnv(pub(crate) u64);

impl Trace {
    /// To be made where time is paused.
    pub(crate) fn new(loud: bool) -> Trace {
        Trace { loud, begun: Instant::now(), inner: Mutex::default() }
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let at = self.begun.elapsed().as_millis();
        if self.loud {
            eprintln!("{at:>10} ms  {what}");
        }
        let mut inner = self.inner();
        inner.lines += 1;
        // A hash takes whatever is written to it.
        let _ = writeln!(inner.hash, "{at} {what}");
    }

    /// An invariant does not hold; the first one is kept.
    pub(crate) fn broken(&self, why: String) {
        self.note(format_args!("BROKEN {why}"));
        self.inner().broken.get_or_insert(why);
    }

    pub(crate) fn first_broken(&self) -> Option<String> {
        self.inner().broken.clone()
    }

    /// The hash of all lines, and how many there are.
    pub(crate) fn sum(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.hash.0, inner.lines)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}
