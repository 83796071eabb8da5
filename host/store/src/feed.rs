//! Which runs have changed, for whoever watches: the latest changes, in memory. What counts is in the tree.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookbox_core::id::RunId;
use tokio::sync::watch;

/// Changes that are kept: some seconds of a busy host.
pub const CHANGES_MAX: usize = 8192;

/// Tells runs whose change is on disk. Numbers begin anew with each start.
pub struct Feed {
    recent: Mutex<Recent>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Recent {
    /// Number of the last one.
    last: u64,
    runs: VecDeque<RunId>,
}

/// What a watcher has not seen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// Each once, in the order of its latest change.
    pub runs: Vec<RunId>,
    /// Where the next look begins.
    pub last: u64,
    /// Some were dropped before they were asked for.
    pub missed: bool,
}

impl Default for Feed {
    fn default() -> Feed {
        Feed { recent: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("last", &*self.last.borrow()).finish_non_exhaustive()
    }
}

impl Feed {
    pub(crate) fn tell(&self, runs: impl IntoIterator<Item = RunId>) {
        let last = {
            let mut recent = self.recent();
            for run in runs {
                recent.last += 1;
                recent.runs.push_back(run);
            }
            let surplus = recent.runs.len().saturating_sub(CHANGES_MAX);
            recent.runs.drain(..surplus);
            recent.last
        };
        self.last.send_if_modified(|told| std::mem::replace(told, last) != last);
    }

    /// The number of the last change.
    pub fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// What came after `number`. One that was never given has missed something.
    pub fn since(&self, number: u64) -> Since {
        let recent = self.recent();
        let first = recent.last - recent.runs.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut runs: Vec<RunId> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        // The latest change of a run is the one that counts.
        for run in recent.runs.iter().skip(skip).rev() {
            if seen.insert(*run) {
                runs.push(*run);
            }
        }
        runs.reverse();
        Since { runs, last: recent.last, missed: number < first || number > recent.last }
    }

    /// Returns once there is something after `number`.
    pub async fn beyond(&self, number: u64) {
        // The sender is this feed's own: it is not gone.
        let _ = self.last.subscribe().wait_for(|last| *last > number).await;
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hookbox_core::time::Timestamp;

    use super::*;

    fn run(number: u128) -> RunId {
        RunId::new(Timestamp(1), number)
    }

    #[test]
    fn a_watcher_sees_each_run_once_at_its_latest_change() {
        let feed = Feed::default();
        feed.tell([run(1), run(2), run(1)]);
        assert_eq!(feed.since(0), Since { runs: vec![run(2), run(1)], last: 3, missed: false });
        assert_eq!(feed.since(3), Since { runs: vec![], last: 3, missed: false });
        feed.tell([run(3)]);
        assert_eq!(feed.since(3).runs, [run(3)]);
    }

    #[test]
    fn a_watcher_that_is_too_slow_or_of_another_start_is_told_so() {
        let feed = Feed::default();
        feed.tell((0..CHANGES_MAX as u128 + 5).map(run));
        assert!(feed.since(4).missed && !feed.since(5).missed);
        assert_eq!(feed.since(5).runs.len(), CHANGES_MAX);
        assert!(feed.since(1_000_000).missed);
    }
}
