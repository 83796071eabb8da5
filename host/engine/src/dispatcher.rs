//! Claims runs that are due and brings each attempt to its end.
//!
//! A claimed run waits for a slot, is executed on the guests' runtime, and its
//! end is recorded with its effects in one commit. The slot is free again while
//! the commit is under way, so more runs are claimed than there are slots.
//! Neither places nor slots can all be held by one plugin.

mod attempt;
mod mark;
mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hookbox_core::attempt::{Log, Outcome};
use hookbox_core::id::RunId;
use hookbox_core::name::HandlerRef;
use hookbox_core::run::{BootId, Lease, Run, RunStatus};
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use hookbox_store::types::{Claim, Leased};
use tokio::sync::Notify;
use tracing::Instrument;

use crate::Parts;
use crate::claimables::Claimables;
use crate::pace::{Phase, Stop};
use crate::places::{Places, Share};
use crate::slots::Slots;
use crate::turns::Turns;
use mark::{Held, Mark};

/// A lease that is not renewed within this is lost.
pub const LEASE: Millis = Millis(30_000);
/// Between two renewals.
pub const RENEW_EVERY: Millis = Millis(10_000);
/// Runs that are claimed and not yet recorded: enough to keep the slots busy while commits are under way.
pub const IN_FLIGHT_MAX: usize = 256;
/// Runs of one claim.
pub const CLAIM_MAX: usize = 128;
/// The longest wait between two claims: a lost wake-up costs no more.
const LOOK_EVERY: Millis = Millis::SECOND;
/// After a failed claim.
const FAILED_WAIT: Millis = Millis::SECOND;

/// An attempt that ended, for whoever watches.
#[derive(Debug, Clone)]
pub struct RunEnded {
    pub run: RunId,
    pub target: HandlerRef,
    pub attempt: u32,
    pub status: RunStatus,
    pub outcome: Outcome,
    pub log: Log,
    pub wall_us: u64,
}

pub(crate) struct Dispatcher {
    parts: Parts,
    boot: BootId,
    stop: Stop,
    claimables: Claimables,
    turns: Turns,
    /// Places for claimed runs.
    places: Arc<Places>,
    slots: Slots,
    /// Attempts under way, in the order in which they began. A run that was put back may be claimed again before its
    /// last attempt is off the list.
    running: Mutex<Running>,
    ended: Notify,
}

