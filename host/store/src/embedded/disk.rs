//! sled, opened: reads, and groups written so that they survive a power cut.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, Scope, Thread};
use std::time::Duration;

use super::faults::{Faults, Step};
use super::log_sync;
use crate::aside;
use crate::codec;
use crate::durable;
use crate::error::StoreError;
use crate::keys::{self, KEY_BYTES_MAX};
use crate::overlay::{Changed, Order, Read, Visit};
use crate::unrouted;
use crate::values::{self, VALUE_BYTES_MAX};

/// Pages of sled that are held in memory. Its own default is 1 GiB.
pub const CACHE_BYTES: u64 = 64 << 20;
/// Tries to lock the folder: whoever had it may be about to let go, be it sled's own threads after a store was dropped.
const LOCK_TRIES: u32 = 100;
const LOCK_RETRY: Duration = Duration::from_millis(10);
/// Between two looks whether sled has met an error.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// Looks, one each millisecond, whether the last reader of a tree that is closed has gone.
const READERS_LOOKS: u32 = 10_000;
/// The layout of the tree; a store with another is refused.
const FORMAT: u32 = 1;

pub(super) struct Tree(sled::Tree);

/// The folder, opened and locked. Only the commit thread has it.
pub(super) struct Disk {
    tree: Arc<Tree>,
    db: sled::Db,
    folder: PathBuf,
    faults: Faults,
}

impl Disk {
    pub(super) fn open(folder: &Path, faults: Faults) -> Result<Disk, StoreError> {
        durable::make_private(folder)?;
        faults.at(Step::Open)?;
        durable::remove_drafts(folder, LOCK_TRIES, LOCK_RETRY)?;
        if durable::is_distrusted(folder) {
            durable::settle(folder, LOCK_TRIES, LOCK_RETRY)?;
        }
        durable::sync_data(folder)?;
        let db = open_db(folder)?;
        let tree = Arc::new(Tree(db.open_tree("hookbox").map_err(|e| unavailable("its tree does not open", &e))?));
        let disk = Disk { db, tree, folder: folder.to_owned(), faults };
        disk.flush()?;
        durable::sync_folder(folder)?;
        durable::refuse_blobs(folder)?;
        disk.check_format()?;
        unrouted::mark_all(disk.tree(), |changed| disk.write(changed))?;
        aside::mark_all(disk.tree(), |changed| disk.write(changed))?;
        durable::trust(folder)?;
        Ok(disk)
    }

    /// As [`Disk::open`], after a failed write or sync, once the disk takes so many bytes. What the kernel has of the
    /// file may differ from what the disk has, and no sync tells: so all of it is written and synced once more before
    /// anybody relies on it.
    pub(super) fn open_after_failure(folder: &Path, faults: Faults, room: usize) -> Result<Disk, StoreError> {
        durable::find_room(folder, room)?;
        durable::distrust(folder)?;
        Disk::open(folder, faults)
    }

    pub(super) fn tree(&self) -> &dyn Read {
        &*self.tree
    }

    /// For readers.
    pub(super) fn share(&self) -> Arc<Tree> {
        self.tree.clone()
    }

    pub(super) fn folder(&self) -> (PathBuf, Faults) {
        (self.folder.clone(), self.faults.clone())
    }

    /// Returns once the group survives a power cut. After an error nobody knows what is in the tree and on the disk.
    pub(super) fn write(&self, changed: Changed) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changed {
            debug_assert!(key.len() <= KEY_BYTES_MAX && value.as_ref().is_none_or(|v| v.len() <= VALUE_BYTES_MAX));
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.faults.at(Step::Apply)?;
        self.tree.0.apply_batch(batch).map_err(|e| unavailable("a group was not applied", &e))?;
        self.faults.at(Step::Sync)?;
        self.flush()?;
        if !log_sync::is_ours() {
            return Err(StoreError::Unavailable(
                "sled syncs its log on its own, and a power cut would damage it".into(),
            ));
        }
        debug_assert!(durable::refuse_blobs(&self.folder).is_ok());
        self.faults.at(Step::Synced)
    }

    /// Returns once what was written to the tree is on disk: see [`log_sync`].
    fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map(drop).map_err(|e| unavailable("a flush failed", &e))
    }

    fn check_format(&self) -> Result<(), StoreError> {
        match values::get(self.tree(), keys::FORMAT)? {
            Some(row) => match codec::decode::<u32>(&row)? {
                FORMAT => Ok(()),
                other => Err(StoreError::Corrupt(format!("it has the format {other}, this release reads {FORMAT}"))),
            },
            None if !self.tree.0.is_empty() => {
                Err(StoreError::Corrupt("it has rows and does not say in which format".to_owned()))
            }
            None => {
                let row = [&[0], codec::encode(&FORMAT)?.as_slice()].concat();
                self.tree.0.insert(keys::FORMAT, row).map_err(|e| unavailable("the format was not written", &e))?;
                self.flush()
            }
        }
    }

    /// Wakes whoever waits in sled for a write that has failed: it does not always do so itself.
    fn wake(&self) {
        if self.db.context.global_error().is_err() {
            let _ = self.db.flush();
        }
    }

    /// Runs `work`, and sees to it meanwhile that nobody waits in sled for ever.
    pub(super) fn watched<T>(&self, work: impl FnOnce() -> T) -> Result<T, StoreError> {
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = self.watcher(scope, &ended)?;
            let _end = EndWatch { ended: &ended, watcher };
            Ok(work())
        })
    }

    fn watcher<'s>(&'s self, scope: &'s Scope<'s, '_>, ended: &'s AtomicBool) -> Result<Thread, StoreError> {
        let watch = move || {
            while !ended.load(Ordering::Acquire) {
                std::thread::park_timeout(WATCH_EVERY);
                self.wake();
            }
        };
        let watcher = Builder::new().name("watch".to_owned()).spawn_scoped(scope, watch);
        let watcher = watcher.map_err(|e| StoreError::Unavailable(format!("a thread does not start: {e}")))?;
        Ok(watcher.thread().clone())
    }

    /// Lets go of the folder once no reader is left. Nobody gets the tree any more.
    pub(super) fn close(self) {
        self.wake();
        for _ in 0..READERS_LOOKS {
            if Arc::strong_count(&self.tree) == 1 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // sled panics where its last sync fails; it lets go all the same, and what was not synced was not promised.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(self)));
    }
}

struct EndWatch<'a> {
    ended: &'a AtomicBool,
    watcher: Thread,
}

impl Drop for EndWatch<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}

fn open_db(folder: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let mut tries = 1;
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && tries < LOCK_TRIES => std::thread::sleep(LOCK_RETRY),
            opened => return opened.map_err(|e| unavailable(&format!("{} does not open", folder.display()), &e)),
        }
        tries += 1;
    }
}

fn unavailable(what: &str, cause: &sled::Error) -> StoreError {
    match cause {
        sled::Error::Corruption { .. } => StoreError::Corrupt(format!("{what}: {cause}")),
        _ if is_locked(cause) => StoreError::Unavailable(format!("{what}: {}", durable::LOCKED)),
        _ => StoreError::Unavailable(format!("{what}: {cause}")),
    }
}

/// sled has no kind for it.
fn is_locked(cause: &sled::Error) -> bool {
    matches!(cause, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

impl Read for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.0.get(key).map_err(|e| unavailable("a key does not read", &e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let mut rows = self.0.range(from..to);
        let mut next = || match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        };
        while let Some(row) = next() {
            let (key, value) = row.map_err(|e| unavailable("a row does not read", &e))?;
            if visit(&key, &value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}
