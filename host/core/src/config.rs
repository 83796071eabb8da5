//! hooks.yaml: read as a tree, walked by a reader that collects every mistake,
//! and turned into what the code sees.
//!
//! Reading is pure: secrets are named here ([`SecretSource`]) and fetched
//! elsewhere. The shipped `hooks.yaml` is the manual of every key.

mod plugin;
mod provider;
mod reader;
mod schedule;
mod server;
mod size;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use crate::name::{PluginName, ProviderName};
use crate::schedule::Schedule;

pub use plugin::Plugin;
pub use provider::{Provider, provider_for_env};
pub use server::{BODY_BYTES, Engine, IN_FLIGHT, Keep, Operator, SLOTS, Server};

use reader::{Mistaken, Section};

/// Longest hooks.yaml, in bytes.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;

/// Everything hooks.yaml says, and the defaults of what it does not say.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    pub operator: Operator,
    pub store: StoreLocation,
    pub engine: Engine,
    pub keep: Keep,
    pub providers: BTreeMap<ProviderName, Provider>,
    pub plugins: BTreeMap<PluginName, Plugin>,
    pub schedules: Vec<Schedule>,
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder; relative to hooks.yaml.
    Sled(PathBuf),
}

/// Where a secret comes from. Its value is never in hooks.yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable, or a line of `.env`.
    Env(String),
    /// A file; relative to hooks.yaml.
    File(PathBuf),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Env(name) => write!(f, "the environment variable {name}"),
            SecretSource::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// One mistake, where it is and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `providers.github.tolerance`; empty for the file itself.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Every mistake of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<Mistake>);

impl Config {
    /// An empty text means the defaults.
    pub fn parse(text: &str) -> Result<Config, Mistakes> {
        let mistaken = Mistaken::default();
        let tree = match tree(text) {
            Ok(tree) => tree,
            Err(message) => return Err(Mistakes(vec![Mistake { path: String::new(), message }])),
        };
        let mut root = Section::root(tree, &mistaken);
        let config = Config {
            server: server::server(root.section("server")),
            operator: server::operator(root.section("operator")),
            store: server::store(&mut root),
            engine: server::engine(root.section("engine")),
            keep: server::keep(root.section("keep")),
            providers: provider::providers(root.section("providers")),
            plugins: plugin::plugins(root.section("plugins")),
            schedules: schedule::schedules(root.section("schedules")),
        };
        root.finish();
        match mistaken.into_inner() {
            mistakes if mistakes.is_empty() => Ok(config),
            mistakes => Err(Mistakes(mistakes)),
        }
    }
}

/// The file as a tree; a text that is no YAML is one mistake.
fn tree(text: &str) -> Result<Value, String> {
    if text.len() > CONFIG_BYTES_MAX {
        return Err(format!("it is larger than {CONFIG_BYTES_MAX} bytes"));
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    // `on` and `y` are texts: only true and false are not.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let told = error.to_string();
        // The library shows the line, which may hold what should not be printed; its first line says what and where.
        format!("it is not YAML: {}", told.lines().next().unwrap_or_default())
    })
}
