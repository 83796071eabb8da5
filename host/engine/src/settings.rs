//! What the operator sets, as the doers need it.

use std::collections::HashMap;

use hookbox_core::effects::KV_PLUGIN_BYTES_MAX;
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::plugin::{PluginInfo, Trigger};
use hookbox_core::policy::{Policy, PolicyPatch};
use hookbox_core::route::filter::Filter;
use hookbox_core::schedule::Schedule;
use hookbox_core::trial;
use hookbox_store::Catalogue;
use hookbox_store::types::Retention;

/// Exchanged whole when hooks.yaml changes.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What hooks.yaml says of all handlers of a plugin.
    pub plugins: HashMap<PluginName, PolicyPatch>,
    /// What it says of one handler.
    pub handlers: HashMap<HandlerRef, PolicyPatch>,
    /// In place of the filters that handlers declare.
    pub filters: HashMap<HandlerRef, Filter>,
    pub kv_bytes: HashMap<PluginName, u64>,
    /// Schedules of hooks.yaml.
    pub schedules: Vec<Schedule>,
    pub retention: Retention,
    /// When the host rolls a plugin back by itself.
    pub rollbacks: trial::Rules,
}

impl Settings {
    /// The plugin's own word, then hooks.yaml on the plugin, then hooks.yaml on the handler; the later one counts.
    pub fn policy(&self, catalogue: &Catalogue, target: &HandlerRef) -> Policy {
        let declared = catalogue.handler(target).map(|handler| handler.policy.clone()).unwrap_or_default();
        self.over(target, declared).policy()
    }

    /// What a plugin declares, with what hooks.yaml puts in its place.
    pub fn configured(&self, declared: &PluginInfo) -> PluginInfo {
        let mut info = declared.clone();
        for handler in &mut info.handlers {
            let target = HandlerRef { plugin: declared.name.clone(), handler: handler.name.clone() };
            handler.policy = self.over(&target, std::mem::take(&mut handler.policy));
            if let (Trigger::Events(_), Some(filter)) = (&handler.trigger, self.filters.get(&target)) {
                handler.filter = Some(filter.clone());
            }
        }
        info
    }

    fn over(&self, target: &HandlerRef, declared: PolicyPatch) -> PolicyPatch {
        let of_plugin = self.plugins.get(&target.plugin).cloned().unwrap_or_default();
        let of_handler = self.handlers.get(target).cloned().unwrap_or_default();
        of_handler.over(of_plugin.over(declared))
    }

    pub fn kv_bytes_max(&self, plugin: &PluginName) -> u64 {
        self.kv_bytes.get(plugin).copied().unwrap_or(KV_PLUGIN_BYTES_MAX)
    }
}
