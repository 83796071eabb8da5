//! The one loop that all doers but the dispatcher run in, and how it is stopped.

use std::future::Future;

use hookbox_core::time::Millis;
use tokio::sync::watch;

/// Where the host is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Nothing new begins.
    Draining,
    /// What runs is put back.
    Abandoning,
}

pub(crate) struct Stopper(watch::Sender<Phase>);

#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Phase>);

pub(crate) fn stopper() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    pub(crate) fn go(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}

impl Stop {
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns once the host is in `phase` or beyond.
    pub(crate) async fn reached(&self, phase: Phase) {
        // A sender that is gone has no more to say: everything is over.
        let _ = self.0.clone().wait_for(|current| *current >= phase).await;
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
            wait = tick(&mut doer) => wait,
            () = stop.reached(Phase::Draining) => return,
        };
        tokio::select! {
            () = tokio::time::sleep(wait.as_duration()) => {}
            () = woken() => {}
            () = stop.reached(Phase::Draining) => {}
        }
    }
}
