//! Whose the files are that a command of root makes.
//!
//! A host runs as a user of its own, and its files are closed to others. So what root
//! makes for it belongs to whoever has the folder that it is made in. The host's user
//! may move what is there while root gives it away: the folder that was there is held,
//! nothing below it is given by its path, no link is followed, and nothing that has a
//! second name is touched.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchown, fstat, openat};
use rustix::process::geteuid;

use crate::error::StoreError;

/// The system's own in the root of a file system.
const SYSTEMS: &[u8] = b"lost+found";

/// Somebody else than root, whom root makes something for.
#[derive(Debug)]
pub(crate) struct Owner {
    user: Uid,
    group: Gid,
    /// The nearest folder that is there.
    there: OwnedFd,
    /// Those below it that are not there yet, the innermost last.
    missing: Vec<OsString>,
}

impl Owner {
    /// The owner of a folder, or of the nearest one above it that is there. Nobody where that is root, and where this is not
    /// root: what others make is theirs.
    pub(crate) fn of(folder: &Path) -> io::Result<Option<Owner>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let folder = std::path::absolute(folder)?;
        let nearest = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let there = openat(CWD, nearest, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let missing = folder.strip_prefix(nearest).unwrap_or(Path::new("")).iter().map(OsString::from).collect();
        let stat = fstat(&there)?;
        let owner = Owner { user: Uid::from_raw(stat.st_uid), group: Gid::from_raw(stat.st_gid), there, missing };
        Ok(Some(owner).filter(|owner| !owner.user.is_root()))
    }

    /// Gives away the folders that were not there when it was asked for the owner, and first what root has made in the
    /// innermost under a name, with all in it.
    pub(crate) fn take(&self, within: Option<&str>) -> io::Result<()> {
        let mut made: Vec<OwnedFd> = Vec::new();
        for name in &self.missing {
            made.push(seen(made.last().unwrap_or(&self.there), name)?);
        }
        if let Some(name) = within {
            self.take_all(&seen(made.last().unwrap_or(&self.there), name)?)?;
        }
        // Who has the outer one may move the inner ones.
        made.iter().rev().try_for_each(|folder| self.take_one(folder, &fstat(folder)?))
    }

    pub(crate) fn take_file(&self, file: &File) -> io::Result<()> {
        Ok(fchown(file, Some(self.user), Some(self.group))?)
    }

    fn take_all(&self, place: &OwnedFd) -> io::Result<()> {
        let stat = fstat(place)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            self.take_within(place)?;
        }
        self.take_one(place, &stat)
    }

    fn take_within(&self, folder: &OwnedFd) -> io::Result<()> {
        let readable = openat(folder, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for entry in Dir::new(readable)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b".." | SYSTEMS) {
                continue;
            }
            match seen(folder, entry.file_name()) {
                Ok(place) => self.take_all(&place)?,
                // The store removes files of its own.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take_one(&self, place: &OwnedFd, stat: &Stat) -> io::Result<()> {
        let fits = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => true,
            FileType::RegularFile => stat.st_nlink == 1,
            _ => false,
        };
        if fits && Uid::from_raw(stat.st_uid).is_root() {
            chownat(place, c"", Some(self.user), Some(self.group), AtFlags::EMPTY_PATH)?;
        }
        Ok(())
    }
}

/// What has this name, be it a link: not where that leads.
fn seen(folder: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    Ok(openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// What is in a store's folder and belongs to somebody else than the folder: a host that runs as the folder's owner cannot
/// open it. Follows no link.
pub fn foreign(data: &Path) -> io::Result<Vec<PathBuf>> {
    let owner = fs::metadata(data)?.uid();
    let mut found = Vec::new();
    collect_foreign(data, owner, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect_foreign(folder: &Path, owner: u32, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        // What was removed meanwhile is nobody's.
        let Ok(metadata) = entry.metadata() else { continue };
        if entry.file_name().as_encoded_bytes() == SYSTEMS {
            continue;
        }
        if metadata.uid() != owner {
            found.push(entry.path());
        }
        if metadata.is_dir() {
            collect_foreign(&entry.path(), owner, found)?;
        }
    }
    Ok(())
}

/// Gives the owner of a store's folder what root has made in it, such as by opening the store. Nothing to do for others.
pub fn hand_over(data: &Path) -> Result<(), StoreError> {
    let give = || match Owner::of(data)? {
        Some(owner) if owner.missing.is_empty() => owner.take_within(&owner.there),
        _ => Ok(()),
    };
    give().map_err(|e: io::Error| StoreError::Unavailable(format!("cannot give {} to its owner: {e}", data.display())))
}

/// Does something with a store's folder, and gives its owner what root has made there meanwhile. Where something belonged to
/// somebody else before, all stays as it is: somebody has to look.
pub fn keeping<T>(data: &Path, work: impl FnOnce() -> T) -> Result<T, StoreError> {
    let is_whole = foreign(data).is_ok_and(|foreign| foreign.is_empty());
    let done = work();
    if is_whole {
        hand_over(data)?;
    }
    Ok(done)
}
