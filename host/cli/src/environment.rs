//! The one place that reads the environment, `.env` and secret files.
//!
//! The environment comes before `.env`. Nothing that was read is printed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use hookbox_core::config::SecretSource;
use hookbox_core::secret::{SECRET_BYTES_MAX, Secret};
use hookbox_core::time::Timestamp;
use zeroize::Zeroizing;

/// What the process was given.
pub(crate) struct Environment {
    values: BTreeMap<String, Zeroizing<String>>,
    /// What relative paths of files are relative to.
    folder: PathBuf,
}

impl Environment {
    /// The process's environment over `.env` in `folder`, where there is one.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
    pub(crate) fn read(folder: &Path) -> Result<Environment> {
        let mut values = BTreeMap::new();
        let file = folder.join(".env");
        if file.exists() {
            let entries = dotenvy::from_path_iter(&file).with_context(|| format!("cannot read {}", file.display()))?;
            for entry in entries {
                // The error of the library shows the line, which may hold a secret.
                let (name, value) =
                    entry.map_err(|_| anyhow::anyhow!("{}: a line is not NAME=value", file.display()))?;
                values.insert(name, Zeroizing::new(value));
            }
        }
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                values.insert(name, Zeroizing::new(value));
            }
        }
        Ok(Environment { values, folder: folder.to_owned() })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.as_str())
    }

    /// Names only.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Adds what is not there: `dev`'s own secrets.
    pub(crate) fn add_missing(&mut self, name: &str, value: Zeroizing<String>) {
        self.values.entry(name.to_owned()).or_insert(value);
    }

    /// When a secret was written; nothing of the environment, which does not tell.
    pub(crate) fn written(&self, source: &SecretSource) -> Option<Timestamp> {
        let SecretSource::File(path) = source else { return None };
        let modified = fs::metadata(self.path(path)).and_then(|file| file.modified()).ok()?;
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok().map(Timestamp)
    }

    /// Nothing where the source is not there; an error where it is there and no good.
    pub(crate) fn secret(&self, source: &SecretSource) -> Result<Option<Secret>> {
        match source {
            SecretSource::Env(name) => match self.get(name) {
                None => Ok(None),
                Some(value) => {
                    let secret = Secret::new(value.as_bytes().to_vec());
                    secret.map(Some).with_context(|| format!("environment variable {name}"))
                }
            },
            SecretSource::File(path) => self.secret_file(path),
        }
    }

    /// Where a file is that hooks.yaml names.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    fn secret_file(&self, path: &Path) -> Result<Option<Secret>> {
        let path = self.path(path);
        let shown = path.display();
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        anyhow::ensure!(size <= SECRET_BYTES_MAX as u64 + 2, "{shown} is too large for a secret");
        let mut bytes = fs::read(&path).with_context(|| format!("cannot read {shown}"))?;
        // Editors end a file with a line break that is no part of the secret.
        while bytes.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
            bytes.pop();
        }
        Secret::new(bytes).map(Some).with_context(|| shown.to_string())
    }
}

/// The certificates that a command trusts in place of the public ones: the variable that other programs read, too.
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
pub(crate) fn trusted_certificates() -> Result<Option<Vec<u8>>> {
    let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) else { return Ok(None) };
    let text = fs::read(&file).with_context(|| format!("cannot read SSL_CERT_FILE {}", Path::new(&file).display()))?;
    Ok(Some(text))
}

/// Puts a secret in a file that only its owner reads, as a whole: whoever reads meanwhile sees the old one or the new
/// one. Returns once it is on disk.
pub(crate) fn keep_secret(file: &Path, secret: &Secret) -> std::io::Result<()> {
    let name = file.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(".draft");
    let draft = folder.join(draft);
    // One of a writer that was cut off.
    let _ = fs::remove_file(&draft);
    let mut to = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = to.write_all(secret.expose()).and_then(|()| to.sync_all()).and_then(|()| fs::rename(&draft, file));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_kept_secret_is_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notion.key");
        fs::write(&file, "old").unwrap();
        for text in ["secret_1", "secret_2"] {
            keep_secret(&file, &Secret::new(text).unwrap()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        let nowhere = folder.path().join("no-such-folder/notion.key");
        assert!(keep_secret(&nowhere, &Secret::new("secret_3").unwrap()).is_err());
    }
}
