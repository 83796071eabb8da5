//! Providers: scheme, secrets, limits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::SecretSource;
use super::reader::{Section, unknown};
use crate::name::ProviderName;
use crate::time::Millis;
use crate::verify::{ALIASES, Scheme, schemes};

/// Secrets of one provider at a time: rotation needs two.
const SECRETS_MAX: usize = 16;
/// Begins the variables that make a provider live.
const VARIABLE: &str = "WEBHOOK_SECRET_";

/// A sender as hooks.yaml or the environment declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    pub scheme: Scheme,
    pub secrets: Vec<SecretSource>,
    /// Nothing: the scheme's own.
    pub tolerance: Option<Millis>,
    /// Nothing: the server's.
    pub body_bytes_max: Option<u64>,
}

impl Provider {
    /// Known names have their own scheme, others the generic one; the secret is in the environment.
    pub fn preset_for(name: &ProviderName) -> Provider {
        let secrets = vec![SecretSource::Env(variable(name))];
        Provider { scheme: default_scheme(name), secrets, tolerance: None, body_bytes_max: None }
    }
}

/// The provider that an environment variable makes live: `my-shop` for `WEBHOOK_SECRET_MY_SHOP`. It goes by `my_shop`
/// too.
pub fn provider_for_env(variable: &str) -> Option<ProviderName> {
    let name = variable.strip_prefix(VARIABLE)?;
    let upper = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let name = ProviderName::parse(&name.to_ascii_lowercase().replace('_', "-")).ok()?;
    (upper && name.as_str() != "health").then_some(name)
}

fn variable(name: &ProviderName) -> String {
    format!("{VARIABLE}{}", name.as_str().to_ascii_uppercase().replace('-', "_"))
}

fn default_scheme(name: &ProviderName) -> Scheme {
    let dashed = name.as_str().replace('_', "-");
    Scheme::named(&dashed).unwrap_or_else(Scheme::generic).clone()
}

pub(super) fn providers(section: Section<'_>) -> BTreeMap<ProviderName, Provider> {
    let mut providers = BTreeMap::new();
    for (name, section) in section.sections() {
        match ProviderName::parse(&name) {
            Ok(name) if name.as_str() == "health" => {
                section.mistake("", "health is the host's own path; choose another name")
            }
            Ok(name) => {
                let provider = provider(&name, section);
                providers.insert(name, provider);
            }
            Err(error) => section.mistake("", error),
        }
    }
    providers
}

fn provider(name: &ProviderName, mut section: Section<'_>) -> Provider {
    let mut provider = Provider::preset_for(name);
    if let Some(wanted) = section.text("scheme") {
        match Scheme::named(&wanted) {
            Some(scheme) => provider.scheme = scheme.clone(),
            None => {
                let names = schemes().iter().map(Scheme::name).chain(ALIASES.iter().map(|(alias, _)| *alias));
                section.mistake("scheme", unknown("scheme", &wanted, &names.collect::<Vec<_>>()));
            }
        }
    }
    let secrets = match section.take("secrets") {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            section.mistake("secrets", "must be a list of { env: NAME } and { file: PATH }");
            Vec::new()
        }
    };
    if secrets.len() > SECRETS_MAX {
        section.mistake("secrets", format_args!("must be at most {SECRETS_MAX}, got {}", secrets.len()));
    }
    let sources = secrets.into_iter().take(SECRETS_MAX).enumerate();
    let sources: Vec<_> =
        sources.filter_map(|(n, value)| secret_source(&section, &format!("secrets[{n}]"), value)).collect();
    if !sources.is_empty() {
        provider.secrets = sources;
    }
    provider.tolerance = section.duration("tolerance", Millis::SECOND..=Millis::HOUR);
    if provider.tolerance.is_some() && provider.scheme.tolerance().is_none() {
        let scheme = provider.scheme.name();
        section.mistake("tolerance", format_args!("the scheme {scheme} signs no time: leave it out"));
    }
    provider.body_bytes_max = section.bytes("body", 1024..=16 << 20);
    section.finish();
    provider
}

/// `{ env: NAME }` or `{ file: PATH }`. What stands in its place is not shown: it may be the secret.
pub(super) fn secret_source(parent: &Section<'_>, key: &str, value: Value) -> Option<SecretSource> {
    if !value.is_object() {
        parent.mistake(key, "must be { env: NAME } or { file: PATH }: a secret itself has no place in this file");
        return None;
    }
    let section = parent.within(key, value);
    source_of(section)
}

pub(super) fn source_of(mut section: Section<'_>) -> Option<SecretSource> {
    let source = match (section.take("env"), section.take("file")) {
        (Some(Value::String(name)), None) if is_variable(&name) => Some(SecretSource::Env(name)),
        (None, Some(Value::String(path))) if !path.is_empty() => Some(SecretSource::File(PathBuf::from(path))),
        (Some(_), None) => {
            section.mistake("env", "must be the name of an environment variable");
            None
        }
        (None, Some(_)) => {
            section.mistake("file", "must be a path");
            None
        }
        (Some(_), Some(_)) => {
            section.mistake("", "must be one of { env: NAME } and { file: PATH }, got both");
            None
        }
        (None, None) => {
            section.mistake("", "must be { env: NAME } or { file: PATH }");
            None
        }
    };
    section.finish();
    source
}

pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_its_provider() {
        let name = |variable| provider_for_env(variable).map(|name| name.to_string());
        assert_eq!(name("WEBHOOK_SECRET_MY_SHOP").as_deref(), Some("my-shop"));
        assert_eq!(name("WEBHOOK_SECRET_GITHUB").as_deref(), Some("github"));
        for other in ["WEBHOOK_SECRET_", "WEBHOOK_SECRET_HEALTH", "WEBHOOK_SECRET_a", "PATH", "WEBHOOK_SECRET__A"] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn a_known_name_has_its_own_scheme() {
        let scheme = |name| Provider::preset_for(&ProviderName::parse(name).unwrap()).scheme.name().to_owned();
        assert_eq!(scheme("github"), "github-256");
        assert_eq!(scheme("standard_webhooks"), "standard-webhooks");
        assert_eq!(scheme("my-shop"), "generic");
    }
}
