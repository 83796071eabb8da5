//! Takes back runs whose lease was lost, and buries runs whose handler is gone
//! for good.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::name::HandlerRef;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, RunStatus, WorkKind};
use hookbox_core::time::Millis;
use hookbox_store::types::{Rescue, Waiting};
use hookbox_store::{Store, StoreError};

use crate::Parts;
use crate::execute::Execute;
use crate::schedules::Declarer;
use crate::settings::Settings;

/// Between two looks.
const LOOK_EVERY: Millis = Millis(5000);
/// Runs of a handler that is gone wait so long for it.
pub const VANISHED_GRACE: Millis = Millis(10 * 60_000);
/// Runs that one commit takes back or buries.
const BATCH: usize = 256;

pub struct Reaper {
    store: Arc<dyn Store>,
    execute: Arc<dyn Execute>,
    clock: Arc<dyn Clock>,
    settings: Arc<ArcSwap<Settings>>,
    schedules: Arc<Declarer>,
    boot: BootId,
    /// Since when runs wait for what is not there.
    missing: HashMap<Missing, Monotonic>,
}

/// A handler that cannot be executed, or one that takes no longer what waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Missing {
    handler: HandlerRef,
    kind: Option<WorkKind>,
}

impl Reaper {
    pub fn new(parts: &Parts, boot: BootId) -> Reaper {
        Reaper {
            store: parts.store.clone(),
            execute: parts.execute.clone(),
            clock: parts.clock.clone(),
            settings: parts.settings.clone(),
            schedules: parts.schedules.clone(),
            boot,
            missing: HashMap::new(),
        }
    }

    pub async fn tick(&mut self) -> Millis {
        let done = async {
            self.rescue().await?;
            self.expire().await?;
            self.bury().await?;
            self.retire().await
        };
        if let Err(error) = done.await {
            tracing::error!(%error, "lost runs were not looked for");
        }
        LOOK_EVERY
    }

    /// Puts back what an older boot, or an attempt that is gone, has left leased.
    pub async fn rescue(&mut self) -> Result<(), StoreError> {
        loop {
            let catalogue = self.store.catalogue();
            let settings = self.settings.load();
            let attempts = catalogue.handlers().map(|(target, _)| {
                let attempts = settings.policy(&catalogue, &target).attempts;
                (target, attempts)
            });
            let rescue = Rescue {
                boot: self.boot,
                now: self.clock.now(),
                monotonic: self.clock.monotonic(),
                limit: BATCH,
                attempts_max: attempts.collect(),
            };
            let rescued = self.store.rescue(rescue).await?;
            for run in &rescued {
                let (id, attempt, status) = (run.id, run.attempts_begun, run.status().code());
                if run.status() == RunStatus::Dead {
                    tracing::error!(run.id = %id, run.attempt = attempt, "run {id} was lost in its last attempt: it is a dead letter");
                } else {
                    tracing::warn!(run.id = %id, run.attempt = attempt, status, "run {id} was lost in a crash: it is due again");
                }
            }
            if rescued.len() < BATCH {
                return Ok(());
            }
        }
    }

    /// Runs that wait are looked at here; one that is due is looked at by its claim.
    async fn expire(&mut self) -> Result<(), StoreError> {
        loop {
            let expired = self.store.expire(self.clock.now(), BATCH).await?;
            if expired > 0 {
                tracing::warn!(runs = expired, "{expired} runs were not begun in time: they are cancelled");
            }
            if expired < BATCH {
                return Ok(());
            }
        }
    }

    async fn bury(&mut self) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        let (available, catalogue) = (self.execute.handlers(), self.store.catalogue());
        let takes = |handler: &HandlerRef| catalogue.handler(handler).map(|handler| handler.trigger.takes());
        let mut gone: Vec<Missing> = Vec::new();
        for Waiting { handler, kind, runs, .. } in self.store.waiting().await? {
            let missing = match (available.contains(&handler), takes(&handler)) {
                (false, _) => Missing { handler, kind: None },
                (true, Some(takes)) if takes != kind => Missing { handler, kind: Some(kind) },
                (true, _) => continue,
            };
            if let Missing { handler, kind: Some(kind) } = &missing
                && !self.missing.contains_key(&missing)
            {
                let takes = kind.other();
                tracing::warn!(%handler, runs, "{handler} takes {takes} now: {runs} of its runs are of {kind} and wait {VANISHED_GRACE} for a version that takes them; deploy one, or roll back to one");
            }
            gone.push(missing);
        }
        self.missing.retain(|missing, _| gone.contains(missing));
        for missing in gone {
            let since = *self.missing.entry(missing.clone()).or_insert(now);
            if now.since(since) < VANISHED_GRACE {
                continue;
            }
            let Missing { handler, kind } = missing;
            let mut buried = 0;
            loop {
                let some = self.store.abandon(handler.clone(), kind, self.clock.now(), BATCH).await?;
                buried += some;
                if some < BATCH {
                    break;
                }
            }
            if buried > 0 {
                let why = DeadCause::of_missing(kind).told();
                tracing::error!(%handler, runs = buried, "{buried} runs of {handler} are dead letters: {why}");
            }
        }
        Ok(())
    }

    /// A plugin whose file is gone for good takes no more events, and its schedules fire no more.
    async fn retire(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let catalogue = self.store.catalogue();
        for row in catalogue.plugins().filter(|row| row.active.is_some()) {
            let Some(since) = row.missing_since.filter(|since| now.since(*since) >= VANISHED_GRACE) else { continue };
            self.schedules.expect();
            // It may have come back a moment ago: the store compares.
            if self.store.retire_plugin(&row.name, since).await? {
                tracing::warn!(plugin = %row.name, "plugin {} is gone for good: its routes and schedules are taken down", row.name);
            }
        }
        self.schedules.make_up().await
    }
}
