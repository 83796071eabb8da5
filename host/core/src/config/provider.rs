//! Providers: who may send webhooks, how they sign, and where their secrets are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;

use super::network;
use super::reader::{Field, Section};
use super::scheme;
use super::server::{BODY_BYTES_MAX, BODY_BYTES_MIN};
use super::source::{self, ProviderSecret, SecretSource};
use crate::body_schema::Otherwise;
use crate::name::ProviderName;
use crate::rate::Rate;
use crate::route::Pattern;
use crate::time::Millis;
use crate::verify::Scheme;

/// Secrets of one provider: an old and a new one while they change, and some to spare. Every one
/// is tried on every delivery.
pub const SECRETS_MAX: usize = 8;
/// How far a signed time may be from the clock.
pub const TOLERANCE_MIN: Millis = Millis::SECOND;
pub const TOLERANCE_MAX: Millis = Millis::HOUR;

/// How long a delivery is known by its id.
pub const DEDUPE_MIN: Millis = Millis::MINUTE;
pub const DEDUPE_MAX: Millis = Millis(30 * Millis::DAY.0);

/// Rules of one provider on what its bodies must be.
pub const SCHEMAS_MAX: usize = 64;

const URL_BYTES_MAX: usize = 1024;

const VARIABLE_PREFIX: &str = "WEBHOOK_SECRET_";
/// `/health` is the host's own.
const NO_PROVIDER: &str = "health";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    pub scheme: Scheme,
    /// At least one.
    pub secrets: Vec<ProviderSecret>,
    /// What the sender shows when it asks by GET whether the host is its customer's.
    pub verify_token: Option<SecretSource>,
    /// What the sender calls, without a query; for schemes that sign the URL.
    pub public_url: Option<String>,
    /// In place of [`crate::verify::ID_WINDOW`].
    pub dedupe: Option<Millis>,
    /// In place of the scheme's own.
    pub tolerance: Option<Millis>,
    /// In place of the server's.
    pub body_bytes_max: Option<u64>,
    /// Of verified deliveries.
    pub rate: Option<Rate>,
    /// Where its deliveries may come from; empty: from anywhere.
    pub allow_from: Vec<IpNet>,
    /// What its bodies must be.
    pub schemas: Vec<Schema>,
}

/// What the bodies of some events must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub events: Pattern,
    /// A file with a JSON Schema, from the folder of hooks.yaml.
    pub file: PathBuf,
    pub otherwise: Otherwise,
}

