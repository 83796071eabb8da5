//! Where plugins' keys are read from, and a place for them in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hookbox_core::effects::{Effects, KvEntry, KvWrite};
use hookbox_core::name::PluginName;
use hookbox_core::transaction::parse_number;

/// It could not be read; trying again may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kv store is unavailable: {0}")]
pub struct KvUnavailable(pub String);

/// Committed keys and values. The sandbox only reads: what a handler writes comes back as effects.
#[async_trait]
pub trait PluginKv: Send + Sync {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<KvEntry>, KvUnavailable>;

    /// Keys that begin with `prefix` and come after `after`, in byte order, at most `limit`.
    async fn list(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvUnavailable>;

    /// Bytes of all the plugin's keys and values.
    async fn used_bytes(&self, plugin: &PluginName) -> Result<u64, KvUnavailable>;
}

/// Adding to a value that is no number fails the run for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of key {key:?} is no number, or the sum is out of range")]
pub struct NotANumber {
    pub key: String,
}

/// Keys and values that last as long as the process: for trying a plugin out, and for tests. A time to live is not kept.
#[derive(Debug, Default)]
pub struct MemoryKv(Mutex<Shelves>);

#[derive(Debug, Default)]
struct Shelves {
    version: u64,
    plugins: BTreeMap<PluginName, BTreeMap<String, KvEntry>>,
}

impl MemoryKv {
    /// Takes over what an attempt wrote, all of it or nothing.
    pub fn apply(&self, plugin: &PluginName, effects: &Effects) -> Result<(), NotANumber> {
        let mut shelves = self.shelves();
        let mut keys = shelves.plugins.get(plugin).cloned().unwrap_or_default();
        for write in &effects.writes {
            shelves.version += 1;
            let version = shelves.version;
            match write {
                KvWrite::Set { key, value, .. } => {
                    keys.insert(key.clone(), KvEntry { value: value.clone(), version });
                }
                KvWrite::Delete { key } => {
                    keys.remove(key);
                }
                KvWrite::Add { key, delta } => {
                    let refuse = || NotANumber { key: key.clone() };
                    let number =
                        keys.get(key).map_or(Some(0), |entry| parse_number(&entry.value)).ok_or_else(refuse)?;
                    let value = number.checked_add(*delta).ok_or_else(refuse)?.to_string().into_bytes();
                    keys.insert(key.clone(), KvEntry { value, version });
                }
            }
        }
        shelves.plugins.insert(plugin.clone(), keys);
        Ok(())
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PluginKv for MemoryKv {
    async fn get(&self, plugin: &PluginName, key: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        Ok(self.shelves().plugins.get(plugin).and_then(|keys| keys.get(key)).cloned())
    }

    async fn list(
        &self,
        plugin: &PluginName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvUnavailable> {
        let shelves = self.shelves();
        let Some(keys) = shelves.plugins.get(plugin) else { return Ok(Vec::new()) };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let keys = keys.range::<str, _>((from, Bound::Unbounded)).map(|(key, _)| key);
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }

    async fn used_bytes(&self, plugin: &PluginName) -> Result<u64, KvUnavailable> {
        let shelves = self.shelves();
        let keys = shelves.plugins.get(plugin).into_iter().flatten();
        Ok(keys.map(|(key, entry)| (key.len() + entry.value.len()) as u64).sum())
    }
}
