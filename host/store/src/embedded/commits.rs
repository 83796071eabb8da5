//! The commit thread: it writes groups, and opens the folder anew where one fails.
//!
//! After a failed write nobody knows what sled holds in memory and what the disk
//! has. Of the failed group all may be there or nothing: none of it was
//! acknowledged. What was acknowledged had been synced before, so it is there. The
//! thread therefore drops sled, waits until the disk takes a group's worth of
//! bytes, opens the folder with all checks of a start, and goes on. Until then every
//! change, and every read that needs the tree, is `Unavailable`.
//!
//! What it does not trust is the kernel's cache: after a failed sync Linux counts
//! the pages as clean and the next sync succeeds, though the disk may have none of
//! it. A reader of the file, sled among them, would build on bytes that a power cut
//! takes away, and with them all that sled writes behind them. So the whole data file
//! is written and synced again before it is opened; a file in the folder that is
//! removed at the failure tells the next process to do so where this one ends before.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::Slot;
use super::disk::Disk;
use crate::durable;
use crate::error::StoreError;
use crate::shared::{Change, Grouped, State};

/// Changes of one group: beyond it a longer sync gains nothing, and the first one waits for the last.
pub const GROUP_MAX: usize = 512;
/// Bytes of one group.
pub const GROUP_BYTES_MAX: usize = 4 << 20;
/// Before the folder is opened anew; doubled with each failure until a group is on disk again.
const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(5);
/// While it waits, changes are refused so often.
const REFUSE_EVERY: Duration = Duration::from_millis(10);

pub(super) struct Commits {
    pub(super) tree: Arc<Slot>,
    pub(super) state: Arc<State>,
    pub(super) changes: mpsc::Receiver<Change>,
}

/// How the work on an open folder came to its end.
enum End {
    /// The store is dropped.
    Closed,
    Failed,
}

impl Commits {
    /// Ends when the store is dropped, or cannot be opened again.
    pub(super) fn run(mut self, mut disk: Disk) {
        let state = self.state.clone();
        let _end = GiveUpOnPanic(&state);
        let mut wait = WAIT_FIRST;
        loop {
            let served = disk.watched(|| self.serve(&disk, &mut wait));
            match served {
                Ok(End::Closed) => return disk.close(),
                Ok(End::Failed) => {}
                Err(error) => state.fail(&error),
            }
            let (folder, faults) = disk.folder();
            // For whoever opens it should this process end before it does; without it, that is tried again below.
            let _ = durable::distrust(&folder);
            self.tree.store(None);
            disk.close();
            let opened = self.reopen(&mut wait, || {
                let disk = Disk::open_after_failure(&folder, faults.clone(), GROUP_BYTES_MAX)?;
                disk.watched(|| state.reload(disk.tree(), |changed| disk.write(changed)))??;
                Ok(disk)
            });
            match opened {
                Some(opened) => disk = opened,
                None => return,
            }
            self.tree.store(Some(disk.share()));
            state.recovered();
        }
    }

    fn serve(&mut self, disk: &Disk, wait: &mut Duration) -> End {
        while let Some(first) = self.changes.blocking_recv() {
            let mut first = Some(first);
            let (taken, took_us) = (Cell::new(0), Cell::new(0));
            let next = |bytes: usize| {
                if taken.get() == GROUP_MAX || bytes >= GROUP_BYTES_MAX {
                    return None;
                }
                let change = first.take().or_else(|| self.changes.try_recv().ok())?;
                taken.set(taken.get() + 1);
                Some(change)
            };
            // sled panics where it finds itself in a state that it does not know.
            let write = |changed| {
                let began = instant();
                let written = catch_unwind(AssertUnwindSafe(|| disk.write(changed)));
                took_us.set(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
                written.unwrap_or_else(|_| Err(StoreError::Unavailable("the write of a group panicked".to_owned())))
            };
            let group = || self.state.run_group(disk.tree(), next, write);
            match catch_unwind(AssertUnwindSafe(group)) {
                Ok(Grouped::Unchanged) => {}
                Ok(Grouped::Written) => {
                    *wait = WAIT_FIRST;
                    self.state.commits.written(took_us.get(), taken.get());
                }
                Ok(Grouped::Failed) => return End::Failed,
                Err(_) => {
                    self.state.fail(&StoreError::Unavailable("a group of changes panicked".to_owned()));
                    return End::Failed;
                }
            }
        }
        End::Closed
    }

    /// Tries until the folder is open. Nothing where the store is dropped meanwhile, or is damaged.
    fn reopen(&mut self, wait: &mut Duration, open: impl Fn() -> Result<Disk, StoreError>) -> Option<Disk> {
        loop {
            self.refuse_for(*wait)?;
            *wait = (*wait * 2).min(WAIT_MAX);
            let opened = catch_unwind(AssertUnwindSafe(&open));
            match opened.unwrap_or_else(|_| Err(StoreError::Unavailable("its opening panicked".to_owned()))) {
                Ok(disk) => return Some(disk),
                Err(error @ StoreError::Unavailable(_)) => self.state.still_failing(&error),
                Err(error) => {
                    self.state.give_up(&error);
                    return None;
                }
            }
        }
    }

    /// Nothing where the store is dropped.
    fn refuse_for(&mut self, wait: Duration) -> Option<()> {
        for _ in 0..wait.as_millis().div_ceil(REFUSE_EVERY.as_millis()) {
            loop {
                match self.changes.try_recv() {
                    // It needs a ledger to give its answer; dropped, it tells the caller that there is none.
                    Ok(change) => drop(change),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return None,
                }
            }
            std::thread::sleep(REFUSE_EVERY);
        }
        Some(())
    }
}

/// When a write begins, to tell how long it took: nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "the commit thread has no clock, and measures itself only")]
fn instant() -> Instant {
    Instant::now()
}

/// A panic that nobody caught is the end of the store.
struct GiveUpOnPanic<'a>(&'a State);

impl Drop for GiveUpOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up(&StoreError::Unavailable("its commit thread panicked".to_owned()));
        }
    }
}
