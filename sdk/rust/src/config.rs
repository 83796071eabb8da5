//! Settings that the operator gave this plugin in hooks.yaml.

use std::fmt;

use crate::host;

/// A setting that is needed and not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    name: String,
    secret: bool,
}

/// A value under `plugins.NAME.config`; JSON text where it is no string.
pub fn get(key: &str) -> Option<String> {
    host::config_get(key)
}

/// A secret granted under `plugins.NAME.grants.secrets`.
pub fn get_secret(name: &str) -> Option<String> {
    host::config_get_secret(name)
}

/// Like [`get`], with an error that tells the operator what to add.
pub fn required(key: &str) -> Result<String, Missing> {
    get(key).ok_or_else(|| Missing { name: key.to_owned(), secret: false })
}

/// Like [`get_secret`], with an error that tells the operator what to add.
pub fn required_secret(name: &str) -> Result<String, Missing> {
    get_secret(name).ok_or_else(|| Missing { name: name.to_owned(), secret: true })
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.secret {
            false => write!(f, "no setting `{name}`: add it to this plugin's `config` in hooks.yaml"),
            true => write!(f, "no secret `{name}`: add it to this plugin's `grants.secrets` in hooks.yaml, and set it"),
        }
    }
}

impl std::error::Error for Missing {}
