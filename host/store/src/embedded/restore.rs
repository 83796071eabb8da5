//! Puts a backup into an empty folder: all of it, or nothing.
//!
//! The file is read to its end before anything is written. Then everything is made in
//! a folder of its own inside the new one, checked as the doctor does, and moved up.
//! While that folder is there nobody opens the store: a restore that was cut off is
//! begun anew.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::SledStore;
use super::commits::GROUP_BYTES_MAX;
use super::disk::{Disk, FORMAT};
use super::faults::Faults;
use crate::backup::{self, BackupError, Contents, Part, Reader};
use crate::doctor::{self, Report};
use crate::durable::{self, RESTORING};
use crate::overlay::Changed;
use crate::owner::Owner;

/// What a host makes in its folder; of a restore that was cut off, any of it may be there.
const OURS: [&str; 5] = ["db", "conf", "blobs", "settled", "versions"];

/// What was put where.
#[derive(Debug)]
pub struct Restored {
    pub contents: Contents,
    pub report: Report,
    /// Files of plugins that were put beside the store.
    pub plugins: Vec<String>,
    /// Those that were there with other bytes, and stay.
    pub kept: Vec<String>,
}

/// Makes the store of a backup in `data`, which must be empty or not there, and puts those of its plugins' files into
/// `plugins` whose names are free. Returns once everything is on disk; after an error both are as they were, but for a folder
/// of plugins that was made. Cut off, it leaves a folder that no host opens, and that the next restore clears. What root
/// restores belongs to the owner of the folder, or of the nearest one above that was there.
pub fn restore(backup: &Path, data: &Path, plugins: &Path) -> Result<Restored, BackupError> {
    let mut file = File::open(backup).map_err(|e| failed("open", backup, e))?;
    let contents = backup::check(BufReader::new(&file))?;
    if contents.head.format != FORMAT {
        let other = contents.head.format;
        return Err(BackupError::Refused(format!(
            "the backup has the format {other}, this release reads {FORMAT}: restore it with the release that wrote it"
        )));
    }
    file.rewind().map_err(|e| failed("read", backup, e))?;
    let was_there = data.exists();
    let owner = Owner::of(data).map_err(|e| failed("look at", data, e))?;
    make_room(data)?;
    let building = data.join(RESTORING);
    let built = build(BufReader::new(&file), &building);
    let (mut put, mut kept) = (Vec::new(), Vec::new());
    // A store is there only once its plugins are: cut off before, the next restore begins anew.
    let moved = built.and_then(|(report, files)| {
        put_plugins(plugins, files, &mut put, &mut kept)?;
        if let Some(owner) = owner {
            owner.take(Some(RESTORING)).map_err(|e| failed("give to its owner", data, e))?;
        }
        move_up(data, &building).map(|()| report)
    });
    let report = moved.inspect_err(|_| {
        for name in &put {
            let _ = fs::remove_file(plugins.join(name));
        }
        // What is left is taken away by the next restore.
        let _ = clear(data);
        let _ = if was_there { Ok(()) } else { fs::remove_dir(data) };
    })?;
    Ok(Restored { contents, report, plugins: put, kept })
}

fn put_plugins(
    plugins: &Path,
    files: Plugins,
    put: &mut Vec<String>,
    kept: &mut Vec<String>,
) -> Result<(), BackupError> {
    let owner = Owner::of(plugins).map_err(|e| failed("look at", plugins, e))?;
    for (name, bytes) in files {
        let at = plugins.join(&name);
        match fs::read(&at) {
            Ok(there) if there == bytes => {}
            Ok(_) => kept.push(name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(plugins).map_err(|e| failed("make", plugins, e))?;
                // It may be there although an error is told.
                put.push(name);
                write_new(&at, &bytes, owner.as_ref())?;
            }
            Err(error) => return Err(failed("read", &at, error)),
        }
    }
    match owner.filter(|_| !put.is_empty()) {
        Some(owner) => owner.take(None).map_err(|e| failed("give to its owner", plugins, e)),
        None => Ok(()),
    }
}

/// Refuses a folder with anything in it, but for what a restore left that was cut off.
fn make_room(data: &Path) -> Result<(), BackupError> {
    let names = names_in(data)?;
    if names.iter().any(|name| name == RESTORING) {
        return clear(data);
    }
    match names.iter().find(|name| name.as_str() != "lost+found") {
        None => Ok(()),
        Some(name) => Err(BackupError::Refused(format!(
            "{} is not empty, it has {name:?}: a backup goes into an empty folder, or one that is not there yet",
            data.display()
        ))),
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>, BackupError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("read", folder, error)),
    }
}

