//! How many attempts of one plugin are executed at a time: a quarter of the
//! slots is left to the others, however slow the plugin is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookbox_core::name::PluginName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug)]
pub(crate) struct Slots {
    per_plugin_max: usize,
    plugins: Mutex<HashMap<PluginName, Arc<Semaphore>>>,
}

/// Held while an attempt is executed.
#[expect(dead_code, reason = "held, not read")]
pub(crate) struct Slot(Option<OwnedSemaphorePermit>);

impl Slots {
    pub(crate) fn new(slots: usize) -> Slots {
        Slots { per_plugin_max: per_plugin_max(slots), plugins: Mutex::default() }
    }

    /// Waits while the plugin has all that one may have.
    pub(crate) async fn take(&self, plugin: &PluginName) -> Slot {
        // None of these is ever closed.
        Slot(self.of(plugin).acquire_owned().await.ok())
    }

    fn of(&self, plugin: &PluginName) -> Arc<Semaphore> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        match plugins.get(plugin) {
            Some(slots) => slots.clone(),
            None => {
                let slots = Arc::new(Semaphore::new(self.per_plugin_max));
                plugins.entry(plugin.clone()).or_insert(slots).clone()
            }
        }
    }
}

fn per_plugin_max(slots: usize) -> usize {
    slots.saturating_sub(slots.div_ceil(4)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_slots_is_left_where_there_are_two() {
        assert_eq!([0, 1, 2, 3, 4, 5, 16].map(per_plugin_max), [1, 1, 1, 2, 3, 3, 12]);
    }
}
