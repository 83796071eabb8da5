//! Which schedules there are: what plugins declare, and what hooks.yaml says.

use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{Origin, Schedule};
use hookbox_store::Catalogue;

use crate::settings::Settings;

/// All schedules, one for each name and origin. The store knows which of two of a name counts.
pub fn declared(catalogue: &Catalogue, settings: &Settings) -> Vec<Schedule> {
    let mut schedules = settings.schedules.clone();
    for row in catalogue.plugins() {
        for handler in row.active.iter().flat_map(|active| &active.info.handlers) {
            if let Trigger::Schedule(declared) = &handler.trigger {
                let own = Schedule {
                    name: declared.name.clone(),
                    target: HandlerRef { plugin: row.name.clone(), handler: handler.name.clone() },
                    when: declared.when.clone(),
                    payload: None,
                    origin: Origin::Plugin,
                    rules: declared.rules,
                };
                // Two handlers of a plugin may give theirs the same name: the later one counts.
                schedules.retain(|other| other.name != own.name || other.origin != Origin::Plugin);
                schedules.push(own);
            }
        }
    }
    schedules
}
