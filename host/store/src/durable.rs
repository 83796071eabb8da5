//! Files and folders, synced.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use crate::error::StoreError;

pub(crate) const LOCKED: &str = "another hookbox uses it; stop that one first, or give this one a folder of its own";
/// There while the data file can be trusted: no write or sync of it has failed since it was last settled.
const SETTLED: &str = "settled";
/// There while a backup is put in place.
pub(crate) const RESTORING: &str = "restoring";
/// Written to see whether the disk takes something, and removed.
const ROOM: &str = "room";
/// Bytes that are written anew at a time.
const SETTLE_BYTES: usize = 1 << 20;

/// Returns once everything that was written to sled's data file is on disk, be it by a process that was killed before
/// it could sync: sled takes what it reads there for safe.
pub(crate) fn sync_data(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join("db");
    match OpenOptions::new().write(true).open(&path) {
        Ok(file) => file.sync_data().map_err(|e| failed("sync", &path, &e)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("open", &path, &error)),
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
    if names.iter().any(|name| name == RESTORING) {
        return Err(StoreError::Unavailable(format!(
            "a backup was being restored into {} when that was cut off: run `hookbox restore` again",
            folder.display()
        )));
    }
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

pub(crate) fn sync_path(path: &Path) -> Result<(), StoreError> {
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

/// Fails unless the disk takes so many bytes and syncs them.
pub(crate) fn find_room(folder: &Path, bytes: usize) -> Result<(), StoreError> {
    let path = folder.join(ROOM);
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).and_then(|mut file| {
            let block = vec![0xa5; SETTLE_BYTES.min(bytes)];
            for _ in 0..bytes.div_ceil(SETTLE_BYTES) {
                file.write_all(&block)?;
            }
            file.sync_all()
        });
    // Whatever it holds would be missing elsewhere.
    let removed = std::fs::remove_file(&path);
    written.and(removed).map_err(|e| failed("write", &path, &e))
}

/// To be called when a write or sync has failed, and again before the folder is opened anew: the next opening, be it by
/// another process, settles the data file first.
pub(crate) fn distrust(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(SETTLED);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, &error)),
        _ => Ok(()),
    }
}

pub(crate) fn trust(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(SETTLED);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("make", &path, &error)),
        _ => Ok(()),
    }
}

/// True where there is a data file to be settled.
pub(crate) fn is_distrusted(folder: &Path) -> bool {
    folder.join("db").exists() && !folder.join(SETTLED).exists()
}

/// Writes the data file over with what it holds, and syncs it: after a failed sync the kernel may show bytes that the
/// disk does not have, and call them clean. Returns once what is read is what the disk has.
pub(crate) fn settle(folder: &Path, tries: u32, pause: Duration) -> Result<(), StoreError> {
    let path = folder.join("db");
    let wrong = |e: io::Error| failed("write anew", &path, &e);
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(wrong)?;
    lock(&file, &path, tries, pause)?;
    let mut block = vec![0; SETTLE_BYTES];
    let mut at = 0;
    loop {
        let length = file.read_at(&mut block, at).map_err(wrong)?;
        let Some(read) = block.get(..length).filter(|read| !read.is_empty()) else { break };
        file.write_all_at(read, at).map_err(wrong)?;
        at += length as u64;
    }
    file.sync_all().map_err(wrong)
}

/// Removes what sled had begun to write of a snapshot when it was cut off: it takes such a file for a damaged one, and
/// a snapshot is complete only under its last name. Waits for whoever is about to let go of the folder: a store that was
/// dropped a moment ago may still have it.
pub(crate) fn remove_drafts(folder: &Path, tries: u32, pause: Duration) -> Result<(), StoreError> {
    let path = folder.join("db");
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("open", &path, &error)),
    };
    lock(&file, &path, tries, pause)?;
    let entries = std::fs::read_dir(folder).map_err(|e| failed("read", folder, &e))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if (name.starts_with("snap.") && name.ends_with(".generating")) || name == ROOM {
            std::fs::remove_file(entry.path()).map_err(|e| failed("remove", &entry.path(), &e))?;
        }
    }
    Ok(())
}

/// The lock that sled takes, until the file is closed.
fn lock(file: &File, path: &Path, tries: u32, pause: Duration) -> Result<(), StoreError> {
    for _ in 1..tries {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
            locked => return locked.map_err(|e| failed("lock", path, &e.into())),
        }
    }
    file.try_lock().map_err(|_| StoreError::Unavailable(format!("cannot lock {}: {LOCKED}", path.display())))
}

/// True while somebody has that lock. Nothing is written.
pub(crate) fn is_locked(folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join("db");
    let file = File::open(&path).map_err(|e| failed("open", &path, &e))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path, &error)),
    }
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
