//! Where a secret is, and never what it is.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate};

use super::reader::Field;
use super::tree::Value;
use crate::time::Timestamp;

/// Longest name of an environment variable.
const VARIABLE_BYTES_MAX: usize = 255;

const CURE: &str = "write { env: NAME } or { file: PATH }; the secret itself never stands in this file";

/// Where a secret is read from. Whoever reads it resolves a path from the folder of hooks.yaml.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// The environment, or `.env`.
    Env(String),
    File(PathBuf),
}

/// A secret of a provider, and how long it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSecret {
    pub source: SecretSource,
    /// The last instant that it counts; for ever where there is none.
    pub not_after: Option<Timestamp>,
}

impl From<SecretSource> for ProviderSecret {
    fn from(source: SecretSource) -> ProviderSecret {
        ProviderSecret { source, not_after: None }
    }
}

impl ProviderSecret {
    pub(super) fn read(field: Field<'_>) -> Option<ProviderSecret> {
        let place = field.place().clone();
        let mut value = field.into_value();
        let mut end = None;
        if let Value::Map(entries) = &mut value
            && let Some(position) = entries.iter().position(|entry| entry.key == "not_after")
        {
            let entry = entries.remove(position);
            end = Some(place.key("not_after", entry.line).field(entry.value));
        }
        let source = SecretSource::read(place.field(value));
        let not_after = end.map(|field| field.parsed(instant));
        match not_after {
            Some(None) => None,
            not_after => Some(ProviderSecret { source: source?, not_after: not_after.flatten() }),
        }
    }
}

/// A date is its last moment, in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "must be a date such as 2026-12-31 (its end, in UTC) or a time such as 2026-12-31T12:00:00Z, got {text:?}"
        )
    };
    let millis = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => {
            date.succ_opt().and_then(|next| next.and_hms_opt(0, 0, 0)).map(|next| next.and_utc().timestamp_millis() - 1)
        }
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis()),
    };
    let at = millis.and_then(|millis| u64::try_from(millis).ok()).map(Timestamp).filter(|at| *at <= Timestamp::MAX);
    at.ok_or_else(wrong)
}

impl SecretSource {
    /// Mistakes quote neither value nor key: either may be the secret that does not belong here.
    pub(super) fn read(field: Field<'_>) -> Option<SecretSource> {
        let place = field.place().clone();
        let Value::Map(entries) = field.into_value() else {
            place.wrong(CURE);
            return None;
        };
        let [entry] = entries.as_slice() else {
            place.wrong(format_args!("must have one key; {CURE}"));
            return None;
        };
        let source = match (entry.key.as_str(), &entry.value) {
            ("env", Value::Text(name)) if is_variable(name) => Ok(SecretSource::Env(name.clone())),
            ("env", _) => Err("env must be the name of an environment variable, such as WEBHOOK_SECRET_GITHUB"),
            ("file", Value::Text(path)) if is_path(path) => Ok(SecretSource::File(path.into())),
            ("file", _) => Err("file must be the path of a file, such as secrets/github.key"),
            _ => Err(CURE),
        };
        source.map_err(|message| place.wrong(message)).ok()
    }
}

/// `env SLACK_URL` or `file slack.key`
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Env(name) => write!(f, "env {name}"),
            SecretSource::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    (1..=VARIABLE_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) && !digit_first
}

pub(super) fn is_path(path: &str) -> bool {
    !path.trim().is_empty() && !path.chars().any(char::is_control)
}
