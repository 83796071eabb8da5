//! A plugin that is ready to run, and the set of those that are active.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::{Digest, PluginInfo};
use hookbox_core::time::Millis;
use tokio::sync::watch;

use crate::bindings::PluginPre;
use crate::egress::Client;
use crate::guest::Guest;
use crate::text;

/// Checked, compiled and described; with the settings it was prepared with. Changed settings make another version of
/// the same bytes.
pub struct Version {
    pub digest: Digest,
    pub info: PluginInfo,
    pub compiled: Compiled,
    /// How long that took, compiling or loading.
    pub compiling: Millis,
    /// Interfaces that it imports, in the order of their names.
    pub imports: Vec<String>,
    settings: PluginSettings,
    client: Option<Client>,
    pre: PluginPre<Guest>,
    revoked: watch::Sender<bool>,
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
        (compiled, compiling): (Compiled, Millis),
        settings: PluginSettings,
        client: Option<Client>,
        pre: PluginPre<Guest>,
    ) -> Version {
        let (imports, revoked) = (imports(&pre), watch::Sender::new(false));
        Version { digest, info, compiled, compiling, imports, settings, client, pre, revoked }
    }

    /// Stops the attempts that run on it, at once: they end as [`Outcome::Revoked`](hookbox_core::attempt::Outcome). No
    /// other begins: it comes to [`SandboxError::NoSuchHandler`](crate::SandboxError::NoSuchHandler). There is no way back.
    pub fn revoke(&self) {
        self.revoked.send_replace(true);
    }

    pub(crate) fn is_revoked(&self) -> bool {
        *self.revoked.borrow()
    }

    /// Ready once it is revoked.
    pub(crate) async fn revoked(&self) {
        // The sender lives as long as this version: it cannot fail.
        let _ = self.revoked.subscribe().wait_for(|revoked| *revoked).await;
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

fn imports(pre: &PluginPre<Guest>) -> Vec<String> {
    let component = pre.instance_pre().component();
    let kind = component.component_type();
    let mut imports: Vec<String> = kind.imports(component.engine()).map(|(name, _)| text::line(name)).collect();
    imports.sort_unstable();
    imports
}

/// Which version of each plugin new attempts run on. A swap is one pointer; who holds a version keeps it.
#[derive(Default)]
pub(crate) struct Active {
    versions: ArcSwap<BTreeMap<PluginName, Arc<Version>>>,
    /// Those that were replaced, as long as an attempt runs on them.
    replaced: Mutex<Vec<Weak<Version>>>,
}

impl Active {
    pub(crate) fn insert(&self, version: &Arc<Version>) -> Option<Arc<Version>> {
        let before = self.versions.rcu(|active| {
            let mut active = BTreeMap::clone(active);
            active.insert(version.info.name.clone(), Arc::clone(version));
            active
        });
        self.replaced(before.get(&version.info.name))
    }

    pub(crate) fn remove(&self, name: &PluginName) -> Option<Arc<Version>> {
        let before = self.versions.rcu(|active| {
            let mut active = BTreeMap::clone(active);
            active.remove(name);
            active
        });
        self.replaced(before.get(name))
    }

    fn replaced(&self, version: Option<&Arc<Version>>) -> Option<Arc<Version>> {
        if let Some(version) = version {
            let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
            replaced.retain(|old| old.strong_count() > 0);
            replaced.push(Arc::downgrade(version));
        }
        version.cloned()
    }

    /// Every version that is active, or that an attempt still runs on.
    pub(crate) fn living(&self) -> Vec<Arc<Version>> {
        let mut living = self.all();
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        living.extend(replaced.iter().filter_map(Weak::upgrade));
        living
    }

    pub(crate) fn get(&self, name: &PluginName) -> Option<Arc<Version>> {
        self.versions.load().get(name).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Version>> {
        self.versions.load().values().cloned().collect()
    }
}
