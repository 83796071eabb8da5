//! What a disk holds for certain, and what it may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::trace::{Change, Step};
use crate::random::{Chance, Random};

/// A disk writes so many bytes whole or not at all.
const SECTOR: usize = 512;
/// Of the unsynced writes that reach the disk, so many are cut in the middle.
const TORN_PERCENT: usize = 30;

/// What becomes of writes that no sync covers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unsynced {
    Nothing,
    /// Those of each file up to some point.
    Prefix,
    /// Any half, in any order.
    Half,
}

#[derive(Debug, Default)]
struct File<'a> {
    durable: Vec<u8>,
    /// With the step that each was.
    pending: Vec<(usize, &'a Change)>,
}

/// What a disk held before a trace began, all of it synced.
#[derive(Debug, Default)]
pub(crate) struct Base {
    files: BTreeMap<PathBuf, Vec<u8>>,
    folders: BTreeSet<PathBuf>,
}

impl Base {
    pub(crate) fn read(folder: &Path) -> Base {
        let mut base = Base::default();
        base.take(folder, Path::new(""));
        base
    }

    fn take(&mut self, folder: &Path, below: &Path) {
        for entry in fs::read_dir(folder.join(below)).unwrap() {
            let path = below.join(entry.unwrap().file_name());
            if folder.join(&path).is_dir() {
                self.take(folder, &path);
                self.folders.insert(path);
            } else {
                let content = fs::read(folder.join(&path)).unwrap();
                self.files.insert(path, content);
            }
        }
    }
}

/// Contents as syncs left them. Names are kept, as a journalling file system does.
#[derive(Debug, Default)]
pub(crate) struct Disk<'a> {
    files: BTreeMap<&'a Path, File<'a>>,
    folders: BTreeSet<&'a Path>,
}

impl<'a> Disk<'a> {
    pub(crate) fn after(base: &'a Base, steps: &'a [Step]) -> Disk<'a> {
        let held = |(path, content): (&'a PathBuf, &Vec<u8>)| {
            (path.as_path(), File { durable: content.clone(), pending: Vec::new() })
        };
        let mut disk = Disk {
            files: base.files.iter().map(held).collect(),
            folders: base.folders.iter().map(PathBuf::as_path).collect(),
        };
        for (at, step) in steps.iter().enumerate() {
            disk.take(at, step);
        }
        disk
    }

    fn take(&mut self, at: usize, step: &'a Step) {
        match step {
            Step::Said(_) => {}
            Step::Made { folder } => {
                self.folders.insert(folder);
            }
            Step::Opened { path } => {
                self.files.entry(path).or_default();
            }
            Step::Changed { path, change } => self.files.entry(path).or_default().pending.push((at, change)),
            Step::Synced { path, begun } => {
                if let Some(file) = self.files.get_mut(path.as_path()) {
                    file.sync(*begun);
                }
            }
            Step::SyncedAll { begun } => self.files.values_mut().for_each(|file| file.sync(*begun)),
            Step::Renamed { from, to } => {
                if let Some(file) = self.files.remove(from.as_path()) {
                    self.files.insert(to, file);
                }
            }
            Step::Removed { path } => {
                self.files.remove(path.as_path());
            }
        }
    }

    /// Writes what the power cut leaves into this folder, in place of what is there.
    pub(crate) fn cut_off(self, random: &mut Random, folder: &Path) -> Unsynced {
        let _ = fs::remove_dir_all(folder);
        // Closed to others, as the host makes its folders.
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder).unwrap();
        for made in &self.folders {
            builder.create(folder.join(made)).unwrap();
        }
        let unsynced = match random.below(3) {
            0 => Unsynced::Nothing,
            1 => Unsynced::Prefix,
            _ => Unsynced::Half,
        };
        for (path, file) in self.files {
            fs::write(folder.join(path), file.cut_off(unsynced, random)).unwrap();
        }
        unsynced
    }
}

impl File<'_> {
    /// A sync covers what was written before it began.
    fn sync(&mut self, begun: usize) {
        let (covered, later): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(|(at, _)| *at < begun);
        covered.into_iter().for_each(|(_, change)| apply(&mut self.durable, change));
        self.pending = later;
    }

    fn cut_off(self, unsynced: Unsynced, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable;
        let stop = random.below(self.pending.len() + 1);
        for (number, (_, change)) in self.pending.into_iter().enumerate() {
            let reaches = match unsynced {
                Unsynced::Nothing => false,
                Unsynced::Prefix => number < stop,
                Unsynced::Half => random.percent(50) == Chance::Hit,
            };
            if reaches {
                apply_torn(&mut content, change, random);
            }
        }
        content
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, data } => {
            reach(content, offset + data.len());
            content[*offset..offset + data.len()].copy_from_slice(data);
        }
        Change::Resize { size } => content.resize(*size, 0),
        Change::Grow { size } => reach(content, *size),
    }
}

fn reach(content: &mut Vec<u8>, size: usize) {
    if content.len() < size {
        content.resize(size, 0);
    }
}

fn apply_torn(content: &mut Vec<u8>, change: &Change, random: &mut Random) {
    let Change::Write { offset, data } = change else { return apply(content, change) };
    if data.len() <= SECTOR || random.percent(TORN_PERCENT) == Chance::Miss {
        return apply(content, change);
    }
    reach(content, offset + data.len());
    for (number, sector) in data.chunks(SECTOR).enumerate() {
        if random.percent(50) == Chance::Hit {
            let at = offset + number * SECTOR;
            content[at..at + sector.len()].copy_from_slice(sector);
        }
    }
}
