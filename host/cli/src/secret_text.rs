//! A secret as it is named on the command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use hookbox_core::config::SecretSource;
use hookbox_core::secret::Secret;

use crate::environment::Environment;

/// `env:NAME`, `file:PATH`, or the secret itself; else why it is none.
pub(crate) fn read(text: &OsStr, environment: &Environment) -> Result<Secret, String> {
    let source = text.to_str().and_then(|text| match text.split_once(':')? {
        ("env", name) => Some(SecretSource::Env(name.to_owned())),
        ("file", path) => Some(SecretSource::File(path.into())),
        _ => None,
    });
    let Some(source) = source else {
        return Secret::new(text.as_bytes()).map_err(|error| error.to_string());
    };
    let found = environment.secret(&source).map_err(|error| format!("{error:#}"))?;
    found.ok_or_else(|| format!("{source} is not set"))
}
