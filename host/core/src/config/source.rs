//! Where a secret is, and never what it is.

use std::fmt;
use std::path::PathBuf;

use super::reader::Field;
use super::tree::Value;

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
