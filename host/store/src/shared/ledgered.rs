//! A store whose changes run on a ledger, one after the other, whatever keeps the tree.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::State;
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::overlay::Read;

/// One change, run on the ledger in its turn; it gives the answer that waits for the sync.
pub(crate) type Change = Box<dyn FnOnce(&mut Ledger<'_>) -> Answer + Send>;
/// Told how the sync went.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Keeps the tree and runs changes one after the other.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// The tree as it is open at this moment, for one query. `Unavailable` while it is not.
    fn tree(&self) -> Result<Arc<dyn Read>, StoreError>;

    fn state(&self) -> &State;

    /// Waits while the queue of changes is full.
    async fn submit(&self, change: Change) -> Result<(), StoreError>;
}

/// A store whose changes run on a ledger.
pub struct Ledgered<B> {
    pub(super) backend: Arc<B>,
}

impl<B> Ledgered<B> {
    pub(crate) fn over(backend: Arc<B>) -> Ledgered<B> {
        Ledgered { backend }
    }

    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }
}

#[expect(private_bounds, reason = "backends are this crate's own; the public types are MemoryStore and SledStore")]
impl<B: Backend> Ledgered<B> {
    /// What a query sees, whether it is on disk or not.
    pub(super) fn peek<T>(&self, query: impl FnOnce(&dyn Read) -> Result<T, StoreError>) -> Result<T, StoreError> {
        query(&*self.backend.tree()?)
    }

    /// What a query sees, once it is on disk.
    pub(super) async fn read<T: Send>(
        &self,
        query: impl FnOnce(&dyn Read) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let state = self.backend.state();
        let sight = state.sight();
        let seen = self.peek(query)?;
        state.settled(sight).await?;
        Ok(seen)
    }

    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Ledger<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.backend.state().available()?;
        let (answer, answered) = oneshot::channel();
        let change: Change = Box::new(move |ledger| {
            let result = ledger.run(change);
            Box::new(move |written| {
                // The caller may have gone; the change stands.
                let _ = answer.send(written.and(result));
            })
        });
        self.backend.submit(change).await?;
        answered.await.unwrap_or_else(|_| Err(self.backend.state().unavailable()))
    }
}
