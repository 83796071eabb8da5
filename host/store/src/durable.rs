//! Files and folders, synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::error::StoreError;

/// sled's data file, by our own handle.
pub(crate) struct DataFile(File);

impl DataFile {
    pub(crate) fn open(folder: &Path) -> Result<DataFile, StoreError> {
        let path = folder.join("db");
        OpenOptions::new().write(true).open(&path).map(DataFile).map_err(|e| failed("open", &path, &e))
    }

    /// Returns once everything that was written to the file is on disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.0.sync_data().map_err(|e| StoreError::Unavailable(format!("the data file was not synced: {e}")))
    }
}

/// Makes a folder that nobody else can look into, or takes the rights of others from one that is there. Refuses a
/// folder with files of somebody else: it may be a home, or `/`.
pub(crate) fn make_private(folder: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    if missing.is_empty() {
        refuse_foreign(folder)?;
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| failed("make", folder, &e))?;
    let permissions = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder, permissions).map_err(|e| failed("protect", folder, &e))?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_path(parent)?;
    }
    Ok(())
}

/// An interrupted first start leaves a part of what sled makes, and `dev` writes its secrets first.
fn refuse_foreign(folder: &Path) -> Result<(), StoreError> {
    let entries = std::fs::read_dir(folder).map_err(|e| failed("read", folder, &e))?;
    let names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    if names.iter().any(|name| name == "db" || name == "conf") {
        return Ok(());
    }
    match names.iter().find(|name| !matches!(name.as_str(), "blobs" | "dev-secrets" | "lost+found")) {
        None => Ok(()),
        Some(name) => Err(StoreError::Unavailable(format!(
            "{} has files that are not hookbox's, such as {name:?}: name an empty folder, or one that is not there yet",
            folder.display()
        ))),
    }
}

fn sync_path(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|e| failed("sync", path, &e))
}

/// The names in the folder, its own name, and sled's `conf` are on disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let folder = folder.canonicalize().map_err(|e| failed("find", folder, &e))?;
    let conf = folder.join("conf");
    for path in [Some(conf.as_path()), Some(folder.as_path()), folder.parent()].into_iter().flatten() {
        sync_path(path)?;
    }
    Ok(())
}

/// sled does not sync blob files, so there must be none.
pub(crate) fn refuse_blobs(folder: &Path) -> Result<(), StoreError> {
    let blobs = folder.join("blobs");
    let mut entries = match std::fs::read_dir(&blobs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", &blobs, &error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            Err(StoreError::Corrupt(format!("{} has files, which are not safe from a power cut", blobs.display())))
        }
    }
}

fn failed(verb: &str, path: &Path, cause: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot {verb} {}: {cause}", path.display()))
}
