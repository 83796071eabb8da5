//! Proposals that are made once more though the file did not change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Where whoever takes proposals says that nothing came of one. At most one for each file that the folder holds is
/// made again.
#[derive(Debug, Clone, Default)]
pub struct Again {
    due: Arc<Mutex<BTreeMap<PluginName, Instant>>>,
    pub(super) bell: Arc<Notify>,
}

impl Again {
    /// What lies under this name is proposed again after `wait`, whatever it is by then.
    pub fn propose(&self, name: &PluginName, wait: Millis) {
        let at = Instant::now() + wait.as_duration();
        self.due.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), at);
        self.bell.notify_one();
    }

    pub(super) fn take(&self, now: Instant) -> Vec<PluginName> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.extract_if(.., |_, at| *at <= now).map(|(name, _)| name).collect()
    }
}