impl Dispatcher {
    pub(crate) fn new(parts: Parts, boot: BootId, stop: Stop) -> Dispatcher {
        Dispatcher {
            slots: Slots::new(parts.slots),
            parts,
            boot,
            stop,
            claimables: Claimables::default(),
            turns: Turns::default(),
            places: Places::new(IN_FLIGHT_MAX),
            running: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Claims until the host stops.
    pub(crate) async fn run(self: Arc<Self>) {
        while self.stop.phase() == Phase::Running {
            let (wait, served) = match self.claim().await {
                Ok(Claimed::Some) => continue,
                Ok(Claimed::Nothing { wait, served }) => (wait, served),
                Err(error) => {
                    // The store has said that its disk fails.
                    if self.parts.store.failure().is_none() {
                        tracing::error!(%error, "no runs were claimed");
                    }
                    (FAILED_WAIT, Served::All)
                }
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait.as_duration()) => {}
                () = self.parts.store.signals().runs.notified() => {}
                () = self.places.given_back(), if served == Served::Some => {}
                () = self.stop.reached(Phase::Draining) => {}
            }
        }
    }

    /// One claim: begins the attempts of what is due.
    pub(crate) async fn claim(self: &Arc<Self>) -> Result<Claimed, StoreError> {
        let clock = &self.parts.clock;
        let (executable, settings) = (self.parts.execute.handlers(), self.parts.settings.load_full());
        let (listed, next_token) = self.claimables.now(executable, &*self.parts.store, settings, clock.monotonic());
        // Nobody else takes places: those that are free here are free below.
        let Share { handlers, limit, per_plugin_max } = self.places.share(&listed);
        let served = if handlers.len() == listed.len() { Served::All } else { Served::Some };
        let now = clock.now();
        let due = self.parts.store.next_due(&handlers).await?;
        if due.is_none_or(|due| due > now) {
            let wait = due.map_or(LOOK_EVERY, |due| due.since(now).min(LOOK_EVERY));
            let wait = next_token.map_or(wait, |token| token.min(wait));
            return Ok(Claimed::Nothing { wait, served });
        }
        let (limit, boot, until) = (limit.min(CLAIM_MAX), self.boot, clock.monotonic().plus(LEASE));
        let claimed = self.parts.store.claim(Claim { handlers, limit, per_plugin_max, boot, now, until }).await?;
        if claimed.is_empty() {
            return Ok(Claimed::Nothing { wait: LOOK_EVERY, served });
        }
        self.claimables.charge(&claimed, clock.monotonic());
        for run in claimed {
            self.begin(run);
        }
        Ok(Claimed::Some)
    }

    fn begin(self: &Arc<Self>, run: Run) {
        let place = self.places.take(&run.target);
        let Some(lease) = run.lease() else { return };
        let (listed, id) = (Listed::new(self.clone(), run.id, lease), run.id);
        // Whatever is logged about the run carries its id.
        let span = tracing::error_span!("run", run.id = %id, trace.id = tracing::field::Empty);
        let ended = async move {
            tokio::select! {
                biased;
                () = listed.dispatcher.bring_to_end(run, &listed.held) => {}
                // Dropped, the attempt stops; nobody waits for its result.
                () = listed.held.mark.dropped.notified() => taken_away(id),
            }
            drop(place);
            drop(listed);
        };
        self.parts.guests.spawn(ended.instrument(span));
    }

    /// Renews the leases of what is running until nothing is.
    pub(crate) async fn keep_leases(self: Arc<Self>) {
        loop {
            tokio::select! {
                biased;
                () = self.stopped_and_idle() => return,
                () = self.parts.store.signals().leases.notified() => {}
                () = tokio::time::sleep(RENEW_EVERY.as_duration()) => {}
            }
            self.renew().await;
        }
    }

    /// Renews the lease of each attempt under way, once. One whose lease is gone is stopped: its run was cancelled or
    /// taken back.
    pub(crate) async fn renew(&self) {
        let running: Vec<Leased> = self.locked().attempts.values().map(Attempt::leased).collect();
        let until = self.parts.clock.monotonic().plus(LEASE);
        match self.parts.store.renew(&running, until).await {
            Ok(renewed) => {
                let attempts = self.locked();
                let asked = attempts.attempts.values().filter(|attempt| running.contains(&attempt.leased()));
                asked.filter(|attempt| !renewed.contains(&attempt.leased())).for_each(|a| a.held.mark.stop());
            }
            Err(error) => tracing::error!(%error, "leases were not renewed"),
        }
    }

    async fn stopped_and_idle(&self) {
        self.stop.reached(Phase::Draining).await;
        self.idle().await;
    }

    pub(crate) fn running(&self) -> usize {
        self.locked().attempts.len()
    }

    /// Returns once nothing is running; more may begin as long as runs are claimed.
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.running() == 0 {
                return;
            }
            ended.await;
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) enum Claimed {
    Some,
    Nothing { wait: Millis, served: Served },
}

/// Whose runs were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    All,
    /// Some plugins hold their share of the places: one that is given back may let them go on.
    Some,
}

#[derive(Debug, Default)]
struct Running {
    begun: u64,
    attempts: BTreeMap<u64, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    run: RunId,
    held: Arc<Held>,
}

impl Attempt {
    fn leased(&self) -> Leased {
        (self.run, self.held.lease)
    }
}

fn taken_away(id: RunId) {
    tracing::info!(run.id = %id, "run {id} was taken away while it was executed: it is stopped");
}

/// An attempt on the list. It comes off even where its task panics or is never begun; its lease then runs out.
struct Listed {
    dispatcher: Arc<Dispatcher>,
    number: u64,
    held: Arc<Held>,
}

impl Listed {
    fn new(dispatcher: Arc<Dispatcher>, run: RunId, lease: Lease) -> Listed {
        let held = Arc::new(Held { lease, mark: Mark::default(), trace: OnceLock::new() });
        let number = {
            let mut running = dispatcher.locked();
            running.begun += 1;
            let number = running.begun;
            running.attempts.insert(number, Attempt { run, held: held.clone() });
            number
        };
        Listed { dispatcher, number, held }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        // Before it is off the list: whoever waits for that hands over what spans there are.
        if let Some(trace) = self.held.trace.get() {
            trace.lose();
        }
        self.dispatcher.locked().attempts.remove(&self.number);
        self.dispatcher.ended.notify_waiters();
    }
}
