//! What a project is: hooks.yaml, plugins/, data/ and the secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use hookbox_core::config::{self, Config, Provider, SecretSource, StoreLocation};
use hookbox_core::limits::{AllSettings, PluginSettings};
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;

use crate::args::ProjectArgs;
use crate::environment::Environment;

/// What is wrong with what an operator wrote: exit code 2, everything at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct Mistakes(pub(crate) Vec<String>);

pub(crate) struct Project {
    pub(crate) plugins: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) config: Config,
    pub(crate) environment: Environment,
    /// Whether the secrets that `dev` made up count.
    pub(crate) dev: bool,
}

/// A provider with the secrets that were found for it.
pub(crate) struct FoundProvider {
    pub(crate) provider: Provider,
    pub(crate) secrets: Vec<Secret>,
    /// Sources that gave nothing.
    pub(crate) missing: Vec<SecretSource>,
}

impl Project {
    pub(crate) fn read(args: &ProjectArgs) -> Result<Project> {
        let folder = match args.config.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let config = read_config(&args.config)?;
        let StoreLocation::Sled(path) = &config.store;
        let data = args.data.clone().unwrap_or_else(|| folder.join(path));
        Ok(Project {
            plugins: args.plugins.clone(),
            data,
            config,
            environment: Environment::read(&folder)?,
            dev: false,
        })
    }

    /// Every provider that hooks.yaml or the environment names.
    pub(crate) fn providers(&self) -> Result<BTreeMap<ProviderName, FoundProvider>> {
        let mut declared = self.config.providers.clone();
        for variable in self.environment.names() {
            // `my_shop` in hooks.yaml is served by the same variable as `my-shop`.
            let known = |name: &ProviderName| declared.keys().any(|other| same_variable(other, name));
            if let Some(name) = config::provider_for_env(variable).filter(|name| !known(name)) {
                let provider = Provider::preset_for(&name);
                declared.insert(name, provider);
            }
        }
        let (mut found, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (name, provider) in declared {
            let (mut secrets, mut missing) = (Vec::new(), Vec::new());
            for source in &provider.secrets {
                match self.environment.secret(source) {
                    Ok(Some(secret)) => secrets.push(secret),
                    Ok(None) => missing.push(source.clone()),
                    Err(error) => mistakes.push(format!("provider {name}: {error:#}")),
                }
            }
            found.insert(name, FoundProvider { provider, secrets, missing });
        }
        if mistakes.is_empty() { Ok(found) } else { Err(Mistakes(mistakes).into()) }
    }

    /// What hooks.yaml gives each plugin, with its secrets.
    pub(crate) fn plugin_settings(&self) -> Result<AllSettings> {
        let (mut all, mut mistakes) = (AllSettings::default(), Vec::new());
        for (name, plugin) in &self.config.plugins {
            let mut secrets = BTreeMap::new();
            for (secret_name, source) in &plugin.secrets {
                match self.environment.secret(source) {
                    Ok(Some(secret)) => {
                        secrets.insert(secret_name.clone(), Arc::new(secret));
                    }
                    Ok(None) => {
                        tracing::warn!(plugin = %name, "the secret {secret_name} of plugin {name} is not set: {source}")
                    }
                    Err(error) => mistakes.push(format!("plugin {name}: {error:#}")),
                }
            }
            let settings = PluginSettings {
                memory_bytes: plugin.memory_bytes,
                cpu: plugin.cpu,
                kv_bytes: plugin.kv_bytes,
                config: plugin.config.clone(),
                secrets,
                emit: plugin.emit.clone(),
            };
            all.0.insert(name.clone(), settings);
        }
        if mistakes.is_empty() { Ok(all) } else { Err(Mistakes(mistakes).into()) }
    }

    pub(crate) fn dev_secrets(&self) -> PathBuf {
        self.data.join("dev-secrets")
    }
}

fn same_variable(a: &ProviderName, b: &ProviderName) -> bool {
    a.as_str().replace('_', "-") == b.as_str().replace('_', "-")
}

/// A missing file means the defaults.
pub(crate) fn read_config(file: &Path) -> Result<Config> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    Config::parse(&text).map_err(|mistakes| {
        let told = mistakes.0.iter().map(|mistake| format!("{}: {mistake}", file.display())).collect();
        Mistakes(told).into()
    })
}

/// Three readings as one, with the mistakes of all of them.
pub(crate) fn together<A, B, C>(a: Result<A>, b: Result<B>, c: Result<C>) -> Result<(A, B, C)> {
    match (a, b, c) {
        (Ok(a), Ok(b), Ok(c)) => Ok((a, b, c)),
        (a, b, c) => {
            let mut mistakes = Vec::new();
            for error in [a.err(), b.err(), c.err()].into_iter().flatten() {
                match error.downcast::<Mistakes>() {
                    Ok(Mistakes(more)) => mistakes.extend(more),
                    Err(other) => return Err(other),
                }
            }
            Err(Mistakes(mistakes).into())
        }
    }
}
