//! What a plugin may use, and what it was given: the settings of one plugin as the sandbox sees them.

mod attempt;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::effects::KV_PLUGIN_BYTES_MAX;
use crate::egress::Egress;
use crate::enqueue::EnqueueGrant;
use crate::name::PluginName;
use crate::route::Pattern;
use crate::secret::Secret;
use crate::time::Millis;

pub use attempt::{
    CALL_BYTES, CALL_BYTES_MAX, CALL_BYTES_MIN, CALLS, CALLS_MAX, INSTANCES_MAX, KV_DATA_BYTES, KV_DATA_BYTES_MAX,
    Known, LOG_BYTES, LOG_BYTES_MAX, Limits, QUEUE_BYTES, QUEUE_BYTES_MAX, QUEUE_ITEMS, QUEUE_ITEMS_MAX, RANDOM_BYTES,
    RANDOM_BYTES_MAX, RANDOM_BYTES_MIN, RESOURCES, RESOURCES_MAX, RESOURCES_MIN, RESULT_BYTES, RESULT_BYTES_MAX,
    TABLE_ELEMENTS, TABLE_ELEMENTS_OF_ONE_MAX, TABLES_MAX, Unit,
};

/// Memory of one instance, all its linear memories together.
pub const MEMORY_BYTES: u64 = 64 << 20;
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// CPU time of one attempt.
pub const CPU: Millis = Millis(10_000);
/// `describe()` answers within this.
pub const DESCRIBE_TIMEOUT: Millis = Millis(1000);
/// A plugin's file.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// Stack of a guest; deeper recursion traps. The same for all plugins, because it belongs to the engine.
pub const STACK_BYTES: usize = 512 << 10;
/// Less is too little for the runtimes of some languages.
pub const STACK_BYTES_MIN: usize = 128 << 10;
/// Each slot has one, and what host functions need on top of it.
pub const STACK_BYTES_MAX: usize = 8 << 20;

/// By the names that a plugin's grants give them.
pub type FoundSecrets = BTreeMap<String, Arc<Secret>>;

/// Settings of one plugin; what hooks.yaml does not say is the default.
#[derive(Debug, Clone)]
pub struct PluginSettings {
    pub memory_bytes: u64,
    pub cpu: Millis,
    pub kv_bytes: u64,
    pub limits: Limits,
    /// Values that the plugin reads by name; JSON text where they are no strings.
    pub config: BTreeMap<String, String>,
    /// Secrets it was granted, by name.
    pub secrets: FoundSecrets,
    /// Topics outside its own name that it may emit.
    pub emit: Vec<Pattern>,
    /// Handlers of other plugins that it may make jobs for.
    pub enqueue: Vec<EnqueueGrant>,
    /// Requests that it may send.
    pub egress: Arc<Egress>,
}

impl Default for PluginSettings {
    fn default() -> PluginSettings {
        PluginSettings {
            memory_bytes: MEMORY_BYTES,
            cpu: CPU,
            kv_bytes: KV_PLUGIN_BYTES_MAX,
            limits: Limits::default(),
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            emit: Vec::new(),
            enqueue: Vec::new(),
            egress: Arc::default(),
        }
    }
}

impl PluginSettings {
    /// What the pool and the engine cannot honour, with what it may be.
    pub fn check(&self) -> Result<(), String> {
        if self.memory_bytes > MEMORY_BYTES_MAX {
            return Err(format!("memory must be at most {MEMORY_BYTES_MAX} bytes, is {}", self.memory_bytes));
        }
        self.limits.check()
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
