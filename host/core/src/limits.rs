//! What a plugin may use, and what it was given: the settings of one plugin as the sandbox sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::effects::KV_PLUGIN_BYTES_MAX;
use crate::egress::Egress;
use crate::name::PluginName;
use crate::route::Pattern;
use crate::secret::Secret;
use crate::time::Millis;

/// Memory of one instance, all its linear memories together.
pub const MEMORY_BYTES: u64 = 64 << 20;
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// CPU time of one attempt.
pub const CPU: Millis = Millis(10_000);
/// `describe()` answers within this.
pub const DESCRIBE_TIMEOUT: Millis = Millis(1000);
/// A plugin's file.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// By the names that a plugin's grants give them.
pub type FoundSecrets = BTreeMap<String, Arc<Secret>>;

/// Settings of one plugin; what hooks.yaml does not say is the default.
#[derive(Debug, Clone)]
pub struct PluginSettings {
    pub memory_bytes: u64,
    pub cpu: Millis,
    pub kv_bytes: u64,
    /// Values that the plugin reads by name; JSON text where they are no strings.
    pub config: BTreeMap<String, String>,
    /// Secrets it was granted, by name.
    pub secrets: FoundSecrets,
    /// Topics outside its own name that it may emit.
    pub emit: Vec<Pattern>,
    /// Requests that it may send.
    pub egress: Arc<Egress>,
}

impl Default for PluginSettings {
    fn default() -> PluginSettings {
        PluginSettings {
            memory_bytes: MEMORY_BYTES,
            cpu: CPU,
            kv_bytes: KV_PLUGIN_BYTES_MAX,
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            emit: Vec::new(),
            egress: Arc::default(),
        }
    }
}

/// Settings of all plugins; a plugin without an entry has the defaults.
#[derive(Debug, Clone, Default)]
pub struct AllSettings(pub BTreeMap<PluginName, PluginSettings>);

impl AllSettings {
    pub fn of(&self, plugin: &PluginName) -> PluginSettings {
        self.0.get(plugin).cloned().unwrap_or_default()
    }
}
