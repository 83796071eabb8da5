//! The bytes of every version that served, one file each, so that a bad file in
//! the plugins folder leaves the old version serving after a restart, too.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use hookbox_core::plugin::Digest;
use sha2::Digest as _;
use tokio::task::spawn_blocking;

#[derive(Clone)]
pub(crate) struct Versions {
    folder: PathBuf,
}

impl Versions {
    /// Makes the folder where it is missing.
    pub(crate) fn open(folder: PathBuf) -> Result<Versions> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Versions { folder })
    }

    /// The bytes as they were kept; an error where they are not there or were changed.
    pub(crate) async fn load(&self, digest: Digest) -> Result<Arc<[u8]>> {
        let path = self.path_of(digest);
        spawn_blocking(move || {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(Digest(sha2::Sha256::digest(&bytes).into()) == digest, "{} was changed", path.display());
            Ok(bytes.into())
        })
        .await?
    }

    /// Returns once the version is on disk, whole. Of the others only those in `named` stay.
    pub(crate) async fn keep(&self, digest: Digest, bytes: Arc<[u8]>, named: HashSet<Digest>) -> Result<()> {
        let versions = self.clone();
        spawn_blocking(move || {
            versions.write(digest, &bytes)?;
            versions.forget(&named, digest);
            Ok(())
        })
        .await?
    }

    fn write(&self, digest: Digest, bytes: &[u8]) -> Result<()> {
        let path = self.path_of(digest);
        if path.exists() {
            return Ok(());
        }
        let draft = path.with_extension("draft");
        let mut file = fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    fn forget(&self, named: &HashSet<Digest>, newest: Digest) {
        let stay: HashSet<PathBuf> = named.iter().chain([&newest]).map(|digest| self.path_of(*digest)).collect();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if !stay.contains(&entry.path()) {
                // What cannot be removed now is tried again with the next version.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path_of(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{}.wasm", hex::encode(digest.0)))
    }
}
