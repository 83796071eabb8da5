//! The bytes of every version that served, one file each beside its signature, so that a bad file in
//! the plugins folder leaves the old version serving after a restart, too.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hookbox_core::plugin::Digest;
use hookbox_core::trust::SIGNATURE_SUFFIX;
use hookbox_sandbox::PluginFile;
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

    /// The bytes as they were kept, with their signature, if there is one; an error where they are not there or were
    /// changed.
    pub(crate) async fn load(&self, digest: Digest) -> Result<PluginFile> {
        let path = self.path_of(digest);
        spawn_blocking(move || {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(Digest(sha2::Sha256::digest(&bytes).into()) == digest, "{} was changed", path.display());
            Ok(PluginFile { bytes: bytes.into(), signature: PluginFile::read_signature(&path) })
        })
        .await?
    }

    /// Returns once the version is on disk, whole. Of the others only those in `named` stay.
    pub(crate) async fn keep(&self, digest: Digest, file: PluginFile, named: HashSet<Digest>) -> Result<()> {
        let versions = self.clone();
        spawn_blocking(move || {
            let path = versions.path_of(digest);
            // The signature first: a version that is kept has the one that it was taken with.
            if let Some(signature) = &file.signature
                && PluginFile::read_signature(&path).as_ref() != Some(signature)
            {
                versions.write(&signature_of(&path), signature)?;
            }
            // What was damaged is made whole again.
            if !fs::read(&path).is_ok_and(|kept| kept == *file.bytes) {
                versions.write(&path, &file.bytes)?;
            }
            versions.forget(&named, digest);
            Ok(())
        })
        .await?
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let draft = path.with_extension("draft");
        let mut file = fs::File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    fn forget(&self, named: &HashSet<Digest>, newest: Digest) {
        let files = named.iter().chain([&newest]).map(|digest| self.path_of(*digest));
        let stay: HashSet<PathBuf> = files.flat_map(|path| [signature_of(&path), path]).collect();
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

fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    name.into()
}
