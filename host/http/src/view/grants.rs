//! What hooks.yaml grants a plugin. Names of secrets and of values, never what they are.

use std::collections::BTreeMap;

use hookbox_core::egress::Grant;
use hookbox_core::limits::PluginSettings;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct GrantsView {
    pub(crate) http: Vec<HttpGrantView>,
    /// Addresses that are not public and that it may reach all the same.
    pub(crate) networks: Vec<String>,
    /// Secrets that it may read and that are set.
    pub(crate) secrets: Vec<String>,
    pub(crate) emit: Vec<String>,
    /// Handlers of other plugins that it may make jobs for.
    pub(crate) enqueue: Vec<String>,
    pub(crate) kv_bytes: u64,
    /// Names of the values that it reads.
    pub(crate) config: Vec<String>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct HttpGrantView {
    pub(crate) to: String,
    /// Names of the secrets that a header may carry.
    pub(crate) headers: BTreeMap<String, Vec<String>>,
}

impl GrantsView {
    pub(crate) fn of(settings: &PluginSettings) -> GrantsView {
        let grant = |grant: &Grant| HttpGrantView { to: grant.to_string(), headers: grant.headers.clone() };
        GrantsView {
            http: settings.egress.grants.iter().map(grant).collect(),
            networks: settings.egress.networks.iter().map(ToString::to_string).collect(),
            secrets: settings.secrets.keys().cloned().collect(),
            emit: settings.emit.iter().map(ToString::to_string).collect(),
            enqueue: settings.enqueue.iter().map(ToString::to_string).collect(),
            kv_bytes: settings.kv_bytes,
            config: settings.config.keys().cloned().collect(),
        }
    }
}
