//! `wasi:keyvalue@0.2.0-draft`.

use hookbox_core::host_call::CallKind::{KvRead, KvWrite};
use wasmtime::component::Resource;

use super::{Bucket, Trouble};
use crate::bindings::keyvalue::wasi::keyvalue::store::{self, Error, KeyResponse};
use crate::bindings::keyvalue::wasi::keyvalue::{atomics, batch};
use crate::capability::{Capabilities, Overlay};
use crate::guest::Guest;
use crate::seam::HostCall;

const LIST: HostCall = HostCall { kind: KvRead, name: "keyvalue.list-keys" };
const INCREMENT: HostCall = HostCall { kind: KvWrite, name: "keyvalue.increment" };

type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// Keys, and the cursor of the next page.
type Page = (Vec<String>, Option<u64>);

impl store::Host for Guest {
    async fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        Ok(self.open_store(identifier).await?.map_err(Error::from))
    }
}

impl store::HostBucket for Guest {
    async fn get(&mut self, _: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.kv_get(key).await?.map_err(Error::from))
    }

    async fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(self.kv_set(key, value).await?.map_err(Error::from))
    }

    async fn delete(&mut self, _: Resource<Bucket>, key: String) -> Answer<()> {
        Ok(self.kv_delete(key).await?.map_err(Error::from))
    }

    async fn exists(&mut self, _: Resource<Bucket>, key: String) -> Answer<bool> {
        Ok(self.kv_exists(key).await?.map_err(Error::from))
    }

    async fn list_keys(&mut self, _: Resource<Bucket>, cursor: Option<u64>) -> Answer<KeyResponse> {
        let listed =
            self.call(LIST, cursor, |host, cursor| Box::pin(async move { Ok(host.page(cursor).await) })).await?;
        Ok(listed.map(|(keys, cursor)| KeyResponse { keys, cursor }).map_err(Error::from))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.close(bucket).await
    }
}

impl atomics::Host for Guest {
    async fn increment(&mut self, _: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        let sum = self.call(INCREMENT, (key, delta), |host, (key, delta)| {
            Box::pin(async move { Ok(increment(&mut host.kv, &key, delta).await) })
        });
        Ok(sum.await?.map_err(Error::from))
    }
}

impl batch::Host for Guest {
    async fn get_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        let pairs = self.kv_get_many(keys).await?.map_err(Error::from);
        Ok(pairs.map(|pairs| pairs.into_iter().map(|(key, value)| value.map(|value| (key, value))).collect()))
    }

    async fn set_many(&mut self, _: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Answer<()> {
        Ok(self.kv_set_many(pairs).await?.map_err(Error::from))
    }

    async fn delete_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Answer<()> {
        Ok(self.kv_delete_many(keys).await?.map_err(Error::from))
    }
}

impl Capabilities {
    async fn page(&mut self, cursor: Option<u64>) -> Result<Page, Trouble> {
        let unknown = || Trouble::Other("the cursor is none that this attempt was given".to_owned());
        let known = |place: u64| usize::try_from(place - 1).ok().and_then(|at| self.handles.cursors.get(at));
        let after = match cursor {
            // Other hosts count keys, and their guests begin with none of them.
            None | Some(0) => None,
            Some(place) => Some(known(place).ok_or_else(unknown)?.as_str()),
        };
        let page = self.kv.list("", after).await?;
        let next = page.next.map(|next| {
            self.handles.cursors.push(next);
            self.handles.cursors.len() as u64
        });
        Ok((page.keys, next))
    }
}

/// This draft knows no numbers below zero; our own have 63 bits.
async fn increment(kv: &mut Overlay, key: &str, delta: u64) -> Result<u64, Trouble> {
    let delta = i64::try_from(delta).map_err(|_| Trouble::Other(format!("{delta} is more than {}", i64::MAX)))?;
    let sum = kv.increment(key, delta).await?;
    match u64::try_from(sum) {
        Ok(sum) => Ok(sum),
        Err(_) => {
            kv.increment(key, -delta).await?;
            Err(Trouble::Other(format!("the value of {key:?} is below zero")))
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Error {
        match trouble {
            Trouble::NoSuchStore => Error::NoSuchStore,
            Trouble::Other(message) => Error::Other(message),
        }
    }
}
