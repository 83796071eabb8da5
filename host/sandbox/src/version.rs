//! A plugin that is ready to run, and the set of those that are active.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::{Digest, PluginInfo};

use crate::bindings::PluginPre;
use crate::egress::Client;
use crate::guest::Guest;

/// Checked, compiled and described; with the settings it was prepared with. Changed settings make another version of
/// the same bytes.
pub struct Version {
    pub digest: Digest,
    pub info: PluginInfo,
    pub compiled: Compiled,
    settings: PluginSettings,
    client: Option<Client>,
    pre: PluginPre<Guest>,
}

/// Where the machine code of a version is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compiled {
    Fresh,
    Cached,
}

impl Version {
    pub(crate) fn new(
        digest: Digest,
        info: PluginInfo,
        compiled: Compiled,
        settings: PluginSettings,
        client: Option<Client>,
        pre: PluginPre<Guest>,
    ) -> Version {
        Version { digest, info, compiled, settings, client, pre }
    }

    pub(crate) fn settings(&self) -> &PluginSettings {
        &self.settings
    }

    /// Its connections, where it may send requests.
    pub(crate) fn client(&self) -> Option<Client> {
        self.client.clone()
    }

    pub(crate) fn pre(&self) -> &PluginPre<Guest> {
        &self.pre
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} ({:?})", self.info.name, self.digest, self.compiled)
    }
}

/// Which version of each plugin new attempts run on. A swap is one pointer; who holds a version keeps it.
#[derive(Default)]
pub(crate) struct Active(ArcSwap<BTreeMap<PluginName, Arc<Version>>>);

impl Active {
    pub(crate) fn insert(&self, version: &Arc<Version>) -> Option<Arc<Version>> {
        let before = self.0.rcu(|active| {
            let mut active = BTreeMap::clone(active);
            active.insert(version.info.name.clone(), Arc::clone(version));
            active
        });
        before.get(&version.info.name).cloned()
    }

    pub(crate) fn remove(&self, name: &PluginName) -> Option<Arc<Version>> {
        let before = self.0.rcu(|active| {
            let mut active = BTreeMap::clone(active);
            active.remove(name);
            active
        });
        before.get(name).cloned()
    }

    pub(crate) fn get(&self, name: &PluginName) -> Option<Arc<Version>> {
        self.0.load().get(name).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Version>> {
        self.0.load().values().cloned().collect()
    }
}
