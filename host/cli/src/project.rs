//! What a project is: hooks.yaml, plugins/, data/ and the secrets.

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use hookbox_core::config::{self, Config, Provider, ProviderSecret, SecretSource, StoreLocation};
use hookbox_core::limits::AllSettings;
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Keyring, LastingSecret, UnusableSecret, Verifier};

use crate::args::{CONFIG_FILE, ProjectArgs};
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
    pub(crate) secrets: Vec<LastingSecret>,
    /// Where each of them was found.
    pub(crate) places: Vec<String>,
    /// When each was written, as far as that is known.
    pub(crate) written: Vec<Option<Timestamp>>,
    pub(crate) verify_token: Option<Secret>,
    /// Sources that gave nothing.
    pub(crate) missing: Vec<SecretSource>,
}

impl FoundProvider {
    /// The secret that counts longest: what the sender signs with, once a rotation is over.
    pub(crate) fn lasting(&self) -> Option<&Secret> {
        let ends = |lasting: &&LastingSecret| lasting.not_after.unwrap_or(Timestamp(u64::MAX));
        // Of several, the last is taken; the first listed is meant.
        self.secrets.iter().rev().max_by_key(ends).map(|lasting| &lasting.secret)
    }

    /// What its deliveries are verified with.
    pub(crate) fn keyring(self) -> Result<Keyring, UnusableSecret> {
        let Provider { scheme, tolerance, .. } = &self.provider;
        let token = || self.verify_token.as_ref().and_then(|token| Secret::new(token.expose()).ok());
        let make = |secrets: &[Secret]| Ok(Verifier::new(scheme, secrets, *tolerance)?.with_verify_token(token()));
        Keyring::new(self.secrets, make)
    }
}

pub(crate) fn no_public_url(name: &ProviderName) -> String {
    format!(
        "provider {name} signs the URL that it calls: set server.public_url to where this host is called, such as \
         https://hooks.example.com, or providers.{name}.public_url to the whole URL"
    )
}

/// What hooks.yaml gives plugins.
#[derive(Default)]
pub(crate) struct FoundSettings {
    pub(crate) settings: AllSettings,
    /// Secrets that are not there, a line each.
    pub(crate) missing: Vec<String>,
    pub(crate) mistakes: Vec<String>,
}

impl Project {
    pub(crate) fn read(args: &ProjectArgs) -> Result<Project> {
        Project::with(args, read_config(&args.config)?)
    }

    pub(crate) fn with(args: &ProjectArgs, config: Config) -> Result<Project> {
        let folder = match args.config.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
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
        let (found, mistakes) = self.find_providers();
        if mistakes.is_empty() { Ok(found) } else { Err(Mistakes(mistakes).into()) }
    }

