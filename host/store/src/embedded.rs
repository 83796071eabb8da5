//! The embedded store: sled with a seat belt.
//!
//! sled asks for `sync_file_range` after a write, which is no sync, and its blob
//! files are never synced. So: each write of its log is synced in its place, see
//! [`log_sync`]; the data file is synced before opening, and the folder, its parent
//! and `conf` once after; every group is applied as one batch and flushed; and no
//! value is large enough for a blob file, which the start checks, and a debug build
//! after every group.
//!
//! A store whose disk fails comes back by itself: see [`commits`].

mod commits;
mod disk;
mod faults;
mod log_sync;
mod migrate;
mod restore;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::error::StoreError;
use crate::overlay::Read;
use crate::shared::{Backend, Change, Ledgered, State};
use commits::Commits;
use disk::{Disk, Tree};
use faults::Faults;

pub use commits::{GROUP_BYTES_MAX, GROUP_MAX};
pub use disk::CACHE_BYTES;
pub(crate) use disk::FORMAT;
pub use migrate::{Migrated, Rewrite, migrate};
pub use restore::{Restored, restore};

/// Changes that wait for the commit thread; one more waits at the caller.
pub const QUEUE_MAX: usize = 4096;

pub type SledStore = Ledgered<Embedded>;

/// Dropped, it commits what is queued and lets go of the folder: the same process may open it again at once.
pub struct Embedded {
    tree: Arc<Slot>,
    state: Arc<State>,
    /// Nothing only while it is dropped.
    queue: Option<mpsc::Sender<Change>>,
    commits: Option<JoinHandle<()>>,
}

/// The tree that is open; none while the disk fails.
type Slot = ArcSwapOption<Tree>;

impl SledStore {
    /// Opens the store in `folder` and makes it (0700) where it is missing. One process at a time.
    pub fn open(folder: &Path) -> Result<SledStore, StoreError> {
        SledStore::open_with(folder, Faults::default())
    }

    fn open_with(folder: &Path, faults: Faults) -> Result<SledStore, StoreError> {
        let disk = Disk::open(folder, faults)?;
        let state = Arc::new(State::load(disk.tree())?);
        let tree = Arc::new(Slot::new(Some(disk.share())));
        let (queue, changes) = mpsc::channel(QUEUE_MAX);
        let commits = Commits { tree: tree.clone(), state: state.clone(), changes };
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || commits.run(disk))
            .map_err(|e| StoreError::Unavailable(format!("the commit thread does not start: {e}")))?;
        Ok(Ledgered::over(Arc::new(Embedded { tree, state, queue: Some(queue), commits: Some(thread) })))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // No reader is left. The thread commits what is queued, and ends.
        self.tree.store(None);
        self.queue = None;
        if let Some(commits) = self.commits.take() {
            // If it panicked, it has said so, and nobody is left to be told.
            let _ = commits.join();
        }
    }
}

#[async_trait]
impl Backend for Embedded {
    fn tree(&self) -> Result<Arc<dyn Read>, StoreError> {
        match self.tree.load_full() {
            Some(tree) => Ok(tree),
            None => Err(self.state.unavailable()),
        }
    }

    fn state(&self) -> &State {
        &self.state
    }

    async fn submit(&self, change: Change) -> Result<(), StoreError> {
        let gone = || StoreError::Unavailable("its commit thread has ended".to_owned());
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(change).await.map_err(|_| self.state.unavailable())
    }
}
