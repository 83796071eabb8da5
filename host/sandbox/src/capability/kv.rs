//! `hookbox:plugin/kv`: the calls; what they do is in [`overlay`](super::overlay).

use hookbox_core::time::Millis;

use crate::bindings::hookbox::plugin::kv::{Error, Host, Page};
use crate::guest::Guest;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for Guest {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.enter("kv.get")?.kv.get(&key).await)
    }

    async fn set(&mut self, key: String, value: Vec<u8>, ttl: Option<u64>) -> Answer<()> {
        Ok(self.enter("kv.set")?.kv.set(&key, &value, ttl.map(Millis)).await)
    }

    async fn delete(&mut self, key: String) -> Answer<bool> {
        Ok(self.enter("kv.delete")?.kv.delete(&key).await)
    }

    async fn add(&mut self, key: String, delta: i64) -> Answer<()> {
        Ok(self.enter("kv.add")?.kv.add(&key, delta).await)
    }

    async fn increment(&mut self, key: String, delta: i64) -> Answer<i64> {
        Ok(self.enter("kv.increment")?.kv.increment(&key, delta).await)
    }

    async fn compare_and_swap(&mut self, key: String, expected: Option<Vec<u8>>, new: Option<Vec<u8>>) -> Answer<bool> {
        Ok(self.enter("kv.compare-and-swap")?.kv.compare_and_swap(&key, expected.as_deref(), new.as_deref()).await)
    }

    async fn list(&mut self, prefix: String, cursor: Option<String>) -> Answer<Page> {
        Ok(self.enter("kv.list")?.kv.list(&prefix, cursor.as_deref()).await)
    }
}
