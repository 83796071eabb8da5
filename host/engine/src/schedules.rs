//! Which schedules there are: what plugins declare, and what hooks.yaml says.

use hookbox_core::cron::Zones;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{Origin, Schedule};
use hookbox_core::time::Timestamp;
use hookbox_store::{Catalogue, Store, StoreError};

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

/// Declares them all. One that is new and will hardly ever fire is told: it is taken all the same, as its text is read
/// again and again, and a host that has run for years must start again.
pub async fn declare(store: &dyn Store, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
    let declared = declared(&store.catalogue(), settings);
    let zones = Zones::default();
    for schedule in &declared {
        let Err(rare) = schedule.first_after(now, &zones) else { continue };
        let row = match store.schedule(&schedule.name).await {
            Ok(row) => Some(row),
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let mut all = row.iter().flat_map(|row| row.shadowed.iter().chain([&row.schedule]));
        if !all.any(|known| known.origin == schedule.origin && known.when == schedule.when) {
            let (name, origin) = (&schedule.name, schedule.origin.code());
            tracing::warn!(schedule = %name, origin, "schedule {name} of {origin}: {rare}");
        }
    }
    store.declare_schedules(declared, now).await
}
