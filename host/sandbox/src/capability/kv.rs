//! `hookbox:plugin/kv`: the calls; what they do is in [`overlay`](super::overlay).

use hookbox_core::host_call::CallKind::{KvRead, KvWrite};
use hookbox_core::time::Millis;

use crate::bindings::hookbox::plugin::kv::{Error, Host, Page};
use crate::guest::Guest;
use crate::seam::HostCall;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

const GET: HostCall = HostCall { kind: KvRead, name: "kv.get" };
const SET: HostCall = HostCall { kind: KvWrite, name: "kv.set" };
const DELETE: HostCall = HostCall { kind: KvWrite, name: "kv.delete" };
const ADD: HostCall = HostCall { kind: KvWrite, name: "kv.add" };
const INCREMENT: HostCall = HostCall { kind: KvWrite, name: "kv.increment" };
const COMPARE_AND_SWAP: HostCall = HostCall { kind: KvWrite, name: "kv.compare-and-swap" };
const LIST: HostCall = HostCall { kind: KvRead, name: "kv.list" };

impl Host for Guest {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.call(GET, key, |host, key| Box::pin(async move { Ok(host.kv.get(&key).await) })).await
    }

    async fn set(&mut self, key: String, value: Vec<u8>, ttl: Option<u64>) -> Answer<()> {
        self.call(SET, (key, value, ttl), |host, (key, value, ttl)| {
            Box::pin(async move { Ok(host.kv.set(&key, &value, ttl.map(Millis)).await) })
        })
        .await
    }

    async fn delete(&mut self, key: String) -> Answer<bool> {
        self.call(DELETE, key, |host, key| Box::pin(async move { Ok(host.kv.delete(&key).await) })).await
    }

    async fn add(&mut self, key: String, delta: i64) -> Answer<()> {
        self.call(ADD, (key, delta), |host, (key, delta)| Box::pin(async move { Ok(host.kv.add(&key, delta).await) }))
            .await
    }

    async fn increment(&mut self, key: String, delta: i64) -> Answer<i64> {
        self.call(INCREMENT, (key, delta), |host, (key, delta)| {
            Box::pin(async move { Ok(host.kv.increment(&key, delta).await) })
        })
        .await
    }

    async fn compare_and_swap(&mut self, key: String, expected: Option<Vec<u8>>, new: Option<Vec<u8>>) -> Answer<bool> {
        self.call(COMPARE_AND_SWAP, (key, expected, new), |host, (key, expected, new)| {
            Box::pin(async move { Ok(host.kv.compare_and_swap(&key, expected.as_deref(), new.as_deref()).await) })
        })
        .await
    }

    async fn list(&mut self, prefix: String, cursor: Option<String>) -> Answer<Page> {
        self.call(LIST, (prefix, cursor), |host, (prefix, cursor)| {
            Box::pin(async move { Ok(host.kv.list(&prefix, cursor.as_deref()).await) })
        })
        .await
    }
}
