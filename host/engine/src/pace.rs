//! The one loop that all doers but the dispatcher run in, and how it is stopped.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hookbox_core::time::Millis;
use tokio::sync::Notify;

/// Where the host is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Nothing new begins.
    Draining,
    /// What runs is put back.
    Abandoning,
}

/// Where it is gone, everything is over.
pub(crate) struct Stopper(Arc<Way>);

#[derive(Clone)]
pub(crate) struct Stop(Arc<Way>);

/// Whoever waits is woken in the order of waiting: a run of the doers can be repeated exactly.
#[derive(Default)]
struct Way {
    phase: AtomicU8,
    gone_on: Notify,
}

pub(crate) fn stopper() -> (Stopper, Stop) {
    let way = Arc::<Way>::default();
    (Stopper(way.clone()), Stop(way))
}

impl Stopper {
    /// There is no way back.
    pub(crate) fn go(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.0.gone_on.notify_waiters();
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.go(Phase::Abandoning);
    }
}

impl Stop {
    pub(crate) fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Abandoning,
        }
    }

    /// Returns once the host is in `phase` or beyond.
    pub(crate) async fn reached(&self, phase: Phase) {
        loop {
            let mut gone_on = std::pin::pin!(self.0.gone_on.notified());
            gone_on.as_mut().enable();
            if self.phase() >= phase {
                return;
            }
            gone_on.await;
        }
    }
}

/// Ticks until the host stops; each tick says how long to wait for the next.
pub(crate) async fn paced<D>(stop: Stop, doer: D, tick: impl AsyncFnMut(&mut D) -> Millis) {
    paced_or_woken(stop, doer, tick, std::future::pending::<()>).await;
}

/// Ticks until the host stops, earlier than it said where it is woken. A tick that is under way then is dropped: what
/// it has committed stands, the rest is found again.
pub(crate) async fn paced_or_woken<D, W: Future<Output = ()>>(
    stop: Stop,
    mut doer: D,
    mut tick: impl AsyncFnMut(&mut D) -> Millis,
    mut woken: impl FnMut() -> W,
) {
    while stop.phase() == Phase::Running {
        let wait = tokio::select! {
            biased;
            () = stop.reached(Phase::Draining) => return,
            wait = tick(&mut doer) => wait,
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep(wait.as_duration()) => {}
            () = woken() => {}
            () = stop.reached(Phase::Draining) => {}
        }
    }
}
