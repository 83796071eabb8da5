//! Which schedules there are: what plugins declare, and what hooks.yaml says.

use hookbox_core::cron::Zones;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{BadWhen, Origin, Schedule};
use hookbox_core::time::Timestamp;
use hookbox_store::{Catalogue, Store, StoreError};
use tracing::error;

use crate::settings::Settings;

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

/// Declares them. One that has no slot in the ten years ahead is not made, and an error tells so; where there is one by
/// that name and from that hand, it goes on as it was. Once made, a schedule is not asked again: its text is read at each
/// start, and its last slot may lie behind it.
pub async fn declare(store: &dyn Store, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
    let zones = Zones::default();
    let mut made = Vec::new();
    for schedule in declared(&store.catalogue(), settings) {
        match schedule.first_after(now, &zones) {
            Ok(_) => made.push(schedule),
            Err(rare) => made.extend(known(store, schedule, &rare).await?),
        }
    }
    store.declare_schedules(made, now).await
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
