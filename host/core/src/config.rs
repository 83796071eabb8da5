//! hooks.yaml: read, checked, and in the form that code sees.
//!
//! [`Config::parse`] takes the text and tells every mistake in it at once, each with its place
//! and its cure. The text becomes a `tree`, whose budget no alias can overrun; a `reader` walks
//! it, and one file for each noun takes its keys from there. What a key means, its default and
//! its limits are said in the hooks.yaml at the root of the repository.
//!
//! Secrets stand here by their sources only, and no mistake quotes what might be one. Nothing in
//! here opens a file or reads the environment.

mod alerts;
mod http;
mod network;
mod oidc;
mod plugin;
mod provider;
mod reader;
mod rollback;
mod schedule;
mod scheme;
mod server;
mod size;
mod source;
mod template;
mod tracing;
mod tree;
mod trust;

use std::collections::BTreeMap;
use std::fmt;

pub use alerts::{Alerts, CHANNELS_MAX, Channel, Mail};
pub use http::Http;
pub use network::NETWORKS_MAX;
pub use oidc::{Oidc, OidcRoles};
pub use plugin::{CONFIG_KEYS_MAX, CONFIG_VALUE_BYTES_MAX, KV_BYTES_MAX, MEMORY_BYTES_MIN, Plugin};
pub use provider::{
    DEDUPE_MAX, DEDUPE_MIN, Provider, SCHEMAS_MAX, SECRETS_MAX, Schema, TOLERANCE_MAX, TOLERANCE_MIN, provider_for_env,
    secret_variable, verify_token_variable,
};
pub use schedule::{PAYLOAD_BYTES_MAX, SCHEDULE_KINDS, schedule_of_operator};
pub use server::{
    BODIES_BYTES, BODIES_BYTES_MAX, BODIES_BYTES_MIN, BODY_BYTES, BODY_BYTES_MAX, BODY_BYTES_MIN, CONNECTIONS,
    CONNECTIONS_MAX, CONNECTIONS_MIN, Engine, HOSTS_MAX, IN_FLIGHT, IN_FLIGHT_MAX, KEPT_FOR_MAX, KEPT_FOR_MIN,
    KEPT_MAX, Login, Operator, PER_SOURCE, QUEUE, QUEUE_MAX, Retention, SLOTS, SLOTS_MAX, Server, StoreLocation,
    TlsFiles,
};
pub use source::{ProviderSecret, SecretSource};
pub use tracing::Tracing;
pub use trust::Signatures;

use crate::name::{PluginName, ProviderName};
use crate::schedule::Schedule;
use crate::trial::{self, Rule};
use crate::trust::Trust;
use reader::{Report, Section};

/// Longest hooks.yaml, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Everything that hooks.yaml says, with the defaults where it is silent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    pub server: Server,
    pub operator: Operator,
    pub store: StoreLocation,
    pub engine: Engine,
    pub retention: Retention,
    pub tracing: Tracing,
    pub alerts: Alerts,
    pub providers: BTreeMap<ProviderName, Provider>,
    /// What is asked of a plugin that has nothing of its own.
    pub signatures: Signatures,
    /// Of every plugin that has no rule of its own.
    pub rollback: Option<Rule>,
    /// A plugin without an entry has the defaults.
    pub plugins: BTreeMap<PluginName, Plugin>,
    /// In the order of the file.
    pub schedules: Vec<Schedule>,
}

/// One thing that is wrong with hooks.yaml, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `providers.github.tolerance`; empty where it is the file as a whole.
    pub path: String,
    pub message: String,
    /// Counts from 1.
    pub line: Option<usize>,
}

/// Everything that is wrong, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl Config {
    /// Every place that a secret is in, of whatever part.
    pub fn sources(&self) -> impl Iterator<Item = &SecretSource> {
        let plugins = self.plugins.values();
        let plugins = plugins.flat_map(|plugin| plugin.secrets.values().chain(plugin.http.secrets.values()));
        let providers = self.providers.values().flat_map(Provider::sources);
        let channels = self.alerts.channels.values().filter_map(Channel::source);
        let oidc = self.operator.oidc.as_ref().and_then(|oidc| oidc.client_secret.as_ref());
        plugins.chain(providers).chain(channels).chain(&self.operator.token).chain(oidc)
    }

    /// An empty text is a config: the defaults.
    pub fn parse(text: &str) -> Result<Config, Mistakes> {
        let tree = tree::parse(text).map_err(|mistake| Mistakes(vec![mistake]))?;
        let report = Report::default();
        let mut root = Section::root(tree, &report);
        let server = Server::read(root.section("server"));
        let signatures = Signatures::read(root.section("trust"), None);
        let config = Config {
            operator: Operator::read(root.section("operator"), &server),
            server,
            store: StoreLocation::read(root.take("store")),
            engine: Engine::read(root.section("engine")),
            retention: Retention::read(root.section("keep")),
            tracing: Tracing::read(root.section("tracing")),
            alerts: Alerts::read(root.section("alerts")),
            providers: provider::read(root.section("providers")),
            rollback: rollback::read(root.take("rollback")).flatten(),
            plugins: plugin::read(root.section("plugins"), &signatures),
            signatures,
            schedules: schedule::read(root.section("schedules")),
        };
        root.finish();
        match report.into_mistakes() {
            mistakes if mistakes.is_empty() => Ok(config),
            mistakes => Err(Mistakes(mistakes)),
        }
    }

    /// Whose components may run.
    pub fn trust(&self) -> Trust {
        trust::of(&self.signatures, &self.plugins)
    }

    /// When the host rolls a plugin back by itself.
    pub fn rollbacks(&self) -> trial::Rules {
        let own = self.plugins.iter().filter_map(|(name, plugin)| Some((name.clone(), plugin.rollback?)));
        trial::Rules { usual: self.rollback, own: own.collect() }
    }
}

/// `providers.github.tolerance: must be 1s..=1h, got 0s (line 12)`
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.as_str(), self.line) {
            ("", Some(line)) => write!(f, "line {line}: {}", self.message),
            ("", None) => f.write_str(&self.message),
            (path, Some(line)) => write!(f, "{path}: {} (line {line})", self.message),
            (path, None) => write!(f, "{path}: {}", self.message),
        }
    }
}

/// One on each line.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, mistake) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}
