//! Which schedules there are: what plugins declare, and over it what hooks.yaml says.

use std::collections::BTreeMap;

use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{Origin, Schedule};
use hookbox_store::Catalogue;

use crate::settings::Settings;

/// All schedules, one for each name. Where a plugin and hooks.yaml name the same one, hooks.yaml is right.
pub fn declared(catalogue: &Catalogue, settings: &Settings) -> Vec<Schedule> {
    let mut schedules = BTreeMap::new();
    for row in catalogue.plugins() {
        for handler in row.active.iter().flat_map(|active| &active.info.handlers) {
            if let Trigger::Schedule(declared) = &handler.trigger {
                let target = HandlerRef { plugin: row.name.clone(), handler: handler.name.clone() };
                let schedule = Schedule {
                    name: declared.name.clone(),
                    target,
                    when: declared.when.clone(),
                    payload: None,
                    origin: Origin::Plugin,
                };
                schedules.insert(schedule.name.clone(), schedule);
            }
        }
    }
    for schedule in &settings.schedules {
        schedules.insert(schedule.name.clone(), schedule.clone());
    }
    schedules.into_values().collect()
}
