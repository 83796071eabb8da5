//! What waits for one handler, by the kind of work.

use std::collections::btree_set;
use std::iter::Peekable;

use hookbox_core::run::WorkKind;

use super::Due;
use crate::types::Claimable;

/// The queues of one handler: its versions may take one or the other, and what waits for the one is not looked at
/// while it takes the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lanes {
    events: Option<usize>,
    jobs: Option<usize>,
}

impl Lanes {
    pub(super) fn of(self, kind: WorkKind) -> Option<usize> {
        match kind {
            WorkKind::Event => self.events,
            WorkKind::Job => self.jobs,
        }
    }

    pub(super) fn put(&mut self, kind: WorkKind, queue: usize) {
        match kind {
            WorkKind::Event => self.events = Some(queue),
            WorkKind::Job => self.jobs = Some(queue),
        }
    }

    pub(super) fn all(self) -> impl Iterator<Item = usize> {
        [self.events, self.jobs].into_iter().flatten()
    }

    pub(super) fn taken_by(self, claimable: &Claimable) -> impl Iterator<Item = usize> + use<> {
        match claimable.takes {
            None => [self.events, self.jobs],
            Some(kind) => [self.of(kind), None],
        }
        .into_iter()
        .flatten()
    }
}

/// Those of all queues, as they are due.
pub(super) fn oldest_first<'q>(mut queues: Vec<Peekable<btree_set::Iter<'q, Due>>>) -> impl Iterator<Item = &'q Due> {
    std::iter::from_fn(move || {
        let firsts = queues.iter_mut().enumerate().filter_map(|(at, queue)| Some((at, **queue.peek()?)));
        let (at, _) = firsts.min_by_key(|(_, due)| *due)?;
        queues[at].next()
    })
}

/// A handler while runs are handed out.
pub(super) struct Turn<'c> {
    pub(super) claimable: &'c Claimable,
    pub(super) lanes: Lanes,
    pub(super) left: usize,
}
