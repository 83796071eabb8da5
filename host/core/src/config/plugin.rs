//! Plugins: limits, grants, values and policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::http::Http;
use super::reader::{Field, Section};
use super::source::SecretSource;
use super::tree::Value;
use super::trust::{self, Signatures};
use super::{rollback, size};
use crate::effects::KV_PLUGIN_BYTES_MAX;
use crate::enqueue::EnqueueGrant;
use crate::limits::{CPU, FoundSecrets, Limits, MEMORY_BYTES, MEMORY_BYTES_MAX, PluginSettings, Unit};
use crate::name::{HandlerName, NAME_BYTES_MAX, PluginName};
use crate::plugin::{Digest, PATTERNS_MAX};
use crate::policy::PolicyPatch;
use crate::retry::TIMEOUT_MAX;
use crate::route::Pattern;
use crate::route::filter::Filter;
use crate::time::Millis;
use crate::trial::Rule;
use crate::verify::Scheme;

/// An instance needs so much before its first allocation.
pub const MEMORY_BYTES_MIN: u64 = 1 << 20;
pub const KV_BYTES_MAX: u64 = 1 << 30;
/// Values that one plugin is given.
pub const CONFIG_KEYS_MAX: usize = 256;
pub const CONFIG_VALUE_BYTES_MAX: usize = 64 << 10;

const SECRETS_MAX: usize = 64;

/// What hooks.yaml says about one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The only files that it may be, where there are some.
    pub pinned: Vec<Digest>,
    /// In place of what is said of all plugins.
    pub signatures: Signatures,
    pub memory_bytes: u64,
    pub cpu: Millis,
    /// Of every handler whose own policy here has none; comes before what the plugin declares.
    pub timeout: Option<Millis>,
    pub kv_bytes: u64,
    pub limits: Limits,
    /// Strings as they are, anything else as JSON text.
    pub config: BTreeMap<String, String>,
    /// By the name that the plugin asks for.
    pub secrets: BTreeMap<String, SecretSource>,
    pub emit: Vec<Pattern>,
    pub enqueue: Vec<EnqueueGrant>,
    pub http: Http,
    pub handlers: BTreeMap<HandlerName, PolicyPatch>,
    /// In place of what a handler declares.
    pub filters: BTreeMap<HandlerName, Filter>,
    /// In place of the rule for all; nothing in it switches that off.
    pub rollback: Option<Option<Rule>>,
}

impl Default for Plugin {
    fn default() -> Plugin {
        Plugin {
            pinned: Vec::new(),
            signatures: Signatures::default(),
            memory_bytes: MEMORY_BYTES,
            cpu: CPU,
            timeout: None,
            kv_bytes: KV_PLUGIN_BYTES_MAX,
            limits: Limits::default(),
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            emit: Vec::new(),
            enqueue: Vec::new(),
            http: Http::default(),
            handlers: BTreeMap::new(),
            filters: BTreeMap::new(),
            rollback: None,
        }
    }
}

impl Plugin {
    /// What hooks.yaml changes in the policy that the plugin declares for a handler.
    pub fn policy_of(&self, handler: &HandlerName) -> PolicyPatch {
        let own = self.handlers.get(handler).cloned().unwrap_or_default();
        own.over(PolicyPatch { timeout: self.timeout, ..PolicyPatch::default() })
    }

    /// As the sandbox sees it, with the secrets that were found: those that it may read, and those that its requests
    /// may carry.
    pub fn settings(&self, secrets: FoundSecrets, carried: FoundSecrets) -> PluginSettings {
        PluginSettings {
            memory_bytes: self.memory_bytes,
            cpu: self.cpu,
            kv_bytes: self.kv_bytes,
            limits: self.limits.clone(),
            config: self.config.clone(),
            secrets,
            emit: self.emit.clone(),
            enqueue: self.enqueue.clone(),
            egress: Arc::new(self.http.egress(carried)),
        }
    }

    fn read(mut section: Section<'_>, of_all: &Signatures) -> Plugin {
        let usual = Plugin::default();
        let pinned = trust::pinned(&mut section);
        let signatures = Signatures::read(section.section("trust"), Some(of_all));
        let mut limits = section.section("limits");
        limits.refuse("stack", "the stack is the same for all plugins; set engine.stack, and leave this out");
        limits.refuse("kv", "what it may keep is a grant; write grants: { kv: 16MiB }");
        let memory_bytes = limits.size("memory", MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX).unwrap_or(usual.memory_bytes);
        let timeout = limits.span("timeout", Millis(1)..=TIMEOUT_MAX);
        let cpu = limits.span("cpu", Millis(1)..=TIMEOUT_MAX).unwrap_or(usual.cpu);
        let of_attempt = of_attempt(&mut limits);
        let mut grants = section.section("grants");
        let http = Http::read(&mut limits, &mut grants);
        limits.finish();
        let secrets = grants.list("secrets", 0..=SECRETS_MAX).unwrap_or_default();
        let secrets = granted_secrets(secrets);
        let kv_bytes = grants.size("kv", 0..=KV_BYTES_MAX).unwrap_or(usual.kv_bytes);
        let emit = grants.list("emit", 0..=PATTERNS_MAX).unwrap_or_default();
        let emit = emit.iter().filter_map(|field| field.parsed(emitted)).collect();
        let enqueue = grants.list("enqueue", 0..=PATTERNS_MAX).unwrap_or_default();
        let enqueue = enqueue.iter().filter_map(|field| field.parsed(EnqueueGrant::parse)).collect();
        grants.finish();
        let config = values(section.section("config"));
        let (mut handlers, mut filters) = (BTreeMap::new(), BTreeMap::new());
        for (name, mut section) in section.section("handlers").entries(HandlerName::parse) {
            filters.extend(section.parsed("filter", Filter::parse).map(|filter| (name.clone(), filter)));
            handlers.insert(name, policy(section));
        }
        let rollback = rollback::read(section.take("rollback"));
        section.finish();
        let limits = of_attempt;
        Plugin {
            pinned,
            signatures,
            memory_bytes,
            cpu,
            timeout,
            kv_bytes,
            limits,
            config,
            secrets,
            emit,
            enqueue,
            http,
            handlers,
            filters,
            rollback,
        }
    }
}

