//! Plugins: limits, grants, config and the policies of their handlers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::SecretSource;
use super::provider::{is_variable, source_of};
use super::reader::{Section, shown};
use crate::effects::KV_PLUGIN_BYTES_MAX;
use crate::limits::{CPU, MEMORY_BYTES, MEMORY_BYTES_MAX};
use crate::name::{HandlerName, PluginName};
use crate::plugin::PolicyPatch;
use crate::retry::{ATTEMPTS_MAX, BACKOFF_MAX, TIMEOUT_MAX};
use crate::route::Pattern;
use crate::time::Millis;

/// The largest store that one plugin may be granted.
const KV_BYTES_GRANT_MAX: u64 = 16 << 30;

/// What hooks.yaml says of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    pub memory_bytes: u64,
    pub cpu: Millis,
    /// Wall time of an attempt, for all handlers that have none of their own here.
    pub timeout: Option<Millis>,
    pub kv_bytes: u64,
    /// Texts as they are, other values as JSON.
    pub config: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, SecretSource>,
    pub emit: Vec<Pattern>,
    pub handlers: BTreeMap<HandlerName, PolicyPatch>,
}

pub(super) fn plugins(section: Section<'_>) -> BTreeMap<PluginName, Plugin> {
    let mut plugins = BTreeMap::new();
    for (name, section) in section.sections() {
        match PluginName::parse(&name) {
            Ok(name) => {
                plugins.insert(name, plugin(section));
            }
            Err(error) => section.mistake("", error),
        }
    }
    plugins
}

fn plugin(mut section: Section<'_>) -> Plugin {
    let mut limits = section.section("limits");
    let (memory, timeout, cpu) = (
        limits.bytes("memory", 1 << 20..=MEMORY_BYTES_MAX),
        limits.duration("timeout", Millis(1)..=TIMEOUT_MAX),
        limits.duration("cpu", Millis(1)..=TIMEOUT_MAX),
    );
    limits.finish();
    let mut grants = section.section("grants");
    let (kv, secrets, emit) = (grants.bytes("kv", 0..=KV_BYTES_GRANT_MAX), secrets(&mut grants), emit(&mut grants));
    grants.finish();
    let config = section.section("config").into_entries().into_iter().map(|(name, value)| match value {
        Value::String(text) => (name, text),
        other => (name, other.to_string()),
    });
    let plugin = Plugin {
        memory_bytes: memory.unwrap_or(MEMORY_BYTES),
        cpu: cpu.unwrap_or(CPU),
        timeout,
        kv_bytes: kv.unwrap_or(KV_PLUGIN_BYTES_MAX),
        config: config.collect(),
        secrets,
        emit,
        handlers: handlers(section.section("handlers")),
    };
    section.finish();
    plugin
}

/// `slack_url` is the variable `SLACK_URL`; `{ name: slack_url, env: OTHER }` and `{ name: .., file: .. }` say more.
fn secrets(grants: &mut Section<'_>) -> BTreeMap<String, SecretSource> {
    let mut secrets = BTreeMap::new();
    for (number, value) in grants.list("secrets").into_iter().enumerate() {
        if let Value::String(name) = &value {
            match is_variable(name) {
                true => {
                    secrets.insert(name.clone(), SecretSource::Env(name.to_ascii_uppercase()));
                }
                false => grants.mistake(
                    &format!("secrets[{number}]"),
                    format_args!("must be letters, digits and '_', got {name:?}"),
                ),
            }
            continue;
        }
        if !value.is_object() {
            grants.mistake(
                &format!("secrets[{number}]"),
                format_args!("must be a name or {{ name: .., env: .. }}, got {}", shown(&value)),
            );
            continue;
        }
        let mut item = grants.within(&format!("secrets[{number}]"), value);
        let Some(name) = item.text("name") else {
            item.mistake("", "must have a name, by which the plugin asks for it");
            continue;
        };
        if let Some(source) = source_of(item) {
            secrets.insert(name, source);
        }
    }
    secrets
}

fn emit(grants: &mut Section<'_>) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (number, value) in grants.list("emit").into_iter().enumerate() {
        match value.as_str().map(Pattern::parse) {
            Some(Ok(pattern)) if pattern.any_provider() => {
                grants.mistake(
                    &format!("emit[{number}]"),
                    "must name what comes before the slash in full: a plugin could pass for any provider",
                );
            }
            Some(Ok(pattern)) => patterns.push(pattern),
            Some(Err(error)) => grants.mistake(&format!("emit[{number}]"), error),
            None => grants.mistake(
                &format!("emit[{number}]"),
                format_args!("must be a pattern such as digest/*, got {}", shown(&value)),
            ),
        }
    }
    patterns
}

fn handlers(section: Section<'_>) -> BTreeMap<HandlerName, PolicyPatch> {
    let mut handlers = BTreeMap::new();
    for (name, mut section) in section.sections() {
        let policy = PolicyPatch {
            timeout: section.duration("timeout", Millis(1)..=TIMEOUT_MAX),
            attempts: section.number("attempts", 1..=u64::from(ATTEMPTS_MAX)).and_then(|n| u32::try_from(n).ok()),
            backoff: section.duration("backoff", Millis(0)..=BACKOFF_MAX),
        };
        match HandlerName::parse(&name) {
            Ok(name) => {
                handlers.insert(name, policy);
            }
            Err(error) => section.mistake("", error),
        }
        section.finish();
    }
    handlers
}
