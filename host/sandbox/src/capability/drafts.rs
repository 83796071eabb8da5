//! Drafts of WASI that lead to the same capabilities as the contract: the same transaction, quota, grants and log.
//!
//! What two drafts have in common is here, in terms of neither.

mod config;
mod keyvalue;
mod keyvalue2;
mod logging;

use std::future::ready;

use hookbox_core::host_call::CallKind::{KvRead, KvWrite};
use serde::{Deserialize, Serialize};
use wasmtime::component::{Resource, ResourceTable};

use super::{Capabilities, Overlay};
use crate::bindings::hookbox::plugin::kv;
use crate::guest::Guest;
use crate::seam::{Carried, HostCall};

/// Handles of buckets and swaps that an attempt holds at one time. A swap keeps the value that it has seen.
const HANDLES_MAX: usize = 256;
/// Keys of one batch.
const BATCH_KEYS_MAX: usize = 1000;

const OPEN: HostCall = HostCall { kind: KvRead, name: "keyvalue.open" };
const CLOSE: HostCall = HostCall { kind: KvRead, name: "keyvalue.close" };
const EXISTS: HostCall = HostCall { kind: KvRead, name: "keyvalue.exists" };
const GET_MANY: HostCall = HostCall { kind: KvRead, name: "keyvalue.get-many" };
const SET_MANY: HostCall = HostCall { kind: KvWrite, name: "keyvalue.set-many" };
const DELETE_MANY: HostCall = HostCall { kind: KvWrite, name: "keyvalue.delete-many" };

/// The number of a handle, as it passes the seam.
type Handle = u32;

/// A store that was opened: always the plugin's own.
#[expect(unreachable_pub, reason = "what is generated re-exports it")]
pub struct Bucket;

/// What was seen of a key that may be swapped.
#[expect(unreachable_pub, reason = "what is generated re-exports it")]
pub struct Cas {
    key: String,
    seen: Option<Vec<u8>>,
}

/// What an attempt holds of the drafts.
pub(crate) struct Handles {
    table: ResourceTable,
    /// Where pages of listings ended: a cursor of the first draft is a place in this, from 1 on. Listings are bounded by
    /// the transaction.
    cursors: Vec<String>,
}

/// What a call has in place of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Trouble {
    NoSuchStore,
    Other(String),
}

type Answer<T> = wasmtime::Result<Result<T, Trouble>>;

impl Default for Handles {
    fn default() -> Handles {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Handles { table, cursors: Vec::new() }
    }
}

impl Handles {
    fn open(&mut self, identifier: &str) -> Result<Handle, Trouble> {
        match identifier {
            "" | "default" => self.push(Bucket),
            _ => Err(Trouble::NoSuchStore),
        }
    }

    fn push<T: Send + 'static>(&mut self, held: T) -> Result<Handle, Trouble> {
        let full = |_| Trouble::Other(format!("more than {HANDLES_MAX} handles of buckets and swaps at one time"));
        self.table.push(held).map(|handle| handle.rep()).map_err(full)
    }

    fn get<T: 'static>(&self, handle: Handle) -> wasmtime::Result<&T> {
        Ok(self.table.get(&Resource::new_borrow(handle))?)
    }

    fn take<T: 'static>(&mut self, handle: Handle) -> wasmtime::Result<T> {
        Ok(self.table.delete(Resource::new_own(handle))?)
    }
}

impl Guest {
    async fn open_store(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        let opened =
            self.call(OPEN, identifier, |host, identifier| Box::pin(ready(Ok(host.handles.open(&identifier)))));
        Ok(opened.await?.map(Resource::new_own))
    }

    async fn close<T: Send + 'static>(&mut self, handle: Resource<T>) -> wasmtime::Result<()> {
        self.call(CLOSE, handle.rep(), |host, handle| Box::pin(ready(host.handles.take::<T>(handle).map(drop)))).await
    }

    async fn kv_get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(kv::Host::get(self, key).await?.map_err(Trouble::from))
    }

    async fn kv_set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(kv::Host::set(self, key, value, None).await?.map_err(Trouble::from))
    }

    async fn kv_delete(&mut self, key: String) -> Answer<()> {
        Ok(kv::Host::delete(self, key).await?.map(drop).map_err(Trouble::from))
    }

    async fn kv_exists(&mut self, key: String) -> Answer<bool> {
        self.call(EXISTS, key, |host, key| {
            Box::pin(async move { Ok(host.kv.get(&key).await.map(|value| value.is_some()).map_err(Trouble::from)) })
        })
        .await
    }

    /// In the order of the keys.
    async fn kv_get_many(&mut self, keys: Vec<String>) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
        self.call(GET_MANY, keys, |host, keys| {
            Box::pin(async move {
                let most = host.version.settings().limits.call_bytes;
                Ok(get_many(&mut host.kv, keys, most).await)
            })
        })
        .await
    }

    async fn kv_set_many(&mut self, pairs: Vec<(String, Vec<u8>)>) -> Answer<()> {
        self.call(SET_MANY, pairs, |host, pairs| Box::pin(async move { Ok(set_many(&mut host.kv, pairs).await) })).await
    }

    async fn kv_delete_many(&mut self, keys: Vec<String>) -> Answer<()> {
        self.call(DELETE_MANY, keys, |host, keys| Box::pin(async move { Ok(delete_many(&mut host.kv, keys).await) }))
            .await
    }
}

impl Capabilities {
    /// Reads a key and keeps what it has seen.
    async fn look_at(&mut self, key: String) -> Result<Handle, Trouble> {
        let seen = self.kv.look_at(&key).await?;
        self.handles.push(Cas { key, seen })
    }
}

/// It answers with no more than a guest may hand over.
async fn get_many(
    kv: &mut Overlay,
    keys: Vec<String>,
    bytes_max: usize,
) -> Result<Vec<(String, Option<Vec<u8>>)>, Trouble> {
    bounded(keys.len())?;
    let (mut pairs, mut bytes) = (Vec::with_capacity(keys.len()), 0);
    for key in keys {
        let value = kv.get(&key).await?;
        bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        if bytes > bytes_max {
            let told = format!("the values are more than {bytes_max} bytes together (limits.call): ask for fewer keys");
            return Err(Trouble::Other(told));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

async fn set_many(kv: &mut Overlay, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Trouble> {
    bounded(pairs.len())?;
    for (key, value) in pairs {
        kv.set(&key, &value, None).await?;
    }
    Ok(())
}

async fn delete_many(kv: &mut Overlay, keys: Vec<String>) -> Result<(), Trouble> {
    bounded(keys.len())?;
    for key in keys {
        kv.delete(&key).await?;
    }
    Ok(())
}

fn bounded(keys: usize) -> Result<(), Trouble> {
    if keys > BATCH_KEYS_MAX {
        return Err(Trouble::Other(format!("a batch has {keys} keys, at most {BATCH_KEYS_MAX}")));
    }
    Ok(())
}

impl From<kv::Error> for Trouble {
    fn from(error: kv::Error) -> Trouble {
        Trouble::Other(match error {
            kv::Error::LimitExceeded(message) => message,
            kv::Error::WrongType => "the value is no number".to_owned(),
            kv::Error::Unavailable(message) => format!("{message}; trying again may help"),
        })
    }
}

impl Carried for Trouble {
    fn bytes(&self) -> usize {
        match self {
            Trouble::NoSuchStore => 0,
            Trouble::Other(message) => message.len(),
        }
    }
}
