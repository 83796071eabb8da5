//! What happened to plugins, for whoever watches: the last changes, in memory. What counts is in the store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::time::{Millis, Timestamp};

/// Changes that are kept.
pub const CHANGES_MAX: usize = 512;
/// Plugins whose swaps are counted.
const PLUGINS_MAX: usize = 500;

#[derive(Debug)]
pub struct Changes(Mutex<Recent>);

#[derive(Debug)]
struct Recent {
    last: u64,
    changes: VecDeque<Change>,
    /// How often a version began to serve, by plugin; at most [`PLUGINS_MAX`].
    swaps: BTreeMap<PluginName, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) plugin: PluginName,
    pub(crate) digest: Option<Digest>,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file that stands still, or an upload that is whole, and is not the version that serves.
    Found,
    Compiled {
        took: Millis,
        /// It was only loaded: it had been compiled before.
        cached: bool,
    },
    Active,
    Refused {
        code: String,
        reason: String,
    },
    /// The version before serves again.
    RolledBack {
        to: Digest,
        reason: String,
    },
    /// Its first attempts failed, and there is no version to go back to.
    Stays {
        reason: String,
    },
    /// Its file is.
    Gone,
}

/// Changes after a number.
#[derive(Debug)]
pub(crate) struct After {
    pub(crate) changes: Vec<Change>,
    pub(crate) last: u64,
    /// Some were dropped before they were asked for.
    pub(crate) missed: bool,
}

impl Changes {
    /// Numbers grow over restarts, too: they begin at the time in milliseconds.
    pub fn new(now: Timestamp) -> Changes {
        Changes(Mutex::new(Recent { last: now.0, changes: VecDeque::new(), swaps: BTreeMap::new() }))
    }

    pub fn tell(&self, at: Timestamp, plugin: &PluginName, digest: Option<Digest>, what: What) {
        let mut recent = self.recent();
        recent.last += 1;
        if what == What::Active && (recent.swaps.contains_key(plugin) || recent.swaps.len() < PLUGINS_MAX) {
            *recent.swaps.entry(plugin.clone()).or_default() += 1;
        }
        let change = Change { number: recent.last, at, plugin: plugin.clone(), digest, what };
        recent.changes.push_back(change);
        if recent.changes.len() > CHANGES_MAX {
            recent.changes.pop_front();
        }
    }

    /// Since the start: how often a version began to serve.
    pub(crate) fn swaps(&self) -> BTreeMap<PluginName, u64> {
        self.recent().swaps.clone()
    }

    /// Without a number: all that are kept.
    pub(crate) fn after(&self, number: Option<u64>) -> After {
        let recent = self.recent();
        let first = recent.last + 1 - recent.changes.len() as u64;
        let after = number.unwrap_or_default();
        let changes = recent.changes.iter().filter(|change| change.number > after).cloned().collect();
        After { changes, last: recent.last, missed: number.is_some_and(|number| number + 1 < first) }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(changes: &Changes, times: usize) {
        let plugin = PluginName::parse("welcome").unwrap();
        (0..times).for_each(|_| changes.tell(Timestamp(5), &plugin, None, What::Gone));
    }

    #[test]
    fn a_watcher_sees_each_change_once() {
        let changes = Changes::new(Timestamp(1000));
        let start = changes.after(None);
        assert_eq!((start.changes.len(), start.last, start.missed), (0, 1000, false));
        told(&changes, 2);
        let seen = changes.after(Some(start.last));
        assert_eq!((seen.changes.len(), seen.last, seen.missed), (2, 1002, false));
        let seen = changes.after(Some(seen.last));
        assert_eq!((seen.changes.len(), seen.missed), (0, false));
    }

    #[test]
    fn a_watcher_that_is_too_slow_is_told_so() {
        let changes = Changes::new(Timestamp(1000));
        told(&changes, CHANGES_MAX + 1);
        let seen = changes.after(Some(1000));
        assert_eq!((seen.changes.len(), seen.missed), (CHANGES_MAX, true));
        assert!(!changes.after(Some(1001)).missed);
    }

    #[test]
    fn versions_that_begin_to_serve_are_counted() {
        let (changes, plugin) = (Changes::new(Timestamp(0)), PluginName::parse("welcome").unwrap());
        for what in [What::Found, What::Active, What::Gone, What::Active] {
            changes.tell(Timestamp(5), &plugin, None, what);
        }
        assert_eq!(changes.swaps(), [(plugin, 2)].into());
    }

    #[test]
    fn a_watcher_from_before_a_restart_is_told_that_it_may_have_missed_some() {
        let changes = Changes::new(Timestamp(1000));
        assert!(changes.after(Some(900)).missed);
    }
}
