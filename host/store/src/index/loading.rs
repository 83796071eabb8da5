//! Making the index from a tree.

use std::collections::BTreeSet;

use hookbox_core::clock::Monotonic;
use hookbox_core::id::RunId;
use hookbox_core::name::{HandlerName, HandlerRef, PluginName};
use hookbox_core::run::{Run, RunState, WorkKind};
use hookbox_core::time::Timestamp;

use super::{Delta, Due, Index};

/// A run that waits for its time only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) handler: &'a str,
    pub(crate) kind: WorkKind,
    pub(crate) due: Timestamp,
}

/// An index that is given each run once. What waits for its time only is sorted in the end: so the queues are as small
/// as they can be.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    index: Index,
    /// By the number of the queue.
    open: Vec<Vec<Due>>,
    /// The queue of the last run: the next one is often of the same handler.
    last: usize,
}

impl Loading {
    pub(crate) fn put(&mut self, run: &Run) {
        match run.state {
            RunState::Pending { due } if run.gate.is_none() && run.expires.is_none() => {
                let queue = self.index.queue(&run.target, run.work.kind());
                self.put_open(queue, due, run.id);
            }
            _ => _ = self.index.apply(Delta::of(run, None, Monotonic(0))),
        }
    }

    /// A run that waits for its time only. False where these are no names.
    pub(crate) fn put_waiting(&mut self, run: RunId, waiting: Waiting<'_>) -> bool {
        let Waiting { plugin, handler, kind, due } = waiting;
        let is_same = |target: &HandlerRef| target.plugin.as_str() == plugin && target.handler.as_str() == handler;
        let queue = match self.index.queues.get(self.last) {
            Some(queue) if queue.kind == kind && is_same(&queue.target) => self.last,
            _ => {
                let (Ok(plugin), Ok(handler)) = (PluginName::parse(plugin), HandlerName::parse(handler)) else {
                    return false;
                };
                self.index.queue(&HandlerRef { plugin, handler }, kind)
            }
        };
        self.put_open(queue, due, run);
        true
    }

    fn put_open(&mut self, queue: usize, due: Timestamp, run: RunId) {
        if self.open.len() <= queue {
            self.open.resize_with(queue + 1, Vec::new);
        }
        self.open[queue].push(Due::new(due, run));
        self.last = queue;
    }

    pub(crate) fn done(mut self) -> Index {
        for (queue, open) in self.index.queues.iter_mut().zip(self.open) {
            self.index.pending += open.len();
            queue.pending += open.len();
            // Those of gates are there already.
            let of_gates = std::mem::take(&mut queue.open);
            queue.open = match of_gates.is_empty() {
                true => BTreeSet::from_iter(open),
                false => open.into_iter().chain(of_gates).collect(),
            };
        }
        self.index
    }
}
