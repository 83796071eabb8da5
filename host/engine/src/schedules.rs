//! Which schedules there are: what plugins declare, and what hooks.yaml says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::cron::Zones;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{BadWhen, Origin, Schedule};
use hookbox_store::{Catalogue, Store, StoreError};
use tokio::sync::Mutex;
use tracing::error;

use crate::settings::Settings;

/// Schedules that are looked at before others have their turn.
const LOOKED_AT: usize = 256;

/// All schedules, one for each name and origin. The store knows which of two of a name counts.
pub fn declared(catalogue: &Catalogue, settings: &Settings) -> Vec<Schedule> {
    let mut schedules = settings.schedules.clone();
    for row in catalogue.plugins() {
        for handler in row.active.iter().flat_map(|active| &active.info.handlers) {
            if let Trigger::Schedule(declared) = &handler.trigger {
                let own = declared.of(HandlerRef { plugin: row.name.clone(), handler: handler.name.clone() });
                // Of two of a name, which a plugin that an older release took in may have, the later one counts.
                schedules.retain(|other| other.name != own.name || other.origin != Origin::Plugin);
                schedules.push(own);
            }
        }
    }
    schedules
}

/// Tells the store which schedules there are: one caller at a time, each with what there is at its turn, so that no
/// older list ever takes the place of a newer one.
pub struct Declarer {
    store: Arc<dyn Store>,
    settings: Arc<ArcSwap<Settings>>,
    clock: Arc<dyn Clock>,
    turn: Mutex<()>,
    /// Something has changed, or is about to, and is not declared yet.
    due: AtomicBool,
}

impl Declarer {
    pub fn new(store: Arc<dyn Store>, settings: Arc<ArcSwap<Settings>>, clock: Arc<dyn Clock>) -> Declarer {
        Declarer { store, settings, clock, turn: Mutex::default(), due: AtomicBool::default() }
    }

    /// To be called before plugins or settings are changed: should whoever changes them not come to declare, the next
    /// look of the reaper does.
    pub fn expect(&self) {
        self.due.store(true, Ordering::Release);
    }

    /// Returns once what is declared is on disk.
    ///
    /// One that has no slot in the ten years ahead is not made, and an error tells so; where there is one by that name and
    /// from that hand, it goes on as it was. Once made, a schedule is not asked again: its text is read at each start,
    /// and its last slot may lie behind it.
    pub async fn declare(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.due.store(false, Ordering::Release);
        let declared = self.declare_all().await;
        if declared.is_err() {
            self.expect();
        }
        declared
    }

    /// Declares where that is still to be done.
    pub async fn make_up(&self) -> Result<(), StoreError> {
        if self.due.load(Ordering::Acquire) { self.declare().await } else { Ok(()) }
    }

    async fn declare_all(&self) -> Result<(), StoreError> {
        let (zones, now) = (Zones::default(), self.clock.now());
        let all = declared(&self.store.catalogue(), &self.settings.load());
        let mut made = Vec::new();
        for (number, schedule) in all.into_iter().enumerate() {
            if number % LOOKED_AT == LOOKED_AT - 1 {
                tokio::task::yield_now().await;
            }
            match schedule.first_after(now, &zones) {
                Ok(_) => made.push(schedule),
                Err(rare) => made.extend(known(&*self.store, schedule, &rare).await?),
            }
        }
        self.store.declare_schedules(made, now).await
    }
}

/// What there is in the place of one that fires too rarely to be made: itself, where it was made before.
async fn known(store: &dyn Store, schedule: Schedule, rare: &BadWhen) -> Result<Option<Schedule>, StoreError> {
    let row = match store.schedule(&schedule.name).await {
        Ok(row) => Some(row),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let of_its_hand = |known: &Schedule| known.origin == schedule.origin;
    let before = row.into_iter().flat_map(|row| [vec![row.schedule], row.shadowed].concat()).find(of_its_hand);
    let (name, origin) = (&schedule.name, schedule.origin.code());
    match before {
        Some(before) if before.when == schedule.when => Ok(Some(schedule)),
        Some(before) => {
            error!(schedule = %name, origin, "schedule {name} of {origin} stays as it was: {rare}");
            Ok(Some(before))
        }
        None => {
            error!(schedule = %name, origin, "schedule {name} of {origin} is not made: {rare}");
            Ok(None)
        }
    }
}
