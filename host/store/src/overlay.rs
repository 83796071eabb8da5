//! The tree with the changes of the open group laid over it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::error::StoreError;

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'v;

/// An ordered tree of keys and values. A scan is no snapshot: what changes meanwhile may be seen or not.
pub(crate) trait Read: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the keys from `from` to before `to` until the visitor breaks.
    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), StoreError>;
}

/// What a group changes: `None` deletes.
pub(crate) type Changed = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What the open group had for a key: nothing, or a change of it.
type Before = Option<Option<Vec<u8>>>;

pub(crate) struct Overlay<'a> {
    below: &'a dyn Read,
    changed: Changed,
    /// How to take back what was done since the last savepoint, latest last.
    undo: Vec<(Vec<u8>, Before)>,
    bytes: usize,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(below: &'a dyn Read) -> Overlay<'a> {
        Overlay { below, changed: Changed::new(), undo: Vec::new(), bytes: 0 }
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.change(key, Some(value));
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.change(key, None);
    }

    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.changed.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    /// What was done so far stays.
    pub(crate) fn savepoint(&mut self) {
        self.undo.clear();
    }

    /// Takes back everything since the last savepoint.
    pub(crate) fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => self.changed.insert(key, value),
                None => self.changed.remove(&key),
            };
        }
    }

    /// Roughly what the group will write.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn into_changed(self) -> Changed {
        self.changed
    }
}

impl Read for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changed.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.get(key),
        }
    }

    /// Merges both sides in memory: the ledger scans short ranges only.
    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let mut open: Vec<_> = self.changed.range(from.to_vec()..to.to_vec()).collect();
        if order == Order::Ascending {
            open.reverse();
        }
        let before = |a: &[u8], b: &[u8]| if order == Order::Ascending { a < b } else { a > b };
        let mut stopped = false;
        self.below.scan(from, to, order, &mut |key, value| {
            while let Some((own, _)) = open.last().filter(|(own, _)| before(own, key)) {
                let own = own.as_slice();
                let value = open.last().and_then(|(_, value)| value.as_ref());
                if let Some(value) = value
                    && visit(own, value)?.is_break()
                {
                    stopped = true;
                    return Ok(ControlFlow::Break(()));
                }
                open.pop();
            }
            if open.last().is_some_and(|(own, _)| own.as_slice() == key) {
                return Ok(ControlFlow::Continue(()));
            }
            let flow = visit(key, value)?;
            stopped = flow.is_break();
            Ok(flow)
        })?;
        while let Some((key, value)) = open.pop().filter(|_| !stopped) {
            if let Some(value) = value {
                stopped = visit(key, value)?.is_break();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Read for Map {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(self.0.get(key).cloned())
        }

        fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), StoreError> {
            let mut rows: Vec<_> = self.0.range(from.to_vec()..to.to_vec()).collect();
            if order == Order::Descending {
                rows.reverse();
            }
            for (key, value) in rows {
                if visit(key, value)?.is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    fn rows(tree: &dyn Read, order: Order, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        tree.scan(&[0], &[9], order, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(if rows.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        rows
    }

    proptest! {
        #[test]
        fn a_scan_shows_the_tree_as_it_will_be(
            below in prop::collection::btree_map(0u8..9, 0u8..3, 0..9),
            open in prop::collection::vec((0u8..9, prop::option::of(3u8..6)), 0..12),
            limit in 1usize..10,
        ) {
            let below = Map(below.into_iter().map(|(k, v)| (vec![k], vec![v])).collect());
            let mut overlay = Overlay::new(&below);
            let mut result = below.0.clone();
            for (key, value) in open {
                match value {
                    Some(value) => { overlay.put(vec![key], vec![value]); result.insert(vec![key], vec![value]); }
                    None => { overlay.delete(vec![key]); result.remove(&vec![key]); }
                }
            }
            let result = Map(result);
            for order in [Order::Ascending, Order::Descending] {
                prop_assert_eq!(rows(&overlay, order, limit), rows(&result, order, limit));
            }
            overlay.roll_back();
            prop_assert_eq!(rows(&overlay, Order::Ascending, 100), rows(&below, Order::Ascending, 100));
        }
    }
}