/// Takes away what a restore made; the folder that says so last.
fn clear(data: &Path) -> Result<(), BackupError> {
    let ours = |name: &String| OURS.contains(&name.as_str()) || name.starts_with("snap.");
    let last = [RESTORING.to_owned()];
    for name in names_in(data)?.into_iter().filter(ours).chain(last) {
        let path = data.join(&name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path, error)),
            _ => {}
        }
    }
    Ok(())
}

type Plugins = HashMap<String, Vec<u8>>;

/// The store and the versions; the files of plugins are given back.
fn build(from: impl io::Read, building: &Path) -> Result<(Report, Plugins), BackupError> {
    let versions = building.join("versions");
    let disk = Disk::open(building, Faults::default())?;
    fs::DirBuilder::new().mode(0o700).create(&versions).map_err(|e| failed("make", &versions, e))?;
    let read = read_into(&disk, from, &versions);
    disk.close();
    let (kept, plugins) = read?;
    for (name, bytes) in kept {
        write_new(&versions.join(name), &bytes, None)?;
    }
    durable::sync_path(&versions)?;
    let store = SledStore::open(building)?;
    let report = doctor::check(&store)?;
    drop(store);
    match report.faults.first() {
        None => Ok((report, plugins)),
        Some(fault) => Err(BackupError::Broken(format!("its rows do not fit together: {fault}"))),
    }
}

fn read_into(disk: &Disk, from: impl io::Read, versions: &Path) -> Result<(Plugins, Plugins), BackupError> {
    let mut reader = Reader::new(from)?;
    let (mut changed, mut bytes) = (Changed::new(), 0);
    let (mut kept, mut plugins) = (Plugins::new(), Plugins::new());
    let mut file: Option<String> = None;
    while let Some(part) = reader.next()? {
        match part {
            Part::Rows(rows) => {
                for (key, value) in rows {
                    bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                    changed.insert(key, value);
                    if bytes >= GROUP_BYTES_MAX {
                        disk.write(std::mem::take(&mut changed))?;
                        bytes = 0;
                    }
                }
            }
            Part::File(name) => {
                place(&name, &mut kept, &mut plugins);
                file = Some(name);
            }
            Part::Bytes(part) => {
                if let Some(name) = &file {
                    place(name, &mut kept, &mut plugins).extend(part);
                }
            }
        }
        // A file at a time is in memory, but for those of plugins.
        for (name, bytes) in kept.extract_if(|name, _| file.as_deref() != Some(&format!("versions/{name}"))) {
            write_new(&versions.join(name), &bytes, None)?;
        }
    }
    disk.write(changed)?;
    Ok((kept, plugins))
}

/// Where the bytes of a file are gathered; its name was found good by the reader.
fn place<'a>(name: &str, kept: &'a mut Plugins, plugins: &'a mut Plugins) -> &'a mut Vec<u8> {
    let (folder, file) = name.split_once('/').unwrap_or(("plugins", name));
    let files = if folder == "versions" { kept } else { plugins };
    files.entry(file.to_owned()).or_default()
}

fn move_up(data: &Path, building: &Path) -> Result<(), BackupError> {
    durable::sync_path(building)?;
    for name in names_in(building)? {
        let (from, to) = (building.join(&name), data.join(&name));
        fs::rename(&from, &to).map_err(|e| failed("move", &from, e))?;
    }
    durable::sync_path(data)?;
    fs::remove_dir(building).map_err(|e| failed("remove", building, e))?;
    durable::sync_path(data)?;
    Ok(())
}

/// Under a draft's name first: it is there whole, or not at all.
fn write_new(path: &Path, bytes: &[u8], owner: Option<&Owner>) -> Result<(), BackupError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft: PathBuf = path.with_file_name(format!(".{name}.draft"));
    let write = || {
        // One of a restore that was cut off, or a link that would lead the bytes elsewhere.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        if let Some(owner) = owner {
            owner.take_file(&file)?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    let written = write().inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    });
    written.map_err(|e| failed("write", path, e))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(durable::sync_path(folder)?)
}

fn failed(verb: &str, path: &Path, cause: io::Error) -> BackupError {
    BackupError::File(format!("{verb} {}", path.display()), cause)
}