/// What one attempt may use besides memory and CPU time.
fn of_attempt(section: &mut Section<'_>) -> Limits {
    let mut limits = Limits::default();
    for known in limits.each() {
        let given = match known.unit {
            Unit::Count => section.number(known.key, known.range),
            Unit::Bytes => {
                let (min, max) = (*known.range.start() as u64, *known.range.end() as u64);
                section.size(known.key, min..=max).and_then(|bytes| usize::try_from(bytes).ok())
            }
        };
        *known.value = given.unwrap_or(*known.value);
    }
    if let Err(mistake) = limits.check() {
        section.place().wrong(mistake);
    }
    limits
}

pub(super) fn read(section: Section<'_>, of_all: &Signatures) -> BTreeMap<PluginName, Plugin> {
    section.entries(PluginName::parse).map(|(name, section)| (name, Plugin::read(section, of_all))).collect()
}

/// A handler trusts an event for its namespace, so none may be that of a sender.
fn emitted(text: &str) -> Result<Pattern, String> {
    let pattern = Pattern::parse(text).map_err(|error| error.to_string())?;
    if pattern.any_provider() {
        return Err(format!("{text:?} would let the plugin pass for any provider; name one, such as digest/*"));
    }
    if Scheme::named(pattern.namespace()).is_some() {
        let namespace = pattern.namespace();
        return Err(format!("{text:?} would let the plugin pass for the provider {namespace}; choose another name"));
    }
    Ok(pattern)
}

fn policy(mut section: Section<'_>) -> PolicyPatch {
    let mut policy = PolicyPatch::default();
    for option in PolicyPatch::OPTIONS {
        let _: Option<()> = section.parsed(option, |text| policy.set(option, text));
    }
    section.finish();
    policy
}

pub(super) fn granted_secrets(items: Vec<Field<'_>>) -> BTreeMap<String, SecretSource> {
    let mut secrets = BTreeMap::new();
    for item in items {
        let place = item.place().clone();
        let Some((name, source)) = grant(item) else { continue };
        if secrets.contains_key(&name) {
            place.wrong(format_args!("secret {name:?} is granted twice; leave one out"));
        }
        secrets.insert(name, source);
    }
    secrets
}

/// `slack_url`, which is in the variable SLACK_URL, or a map with `name` and the source. No
/// mistake quotes the item: it may be a secret.
fn grant(item: Field<'_>) -> Option<(String, SecretSource)> {
    let place = item.place().clone();
    let (name, source) = match item.into_value() {
        Value::Text(name) => (Some(name), None),
        Value::Map(mut entries) => {
            let name = entries.iter().position(|entry| entry.key == "name").map(|at| entries.remove(at).value);
            let name = name.and_then(|name| if let Value::Text(name) = name { Some(name) } else { None });
            (name, Some(entries).filter(|entries| !entries.is_empty()))
        }
        _ => (None, None),
    };
    let Some(name) = name.filter(|name| is_secret_name(name)) else {
        place.wrong(
            "must be a secret's name such as slack_url (a-z, 0-9, '-' and '_', a letter first), or { name: slack_url, \
             env: NAME }; the secret itself never stands in this file",
        );
        return None;
    };
    let source = match source {
        Some(entries) => SecretSource::read(place.field(Value::Map(entries)))?,
        None => SecretSource::Env(name.to_ascii_uppercase().replace('-', "_")),
    };
    Some((name, source))
}

fn is_secret_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let letter_first = name.starts_with(|c: char| c.is_ascii_lowercase());
    name.len() <= NAME_BYTES_MAX && letter_first && name.bytes().all(allowed)
}

fn values(section: Section<'_>) -> BTreeMap<String, String> {
    let (place, entries) = section.into_values();
    if entries.len() > CONFIG_KEYS_MAX {
        place.wrong(format_args!("must have at most {CONFIG_KEYS_MAX} keys, has {}", entries.len()));
    }
    let mut values = BTreeMap::new();
    for entry in entries {
        let place = place.key(&entry.key, entry.line);
        let value = match entry.value {
            Value::Text(text) => Ok(text),
            other => serde_json::to_string(&other),
        };
        match value {
            Ok(value) if value.len() <= CONFIG_VALUE_BYTES_MAX => {
                values.insert(entry.key, value);
            }
            Ok(value) => {
                let max = size::show(CONFIG_VALUE_BYTES_MAX as u64);
                place.wrong(format_args!("must have at most {max}, has {} bytes", value.len()));
            }
            Err(error) => place.wrong(error),
        }
    }
    values
}
