//! Folders: whose they are, and whether there is room.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, StatVfs, access, statvfs};

use super::Findings;
use crate::project::Project;

const PART: &str = "files";
const DISK: &str = "disk";
/// Below this the store soon takes nothing.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// Below this somebody should look.
const FREE_BYTES_LOW: u64 = 2 << 30;
/// Of inodes, in per cent.
const FREE_INODES_LOW: u64 = 5;

pub(super) fn look(project: &Project, findings: &mut Findings) {
    data(&project.data, findings);
    plugins(&project.plugins, findings);
}

fn data(folder: &Path, findings: &mut Findings) {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(metadata) if !metadata.is_dir() => {
            findings.fault(PART, format!("{shown} is no folder"), "move it away, or name another store in hooks.yaml");
            return;
        }
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
            if mode & 0o077 != 0 {
                let what = format!("{shown} holds webhooks and can be reached by others (mode {mode:03o})");
                findings.warning(PART, what, format!("chmod 700 {shown}"));
            } else if owner != us && us != 0 {
                let what = format!("{shown} belongs to user {owner}, and this is user {us}");
                findings.fault(PART, what, format!("chown -R {us} {shown}, or run as the other"));
            } else if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
                let cure = format!("chmod u+rwx {shown}, and mount it without `ro`");
                findings.fault(PART, format!("{shown} cannot be written"), cure);
            } else {
                findings.ok(PART, format!("{shown} is its owner's alone, and can be written"));
            }
            belongings(folder, owner, findings);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.ok(PART, format!("there is no {shown} yet: the first start makes it"));
        }
        Err(error) => {
            findings.fault(PART, format!("{shown} cannot be looked at: {error}"), "let this user into its parents");
            return;
        }
    }
    // Of a folder that is to be made, the first one above it that is there.
    if let Some((place, room)) = folder.ancestors().find_map(|place| {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        Some((place, statvfs(place).ok()?))
    }) {
        disk(place, &Room::of(&room), findings);
    }
}

/// Root may open everything, and would find nothing wrong with what a host that runs as somebody else cannot open.
fn belongings(folder: &Path, owner: u32, findings: &mut Findings) {
    let shown = folder.display();
    match hookbox_store::owner::foreign(folder).as_deref() {
        Ok([]) => {}
        Ok([first, more @ ..]) => {
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            let what = format!(
                "somebody else than the owner of {shown} has {}{more}: its host cannot open that",
                first.display()
            );
            findings.warning(PART, what, format!("chown -hR {owner} {shown}, while the host is stopped"));
        }
        Err(error) => {
            findings.warning(PART, format!("{shown} cannot be read: {error}"), "run as its owner, or as root")
        }
    }
}

/// Of a file system.
struct Room {
    free_bytes: u64,
    inodes: u64,
    free_inodes: u64,
}

impl Room {
    fn of(told: &StatVfs) -> Room {
        let free_bytes = told.f_bavail.saturating_mul(told.f_frsize);
        Room { free_bytes, inodes: told.f_files, free_inodes: told.f_favail }
    }
}

fn disk(place: &Path, room: &Room, findings: &mut Findings) {
    let (free, shown) = (room.free_bytes, place.display());
    let what = format!("{} MiB are free where {shown} is", free >> 20);
    let cure = "free some room, or put `store` on a larger disk";
    match free {
        0..FREE_BYTES_MIN => findings.fault(DISK, what, cure),
        FREE_BYTES_MIN..FREE_BYTES_LOW => findings.warning(DISK, what, cure),
        _ => findings.ok(DISK, what),
    }
    // Some file systems have no fixed number of them.
    if let Some(per_cent) = room.free_inodes.saturating_mul(100).checked_div(room.inodes) {
        let what = format!("{per_cent} % of the inodes are free where {shown} is");
        match per_cent < FREE_INODES_LOW {
            true => findings.warning(DISK, what, "remove small files, or make a file system with more inodes"),
            false => findings.ok(DISK, what),
        }
    }
}

fn plugins(folder: &Path, findings: &mut Findings) {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let cure = "make it, and put the .wasm files there; or name it with --plugins";
            findings.warning(PART, format!("there is no folder {shown}"), cure);
        }
        Err(error) => findings.fault(PART, format!("{shown}: {error}"), "let this user read it"),
        Ok(_) if access(folder, Access::READ_OK | Access::EXEC_OK).is_err() => {
            findings.fault(PART, format!("{shown} cannot be read"), format!("chmod u+rx {shown}"));
        }
        Ok(metadata) if metadata.permissions().mode() & 0o002 != 0 => {
            let what = format!("anybody on this machine can put code into {shown}");
            findings.warning(PART, what, format!("chmod o-w {shown}, or ask for signatures with trust.keys"));
        }
        Ok(_) => findings.ok(PART, format!("{shown} can be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn files_of_somebody_else_are_told() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not tried: root alone gives files away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(data, Some(23_456), None).unwrap();
        let found = || {
            let mut findings = Findings::default();
            super::data(data, &mut findings);
            let mut found = findings.0.into_iter().filter(|finding| finding.part == PART);
            (found.next().map(|finding| finding.level), found.next().map(|f| (f.level, f.what, f.cure.unwrap())))
        };
        assert_eq!(found(), (Some(Level::Ok), None));
        for file in ["conf", "db"] {
            std::fs::write(data.join(file), "").unwrap();
        }
        let (_, told) = found();
        let (level, what, cure) = told.unwrap();
        assert_eq!((level, cure.contains("chown -hR 23456")), (Level::Warning, true), "{cure}");
        assert!(what.starts_with("somebody else") && what.contains("conf and 1 more: its host"), "{what}");
    }

    #[test]
    fn a_disk_is_told_before_it_is_full() {
        let found = |free_bytes: u64, inodes: u64, free_inodes: u64| {
            let mut findings = Findings::default();
            disk(Path::new("/data"), &Room { free_bytes, inodes, free_inodes }, &mut findings);
            assert!(findings.0.iter().all(|finding| finding.part == DISK));
            assert!(findings.0.iter().all(|finding| (finding.level == Level::Ok) == finding.cure.is_none()));
            findings.0.into_iter().map(|finding| (finding.level, finding.what)).collect::<Vec<_>>()
        };
        let bytes = |level, mib| (level, format!("{mib} MiB are free where /data is"));
        assert_eq!(found((256 << 20) - 1, 0, 0), [bytes(Level::Fault, 255)]);
        assert_eq!(found(256 << 20, 0, 0), [bytes(Level::Warning, 256)]);
        assert_eq!(found((2 << 30) - 1, 0, 0), [bytes(Level::Warning, 2047)]);
        assert_eq!(found(2 << 30, 0, 0), [bytes(Level::Ok, 2048)]);
        let inodes = |level, per_cent| (level, format!("{per_cent} % of the inodes are free where /data is"));
        assert_eq!(found(2 << 30, 1000, 49)[1], inodes(Level::Warning, 4));
        assert_eq!(found(2 << 30, 1000, 50)[1], inodes(Level::Ok, 5));
    }
}
