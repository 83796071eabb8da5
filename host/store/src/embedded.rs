//! The embedded store: sled with a seat belt.
//!
//! sled's `flush` asks for `sync_file_range`, which is no sync, and its blob
//! files are never synced. So: the folder, its parent and `conf` are synced
//! once after opening; every group is applied as one batch, flushed, and synced
//! by our own handle to `db`; and no value is large enough for a blob file, which
//! the start checks, and a debug build after every group.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::codec;
use crate::durable;
use crate::error::StoreError;
use crate::keys::{self, KEY_BYTES_MAX};
use crate::overlay::{Changed, Order, Read, Visit};
use crate::shared::{Backend, Change, Ledgered, State};
use crate::unrouted;
use crate::values::{self, VALUE_BYTES_MAX};

/// Pages of sled that are held in memory. Its own default is 1 GiB.
pub const CACHE_BYTES: u64 = 64 << 20;
/// Changes that wait for the commit thread; one more waits at the caller.
pub const QUEUE_MAX: usize = 4096;
/// Changes of one group: beyond it a longer sync gains nothing, and the first one waits for the last.
pub const GROUP_MAX: usize = 512;
/// Bytes of one group.
pub const GROUP_BYTES_MAX: usize = 4 << 20;
/// Tries to lock the folder: whoever had it may be about to let go, be it sled's own threads after a store was dropped.
const LOCK_TRIES: u32 = 100;
const LOCK_RETRY: Duration = Duration::from_millis(10);
/// The layout of the tree; a store with another is refused.
const FORMAT: u32 = 1;

pub type SledStore = Ledgered<Embedded>;

/// Dropped, it commits what is queued and lets go of the folder: the same process may open it again at once.
pub struct Embedded {
    tree: Arc<Tree>,
    state: Arc<State>,
    /// Nothing only while it is dropped.
    queue: Option<mpsc::Sender<Change>>,
    commits: Option<JoinHandle<()>>,
}

struct Tree(sled::Tree);

/// What the commit thread writes with.
struct Writer {
    db: sled::Db,
    tree: Arc<Tree>,
    data: durable::DataFile,
    folder: PathBuf,
}

impl SledStore {
    /// Opens the store in `folder` and makes it (0700) where it is missing. One process at a time.
    pub fn open(folder: &Path) -> Result<SledStore, StoreError> {
        durable::make_private(folder)?;
        let db = open_db(folder)?;
        let tree = Arc::new(Tree(db.open_tree("hookbox").map_err(|e| unavailable("its tree does not open", &e))?));
        let data = durable::DataFile::open(folder)?;
        flush(&db)?;
        data.sync()?;
        durable::sync_folder(folder)?;
        durable::refuse_blobs(folder)?;
        check_format(&db, &tree, &data)?;
        let writer = Writer { db, tree: tree.clone(), data, folder: folder.to_owned() };
        unrouted::mark_all(&*tree, |changed| writer.write(changed))?;
        let state = Arc::new(State::load(&*tree)?);
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        let of_thread = state.clone();
        let commits = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || commit_groups(&writer, &of_thread, changes))
            .map_err(|e| StoreError::Unavailable(format!("the commit thread does not start: {e}")))?;
        Ok(Ledgered::over(Arc::new(Embedded { tree, state, queue: Some(queue), commits: Some(commits) })))
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

impl Drop for Embedded {
    fn drop(&mut self) {
        // The thread commits what is queued, and ends.
        self.queue = None;
        if let Some(commits) = self.commits.take() {
            // If it panicked, it has said so, and nobody is left to be told.
            let _ = commits.join();
        }
    }
}

/// Ends when the store is dropped.
fn commit_groups(writer: &Writer, state: &State, mut changes: mpsc::Receiver<Change>) {
    let _end = FailOnPanic(state);
    while let Some(first) = changes.blocking_recv() {
        let (mut first, mut taken) = (Some(first), 0);
        let next = |bytes: usize| {
            if taken == GROUP_MAX || bytes >= GROUP_BYTES_MAX {
                return None;
            }
            taken += 1;
            first.take().or_else(|| changes.try_recv().ok())
        };
        state.run_group(&*writer.tree, next, |changed| writer.write(changed));
    }
}

/// A panic of the commit thread is the failure of the store.
struct FailOnPanic<'a>(&'a State);

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&StoreError::Unavailable("its commit thread panicked".to_owned()));
        }
    }
}

impl Writer {
    /// Returns once the group survives a power cut.
    fn write(&self, changed: Changed) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changed {
            debug_assert!(key.len() <= KEY_BYTES_MAX && value.as_ref().is_none_or(|v| v.len() <= VALUE_BYTES_MAX));
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.tree.0.apply_batch(batch).map_err(|e| unavailable("a group was not applied", &e))?;
        flush(&self.db)?;
        self.data.sync()?;
        debug_assert!(durable::refuse_blobs(&self.folder).is_ok());
        Ok(())
    }
}

fn flush(db: &sled::Db) -> Result<(), StoreError> {
    db.flush().map(|_| ()).map_err(|e| unavailable("a flush failed", &e))
}

fn check_format(db: &sled::Db, tree: &Tree, data: &durable::DataFile) -> Result<(), StoreError> {
    match values::get(tree, keys::FORMAT)? {
        Some(row) => match codec::decode::<u32>(&row)? {
            FORMAT => Ok(()),
            other => Err(StoreError::Corrupt(format!("it has the format {other}, this release reads {FORMAT}"))),
        },
        None if !tree.0.is_empty() => {
            Err(StoreError::Corrupt("it has rows and does not say in which format".to_owned()))
        }
        None => {
            let row = [&[0], codec::encode(&FORMAT)?.as_slice()].concat();
            tree.0.insert(keys::FORMAT, row).map_err(|e| unavailable("the format was not written", &e))?;
            flush(db)?;
            data.sync()
        }
    }
}

fn unavailable(what: &str, cause: &sled::Error) -> StoreError {
    if is_locked(cause) {
        let hint = "another hookbox uses it; stop that one first, or give this one a folder of its own";
        return StoreError::Unavailable(format!("{what}: {hint}"));
    }
    StoreError::Unavailable(format!("{what}: {cause}"))
}

/// sled has no kind for it.
fn is_locked(cause: &sled::Error) -> bool {
    matches!(cause, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

#[async_trait]
impl Backend for Embedded {
    fn tree(&self) -> &dyn Read {
        &*self.tree
    }

    fn state(&self) -> &State {
        &self.state
    }

    async fn submit(&self, change: Change) -> Result<(), StoreError> {
        let gone = || StoreError::Unavailable("its commit thread has ended".to_owned());
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(change).await.map_err(|_| gone())
    }
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
