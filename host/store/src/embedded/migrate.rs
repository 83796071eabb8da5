//! Writes rows of older forms anew in the newest.
//!
//! A host reads every form that a release wrote, and writes a row in the newest when it
//! changes. What never changes keeps its form; this writes it anew, so that a later
//! release may forget the old ones. Each group is one commit, and both forms are good at
//! any time: cut off, it goes on where it was with the next call.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::Path;

use hookbox_core::id::RunId;

use super::disk::Disk;
use super::faults::Faults;
use crate::codec::{self, RemovedV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Overlay};
use crate::values;

/// Rows that are looked at between two commits.
const GROUP_ROWS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    Count,
    Write,
}

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    pub kind: &'static str,
    pub rows: u64,
    /// Of those: in an older form.
    pub old: u64,
    /// The newest form.
    pub form: u8,
}

/// The newest form of a row, by its key, in an older one; nothing where it is the newest.
type Anew = fn(&mut Overlay<'_>, &[u8], &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

/// A kind of row that has had several forms.
struct Kind {
    name: &'static str,
    prefix: &'static [u8],
    form: u8,
    anew: Anew,
}

const KINDS: [Kind; 6] = [
    Kind { name: "live runs", prefix: &[keys::LIVE_RUN], form: codec::RUN_FORM, anew: run },
    Kind { name: "ended runs", prefix: &[keys::ENDED_RUN], form: codec::RUN_FORM, anew: run },
    Kind { name: "plugins", prefix: &[keys::PLUGIN], form: codec::PLUGIN_FORM, anew: plugin },
    Kind { name: "schedules", prefix: &[keys::SCHEDULE], form: codec::SCHEDULE_FORM, anew: schedule },
    Kind { name: "removed schedules", prefix: &[keys::REMOVED_SCHEDULE], form: codec::SCHEDULE_FORM, anew: removed },
    Kind { name: "counters", prefix: keys::COUNTS, form: codec::COUNTS_FORM, anew: counts },
];

/// Of a host that is not running. Returns once what it says is on disk.
pub fn migrate(folder: &Path, rewrite: Rewrite) -> Result<Vec<Migrated>, StoreError> {
    let disk = Disk::open(folder, Faults::default())?;
    let migrated = KINDS.iter().map(|kind| of_kind(&disk, kind, rewrite)).collect();
    disk.close();
    migrated
}

fn of_kind(disk: &Disk, kind: &Kind, rewrite: Rewrite) -> Result<Migrated, StoreError> {
    let mut migrated = Migrated { kind: kind.name, rows: 0, old: 0, form: kind.form };
    let (mut from, end) = (kind.prefix.to_vec(), keys::end_of(kind.prefix));
    loop {
        let mut found = Vec::new();
        disk.tree().scan(&from, &end, Order::Ascending, &mut |key, _| {
            found.push(key.to_vec());
            Ok(if found.len() < GROUP_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        let Some(last) = found.last() else { return Ok(migrated) };
        from = [last.as_slice(), &[0]].concat();
        let mut group = Overlay::new(disk.tree());
        for key in found {
            let Some(row) = values::get(&group, &key)? else { continue };
            migrated.rows += 1;
            if let Some(anew) = (kind.anew)(&mut group, &key, &row)? {
                migrated.old += 1;
                values::replace(&mut group, key, &anew)?;
            }
        }
        let changed = group.into_changed();
        if rewrite == Rewrite::Write && !changed.is_empty() {
            disk.write(changed)?;
        }
    }
}

fn is_newest(row: &[u8], form: u8) -> bool {
    row.first() == Some(&form)
}

fn run(tree: &mut Overlay<'_>, key: &[u8], row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let id = keys::id_of(key).map(RunId::from_bytes);
    let Some(id) = id.filter(|_| !is_newest(row, codec::RUN_FORM)) else { return Ok(None) };
    let (row, details) = codec::decode_run(id, row)?.encode()?;
    for (number, detail) in details {
        values::insert(tree, keys::attempt_detail(id, number), &detail)?;
    }
    Ok(Some(row))
}

fn plugin(_: &mut Overlay<'_>, _: &[u8], row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if is_newest(row, codec::PLUGIN_FORM) {
        Ok(None)
    } else {
        codec::encode_plugin(&codec::decode_plugin(row)?).map(Some)
    }
}

fn schedule(_: &mut Overlay<'_>, _: &[u8], row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    anew(row)
}

/// The form is that of the schedule within.
fn removed(_: &mut Overlay<'_>, _: &[u8], row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let RemovedV1 { at, row } = codec::decode(row)?;
    anew(&row)?.map(|row| codec::encode(&RemovedV1 { at, row })).transpose()
}

fn anew(row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if is_newest(row, codec::SCHEDULE_FORM) {
        Ok(None)
    } else {
        codec::encode_schedule(codec::decode_schedule(row)?).map(Some)
    }
}

fn counts(_: &mut Overlay<'_>, _: &[u8], row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if is_newest(row, codec::COUNTS_FORM) {
        Ok(None)
    } else {
        codec::encode_counts(&codec::decode_counts(row)?).map(Some)
    }
}
