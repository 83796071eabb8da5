//! Whether more runs may wait.

use std::collections::HashMap;

use hookbox_core::name::HandlerRef;
use hookbox_core::queue::Room;

use super::Ledger;
use crate::index::Delta;

impl Ledger<'_> {
    /// Whether the runs that were put on the queue after the first `before` changes of this group are several, and found
    /// it full, or the share of one of their handlers taken.
    pub(super) fn overfill(&self, room: Room, before: usize) -> bool {
        let made = self.deltas.iter().skip(before).filter(|delta| delta.adds() > 0);
        let targets: Vec<&HandlerRef> = made.map(Delta::target).collect();
        // One takes the place of the run that made it.
        targets.len() > 1 && self.is_full(room, before, &targets)
    }

    /// Whether there is no room for a run of one of these handlers after the first `before` changes of this group.
    pub(super) fn is_full(&self, room: Room, before: usize, targets: &[&HandlerRef]) -> bool {
        let most = self.index.pending_count() + before as u64;
        if most < room.share() {
            return false;
        }
        let (mut added, mut added_of) = (0, HashMap::<&HandlerRef, i64>::new());
        for delta in self.deltas.iter().take(before) {
            added += delta.adds();
            *added_of.entry(delta.target()).or_default() += delta.adds();
        }
        let of = |target| {
            let added = added_of.get(target).copied().unwrap_or_default();
            self.index.pending_of(target).saturating_add_signed(added)
        };
        self.index.pending_count().saturating_add_signed(added) >= room.0
            || targets.iter().any(|target| of(target) >= room.share())
    }
}
