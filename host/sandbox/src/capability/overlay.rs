//! The attempt's [`Transaction`] on its plugin's keys, with the store that it reads from.

use std::sync::Arc;

use hookbox_core::effects::{KvRead, KvScan, KvWrite};
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_core::transaction::{self, Need, Transaction, Unanswered};

use crate::bindings::hookbox::plugin::kv::{Error, Page};
use crate::plugin_kv::{KvUnavailable, PluginKv};

pub(crate) struct Overlay {
    store: Arc<dyn PluginKv>,
    plugin: PluginName,
    transaction: Transaction,
}

impl Overlay {
    pub(crate) fn new(store: Arc<dyn PluginKv>, plugin: PluginName, transaction: Transaction) -> Overlay {
        Overlay { store, plugin, transaction }
    }

    pub(crate) async fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.answered(|transaction| transaction.get(key)).await
    }

    /// Reads a key, to keep what it has seen.
    pub(crate) async fn look_at(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let seen = self.get(key).await?;
        self.answered(|transaction| transaction.keep(key.len() + seen.as_ref().map_or(0, Vec::len))).await?;
        Ok(seen)
    }

    pub(crate) async fn set(&mut self, key: &str, value: &[u8], ttl: Option<Millis>) -> Result<(), Error> {
        self.answered(|transaction| transaction.set(key, value, ttl)).await
    }

    pub(crate) async fn delete(&mut self, key: &str) -> Result<bool, Error> {
        self.answered(|transaction| transaction.delete(key)).await
    }

    pub(crate) async fn add(&mut self, key: &str, delta: i64) -> Result<(), Error> {
        self.answered(|transaction| transaction.add(key, delta)).await
    }

    pub(crate) async fn increment(&mut self, key: &str, delta: i64) -> Result<i64, Error> {
        self.answered(|transaction| transaction.increment(key, delta)).await
    }

    pub(crate) async fn compare_and_swap(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, Error> {
        self.answered(|transaction| transaction.compare_and_swap(key, expected, new)).await
    }

    pub(crate) async fn list(&mut self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let transaction::Page { keys, next } = self.answered(|transaction| transaction.list(prefix, cursor)).await?;
        Ok(Page { keys, next })
    }

    pub(crate) fn into_parts(self) -> (Vec<KvRead>, Vec<KvScan>, Vec<KvWrite>) {
        self.transaction.into_parts()
    }

    /// Reads whatever the call needs. It needs nothing twice.
    async fn answered<T>(
        &mut self,
        mut call: impl FnMut(&mut Transaction) -> Result<T, Unanswered>,
    ) -> Result<T, Error> {
        loop {
            match call(&mut self.transaction) {
                Ok(answer) => return Ok(answer),
                Err(Unanswered::Needs(need)) => self.read(need).await.map_err(|error| Error::Unavailable(error.0))?,
                Err(Unanswered::WrongType) => return Err(Error::WrongType),
                Err(Unanswered::LimitExceeded(message)) => return Err(Error::LimitExceeded(message)),
            }
        }
    }

    async fn read(&mut self, need: Need) -> Result<(), KvUnavailable> {
        match need {
            Need::Key(key) => {
                let entry = self.store.get(&self.plugin, &key).await?;
                self.transaction.saw(&key, entry);
            }
            Need::Page { prefix, after, limit } => {
                let keys = self.store.list(&self.plugin, &prefix, after.as_deref(), limit).await?;
                self.transaction.saw_page(KvScan { prefix, after, limit, keys });
            }
            Need::UsedBytes => self.transaction.saw_used(self.store.used_bytes(&self.plugin).await?),
        }
        Ok(())
    }
}
