//! Makes a backup, a frame at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use hookbox_core::time::Timestamp;
use tokio::task::spawn_blocking;

use super::frame::{Chain, Payload};
use super::read::is_good;
use super::{FILE_BYTES_MAX, FILE_PART_BYTES, FIRST_LINE, Head, PAYLOAD_BYTES_MAX};
use crate::embedded::FORMAT;
use crate::error::StoreError;
use crate::snapshot::{Row, Snapshot};

/// Whose files go along: components, and their signatures beside them.
#[derive(Debug, Clone)]
pub struct Folder {
    /// What stands before their names.
    pub name: &'static str,
    pub path: PathBuf,
}

/// Files that go along; what else is in a folder does not.
pub(super) const SUFFIXES: [&str; 2] = [".wasm", ".wasm.minisig"];
/// Rows of a frame, together: one more row, of 5 KiB at most, still fits.
const ROWS_BYTES: usize = PAYLOAD_BYTES_MAX / 4;

/// A backup that is being made: everything that was acknowledged before its last row was read is in it.
pub struct Backup {
    chain: Chain,
    snapshot: Option<Snapshot>,
    folders: Vec<Folder>,
    /// Names and places of files that are still to come.
    files: Option<VecDeque<(String, PathBuf)>>,
    ready: VecDeque<Vec<u8>>,
    rows: u64,
    files_done: u64,
    ended: bool,
}

impl Backup {
    /// `release` is the one that writes it.
    pub fn begin(
        snapshot: Snapshot,
        folders: Vec<Folder>,
        release: &str,
        now: Timestamp,
    ) -> Result<Backup, StoreError> {
        let mut backup = Backup {
            chain: Chain::new(),
            snapshot: Some(snapshot),
            folders,
            files: None,
            ready: VecDeque::from([FIRST_LINE.to_vec()]),
            rows: 0,
            files_done: 0,
            ended: false,
        };
        backup.put(&Payload::Head(Head { release: release.to_owned(), format: FORMAT, at: now.0 }))?;
        Ok(backup)
    }

    /// The next bytes of the file; nothing after the last. What was given before an error is no backup.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        while self.ready.is_empty() && !self.ended {
            if let Err(error) = self.make().await {
                // Nobody gets an end for it.
                (self.ended, self.ready) = (true, VecDeque::new());
                return Err(error);
            }
        }
        Ok(self.ready.pop_front())
    }

    async fn make(&mut self) -> Result<(), StoreError> {
        if let Some(snapshot) = &mut self.snapshot {
            return match snapshot.next().await? {
                Some(rows) => self.put_rows(rows),
                None => {
                    self.snapshot = None;
                    Ok(())
                }
            };
        }
        // Only now: a version that the rows name was kept before they were written.
        if self.files.is_none() {
            let folders = std::mem::take(&mut self.folders);
            self.files = Some(blocking(move || list(&folders)).await?);
        }
        match self.files.as_mut().and_then(VecDeque::pop_front) {
            Some((name, path)) => self.put_file(name, path).await,
            None => {
                self.ended = true;
                self.put(&Payload::End { rows: self.rows, files: self.files_done })
            }
        }
    }

    fn put_rows(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.rows += rows.len() as u64;
        let (mut part, mut bytes) = (Vec::new(), 0);
        for row in rows {
            bytes += row.0.len() + row.1.as_ref().map_or(0, Vec::len);
            part.push(row);
            if bytes >= ROWS_BYTES {
                self.put(&Payload::Rows(std::mem::take(&mut part)))?;
                bytes = 0;
            }
        }
        if part.is_empty() { Ok(()) } else { self.put(&Payload::Rows(part)) }
    }

    /// One that was removed since it was listed is left out: no row needs it any more.
    async fn put_file(&mut self, name: String, path: PathBuf) -> Result<(), StoreError> {
        let Some(bytes) = blocking(move || read(&path)).await? else { return Ok(()) };
        self.files_done += 1;
        self.put(&Payload::File { name, bytes: bytes.len() as u64 })?;
        for part in bytes.chunks(FILE_PART_BYTES) {
            self.put(&Payload::FilePart(part.to_vec()))?;
        }
        Ok(())
    }

    fn put(&mut self, payload: &Payload) -> Result<(), StoreError> {
        let bad = |why: String| StoreError::Corrupt(format!("a part of the backup cannot be written: {why}"));
        let payload = postcard::to_stdvec(payload).map_err(|error| bad(error.to_string()))?;
        let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= PAYLOAD_BYTES_MAX);
        let length = length.ok_or_else(|| bad(format!("it has {} bytes", payload.len())))?.to_be_bytes();
        let digest = self.chain.next(length, &payload);
        self.ready.push_back([&length[..], &payload, &digest].concat());
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let panicked = |_| StoreError::Unavailable("reading files for the backup panicked".to_owned());
    spawn_blocking(work).await.map_err(panicked)?
}

fn list(folders: &[Folder]) -> Result<VecDeque<(String, PathBuf)>, StoreError> {
    let mut files = VecDeque::new();
    for Folder { name, path } in folders {
        let failed = |error| StoreError::Unavailable(format!("cannot read {}: {error}", path.display()));
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(failed)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut here: Vec<_> = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        here.sort();
        let wanted = |file: &String| !file.starts_with('.') && SUFFIXES.iter().any(|suffix| file.ends_with(suffix));
        let named = here.into_iter().filter(wanted).map(|file| (format!("{name}/{file}"), path.join(file)));
        // Whoever reads it would take no others: the name of a plugin has none of their letters.
        files.extend(named.filter(|(name, _)| is_good(name)));
    }
    Ok(files)
}

fn read(path: &std::path::Path) -> Result<Option<Vec<u8>>, StoreError> {
    let failed = |error| StoreError::Unavailable(format!("cannot read {}: {error}", path.display()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(StoreError::Conflict(format!("{} is too large for a backup", path.display())));
    }
    Ok(Some(bytes))
}
