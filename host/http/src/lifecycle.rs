//! Where the host is between its start and its end.

use std::sync::atomic::{AtomicU8, Ordering};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Routes and plugins are being read: webhooks would be kept as unrouted.
    Starting,
    Serving,
    /// What has come in is finished, nothing else is taken.
    Draining,
}

/// The phase, shared by both routers and whoever changes it.
#[derive(Debug, Default)]
pub struct Lifecycle(AtomicU8);

impl Lifecycle {
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Draining,
        }
    }

    /// From here on webhooks are accepted; nothing happens where the host is draining already.
    pub fn begin_serving(&self) {
        self.0.fetch_max(1, Ordering::AcqRel);
    }

    /// From here on webhooks are put off; there is no way back.
    pub fn begin_draining(&self) {
        self.0.fetch_max(2, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_host_never_serves_again() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Starting);
        lifecycle.begin_serving();
        assert_eq!(lifecycle.phase(), Phase::Serving);
        lifecycle.begin_draining();
        lifecycle.begin_serving();
        assert_eq!(lifecycle.phase(), Phase::Draining);
    }
}
