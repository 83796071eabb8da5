//! Who may touch a plugin's keys at the same time: everybody, until somebody
//! has lost too often and takes the turn alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookbox_core::name::PluginName;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<PluginName, Arc<RwLock<()>>>>);

/// Held from before the execution until the record is on disk.
#[expect(dead_code, reason = "held, not read")]
pub(crate) enum Turn {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Turns {
    pub(crate) async fn shared(&self, plugin: &PluginName) -> Turn {
        Turn::Shared(self.of(plugin).read_owned().await)
    }

    /// Waits for running attempts of the plugin, and holds back new ones.
    pub(crate) async fn alone(&self, plugin: &PluginName) -> Turn {
        Turn::Alone(self.of(plugin).write_owned().await)
    }

    fn of(&self, plugin: &PluginName) -> Arc<RwLock<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match turns.get(plugin) {
            Some(turn) => turn.clone(),
            None => turns.entry(plugin.clone()).or_default().clone(),
        }
    }
}