impl Provider {
    /// What a provider is whose name alone is known: the scheme of that name, else `generic`, with
    /// its secret in [`secret_variable`].
    pub fn preset_for(name: &ProviderName) -> Provider {
        Provider {
            scheme: Scheme::named(name.as_str()).unwrap_or(Scheme::generic()).clone(),
            secrets: vec![SecretSource::Env(secret_variable(name)).into()],
            verify_token: None,
            public_url: None,
            dedupe: None,
            tolerance: None,
            body_bytes_max: None,
            rate: None,
            allow_from: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// Every place that a secret of it is in.
    pub fn sources(&self) -> impl Iterator<Item = &SecretSource> {
        self.secrets.iter().map(|secret| &secret.source).chain(&self.verify_token)
    }

    fn read(name: &ProviderName, mut section: Section<'_>) -> Provider {
        let preset = Provider::preset_for(name);
        let scheme = section.take("scheme").and_then(scheme::read).unwrap_or(preset.scheme);
        let secrets = section.take("secrets").and_then(|field| sources(field, name)).unwrap_or(preset.secrets);
        let tolerance = section.take("tolerance").and_then(|field| tolerance(&field, &scheme));
        let verify_token = section.take("verify_token").and_then(SecretSource::read);
        let public_url = section.parsed("public_url", url);
        let dedupe = section.span("dedupe", DEDUPE_MIN..=DEDUPE_MAX);
        let mut limits = section.section("limits");
        let body_bytes_max = limits.size("body", BODY_BYTES_MIN..=BODY_BYTES_MAX);
        limits.finish();
        let rate = section.parsed("rate", str::parse);
        let allow_from = network::list(&mut section, "allow_from");
        let schemas = section.list("schemas", 0..=SCHEMAS_MAX).unwrap_or_default().into_iter();
        let schemas = schemas.filter_map(|field| Schema::read(name, field.section())).collect();
        section.finish();
        Provider {
            scheme,
            secrets,
            verify_token,
            public_url,
            dedupe,
            tolerance,
            body_bytes_max,
            rate,
            allow_from,
            schemas,
        }
    }
}

impl Schema {
    fn read(name: &ProviderName, mut section: Section<'_>) -> Option<Schema> {
        let all = Pattern::parse(&format!("{name}/*")).ok()?;
        let events = match section.take("type") {
            None => Some(all),
            Some(field) => field.parsed(|text| {
                Pattern::parse(&format!("{name}/{text}"))
                    .map_err(|_| format!("must be an event type, with * for any text, such as order.*, got {text:?}"))
            }),
        };
        let file = match section.take("schema") {
            Some(field) => field.parsed(|text| match source::is_path(text) {
                true => Ok(PathBuf::from(text)),
                false => Err("must be the path of a file with a JSON Schema"),
            }),
            None => {
                section.place_of("schema").wrong("is missing; write the path of a file with a JSON Schema");
                None
            }
        };
        let otherwise = section.parsed("otherwise", |text| match text {
            "refuse" => Ok(Otherwise::Refuse),
            "dead-letter" => Ok(Otherwise::DeadLetter),
            _ => Err(format!("must be refuse or dead-letter, got {text:?}")),
        });
        section.finish();
        Some(Schema { events: events?, file: file?, otherwise: otherwise.unwrap_or(Otherwise::Refuse) })
    }
}

pub(super) fn read(section: Section<'_>) -> BTreeMap<ProviderName, Provider> {
    let providers = section.entries(provider_name);
    providers.map(|(name, section)| (name.clone(), Provider::read(&name, section))).collect()
}

/// Where a provider's secret is unless hooks.yaml says otherwise. `my-shop` and `my_shop` share it.
pub fn secret_variable(name: &ProviderName) -> String {
    format!("{VARIABLE_PREFIX}{}", name.as_str().to_ascii_uppercase().replace('-', "_"))
}

/// Where the token is that a sender shows when it asks by GET, unless hooks.yaml says otherwise.
pub fn verify_token_variable(name: &ProviderName) -> String {
    format!("WEBHOOK_VERIFY_TOKEN_{}", name.as_str().to_ascii_uppercase().replace('-', "_"))
}

/// The provider that a variable of the environment makes live: `my-shop` for
/// `WEBHOOK_SECRET_MY_SHOP`.
pub fn provider_for_env(variable: &str) -> Option<ProviderName> {
    let name = variable.strip_prefix(VARIABLE_PREFIX)?;
    if name.bytes().any(|b| b.is_ascii_lowercase()) {
        return None;
    }
    provider_name(&name.to_ascii_lowercase().replace('_', "-")).ok()
}

fn provider_name(text: &str) -> Result<ProviderName, String> {
    match text {
        NO_PROVIDER => Err("is the host's own path and no provider; choose another name".to_owned()),
        _ => ProviderName::parse(text).map_err(|error| error.to_string()),
    }
}

fn sources(field: Field<'_>, name: &ProviderName) -> Option<Vec<ProviderSecret>> {
    let place = field.place().clone();
    let items = field.list(0..=SECRETS_MAX)?;
    if items.is_empty() {
        place.wrong(format_args!("must have 1..={SECRETS_MAX} items; leave it out for {}", secret_variable(name)));
    }
    Some(items.into_iter().filter_map(ProviderSecret::read).collect())
}

/// Without a query: that comes with each request.
pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    let good = !host.is_empty() && text.len() <= URL_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    match good && !text.contains(['?', '#', '@']) {
        true => Ok(text.to_owned()),
        false => Err(format!("must be a URL without query, such as https://hooks.example.com, got {text:?}")),
    }
}

fn tolerance(field: &Field<'_>, scheme: &Scheme) -> Option<Millis> {
    let tolerance = field.span(TOLERANCE_MIN..=TOLERANCE_MAX)?;
    if scheme.tolerance().is_none() {
        field.wrong(format_args!(
            "scheme {} signs no time, so there is nothing to tolerate; leave it out",
            scheme.name()
        ));
        return None;
    }
    Some(tolerance)
}