    /// As [`Project::providers`], with what is wrong beside what is not.
    pub(crate) fn find_providers(&self) -> (BTreeMap<ProviderName, FoundProvider>, Vec<String>) {
        let mut declared = self.config.providers.clone();
        for variable in self.environment.names() {
            // `my_shop` in hooks.yaml is served by the same variable as `my-shop`.
            let known = |name: &ProviderName| {
                declared.keys().any(|other| config::secret_variable(other) == config::secret_variable(name))
            };
            if let Some(name) = config::provider_for_env(variable).filter(|name| !known(name)) {
                let provider = Provider::preset_for(&name);
                declared.insert(name, provider);
            }
        }
        let (mut found, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (name, provider) in declared {
            let (mut secrets, mut places, mut missing) = (Vec::new(), Vec::new(), Vec::new());
            let mut written = Vec::new();
            for ProviderSecret { source, not_after } in &provider.secrets {
                match self.environment.secret(source) {
                    Ok(Some(secret)) if is_padded(&secret) => mistakes.push(format!(
                        "provider {name}: {source} begins or ends with white space, which would be a part of the \
                         secret: take it out"
                    )),
                    Ok(Some(secret)) => {
                        secrets.push(LastingSecret { secret, not_after: *not_after });
                        places.push(source.to_string());
                        written.push(self.environment.written(source));
                    }
                    Ok(None) => missing.push(source.clone()),
                    Err(error) => mistakes.push(format!("provider {name}: {error:#}")),
                }
            }
            let verify_token = match self.verify_token(&name, &provider) {
                Ok(token) => token,
                Err(error) => {
                    mistakes.push(format!("provider {name}: verify_token: {error:#}"));
                    None
                }
            };
            found.insert(name, FoundProvider { provider, secrets, places, written, verify_token, missing });
        }
        (found, mistakes)
    }

    /// Where it is said, else in the variable that goes by the provider's name.
    fn verify_token(&self, name: &ProviderName, provider: &Provider) -> Result<Option<Secret>> {
        match &provider.verify_token {
            Some(source) => self.environment.secret(source),
            None if provider.scheme.wants_verify_token() => {
                self.environment.secret(&SecretSource::Env(config::verify_token_variable(name)))
            }
            None => Ok(None),
        }
    }

    /// Where hooks.yaml has the public listener; with TLS, by the name that the certificate is for.
    pub(crate) fn origin(&self) -> String {
        match (&self.config.server.tls, &self.config.server.public_url) {
            (None, _) => format!("http://{}", self.config.server.listen),
            (Some(_), Some(url)) => url.clone(),
            (Some(_), None) => format!("https://{}", self.config.server.listen),
        }
    }

    /// What the sender calls, without a query.
    pub(crate) fn public_url(&self, name: &ProviderName, provider: &Provider) -> Option<String> {
        let below = || {
            let origin = self.config.server.public_url.as_ref()?;
            Some(format!("{}/api/v1/webhooks/webhook/{name}", origin.trim_end_matches('/')))
        };
        provider.public_url.clone().or_else(below)
    }

    /// What hooks.yaml gives each plugin, with its secrets.
    pub(crate) fn plugin_settings(&self) -> Result<AllSettings> {
        let FoundSettings { settings, missing, mistakes } = self.find_plugin_settings();
        for told in missing {
            tracing::warn!("{told}");
        }
        if mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(mistakes).into()) }
    }

    /// As [`Project::plugin_settings`], with what is wrong beside what is not.
    pub(crate) fn find_plugin_settings(&self) -> FoundSettings {
        let mut found = FoundSettings::default();
        for (name, plugin) in &self.config.plugins {
            let mut find = |sources: &BTreeMap<String, SecretSource>| {
                let mut secrets = BTreeMap::new();
                for (secret_name, source) in sources {
                    match self.environment.secret(source) {
                        Ok(Some(secret)) => {
                            secrets.insert(secret_name.clone(), Arc::new(secret));
                        }
                        Ok(None) => found
                            .missing
                            .push(format!("the secret {secret_name} of plugin {name} is not set: {source}")),
                        Err(error) => found.mistakes.push(format!("plugin {name}: {error:#}")),
                    }
                }
                secrets
            };
            let (read, carried) = (find(&plugin.secrets), find(&plugin.http.secrets));
            found.settings.0.insert(name.clone(), plugin.settings(read, carried));
        }
        found
    }

    /// A token that may do everything by the operator API.
    pub(crate) fn operator_token(&self) -> Result<Option<Secret>> {
        let declared = &self.config.operator.token;
        let source = declared.clone().unwrap_or_else(|| SecretSource::Env("HOOKBOX_TOKEN".to_owned()));
        let unusable = |error| Mistakes(vec![format!("operator.token: {error:#}")]);
        let token = self.environment.secret(&source).map_err(unusable)?;
        if token.is_none() && declared.is_some() {
            return Err(Mistakes(vec![format!("operator.token: {source} is not set")]).into());
        }
        Ok(token)
    }

    /// What this host shows to the identity provider; nothing where it is a public client, or there is no provider.
    pub(crate) fn oidc_secret(&self) -> Result<Option<Secret>> {
        let Some(source) = self.config.operator.oidc.as_ref().and_then(|oidc| oidc.client_secret.as_ref()) else {
            return Ok(None);
        };
        let wrong = |why: String| Mistakes(vec![format!("operator.oidc.client_secret: {why}")]);
        let secret = self.environment.secret(source).map_err(|error| wrong(format!("{error:#}")))?;
        Ok(Some(secret.ok_or_else(|| wrong(format!("{source} is not set")))?))
    }

    pub(crate) fn dev_secrets(&self) -> PathBuf {
        self.data.join("dev-secrets")
    }
}

/// No sender makes such a secret, and a copied one that has a blank at its end fits nothing.
fn is_padded(secret: &Secret) -> bool {
    secret.expose().trim_ascii().len() != secret.expose().len()
}

/// A missing file means the defaults, unless it has a name that somebody chose.
pub(crate) fn read_config(file: &Path) -> Result<Config> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file == Path::new(CONFIG_FILE) => String::new(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let told = format!("there is no {}: name a file that is there, or leave out --config", file.display());
            return Err(Mistakes(vec![told]).into());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_named_must_be_there() {
        let named = read_config(Path::new("no-such-folder/hooks.yaml")).unwrap_err();
        assert!(named.is::<Mistakes>() && named.to_string().contains("leave out --config"), "{named}");
        assert_eq!(read_config(Path::new(CONFIG_FILE)).unwrap(), Config::default());
    }
}
