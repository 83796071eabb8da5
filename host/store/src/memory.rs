//! A store in memory: the same ledger, nothing durable. For tests of what is above.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;

use crate::error::StoreError;
use crate::overlay::{Changed, Order, Read, Visit};
use crate::shared::{Backend, Change, Grouped, Ledgered, State, locked};

pub type MemoryStore = Ledgered<Memory>;

pub struct Memory {
    tree: Arc<Tree>,
    state: State,
    /// Changes that wait to be committed together, where they do.
    gathered: Mutex<Option<Vec<Change>>>,
}

#[derive(Debug, Default)]
struct Tree(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl MemoryStore {
    pub fn new() -> Result<MemoryStore, StoreError> {
        MemoryStore::on(Tree::default())
    }

    /// What is left after a crash: a store with the same rows, opened anew.
    pub fn reopened(&self) -> Result<MemoryStore, StoreError> {
        let rows = self.backend().tree.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        MemoryStore::on(Tree(RwLock::new(rows)))
    }

    /// From here on changes wait, until they are committed or lost together.
    pub fn gather(&self) {
        locked(&self.backend().gathered).get_or_insert_default();
    }

    /// Commits in one group what was gathered.
    pub fn commit_gathered(&self) {
        let memory = self.backend();
        let changes = locked(&memory.gathered).take().unwrap_or_default();
        memory.state.run_group(&*memory.tree, one_by_one(changes), |changed| memory.tree.write(changed));
    }

    /// What was gathered fails as a whole, as on a disk that is full, and the store is opened anew.
    pub fn lose_gathered(&self) -> Result<(), StoreError> {
        let memory = self.backend();
        let changes = locked(&memory.gathered).take().unwrap_or_default();
        let full = |_| Err(StoreError::Unavailable("the disk is full".to_owned()));
        if memory.state.run_group(&*memory.tree, one_by_one(changes), full) == Grouped::Failed {
            memory.state.reload(&*memory.tree, |changed| memory.tree.write(changed))?;
            memory.state.recovered();
        }
        Ok(())
    }

    fn on(tree: Tree) -> Result<MemoryStore, StoreError> {
        let tree = Arc::new(tree);
        let state = State::load(&*tree)?;
        Ok(Ledgered::over(Arc::new(Memory { tree, state, gathered: Mutex::default() })))
    }
}

#[async_trait]
impl Backend for Memory {
    fn tree(&self) -> Result<Arc<dyn Read>, StoreError> {
        Ok(self.tree.clone())
    }

    fn state(&self) -> &State {
        &self.state
    }

    async fn submit(&self, change: Change) -> Result<(), StoreError> {
        let mut gathered = locked(&self.gathered);
        match &mut *gathered {
            Some(gathered) => gathered.push(change),
            // Held meanwhile, so that one comes after the other.
            None => {
                self.state.run_group(&*self.tree, one_by_one(vec![change]), |changed| self.tree.write(changed));
            }
        }
        Ok(())
    }
}

fn one_by_one(changes: Vec<Change>) -> impl FnMut(usize) -> Option<Change> {
    let mut changes = changes.into_iter();
    move |_| changes.next()
}

impl Tree {
    fn write(&self, changed: Changed) -> Result<(), StoreError> {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changed {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }
}

impl Read for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    /// Reads a few rows at a time and lets go of the lock between, as a scan of sled does.
    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        const STEP: usize = 64;
        let (mut from, mut to) = (from.to_vec(), to.to_vec());
        while from < to {
            let step: Vec<_> = {
                let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
                let range = rows.range(from.clone()..to.clone());
                match order {
                    Order::Ascending => range.take(STEP).map(|(k, v)| (k.clone(), v.clone())).collect(),
                    Order::Descending => range.rev().take(STEP).map(|(k, v)| (k.clone(), v.clone())).collect(),
                }
            };
            let Some((last, _)) = step.last().cloned() else { return Ok(()) };
            for (key, value) in step {
                if visit(&key, &value)?.is_break() {
                    return Ok(());
                }
            }
            match order {
                Order::Ascending => from = [last.as_slice(), &[0]].concat(),
                Order::Descending => to = last,
            }
        }
        Ok(())
    }
}
