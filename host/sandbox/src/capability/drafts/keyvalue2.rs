//! `wasi:keyvalue@0.2.0-draft2`.

use std::future::ready;

use hookbox_core::host_call::CallKind::{KvRead, KvWrite};
use serde::{Deserialize, Serialize};
use wasmtime::component::Resource;

use super::{Bucket, Cas, Handle, Trouble};
use crate::bindings::hookbox::plugin::kv;
use crate::bindings::keyvalue2::wasi::keyvalue::atomics::{self, CasError};
use crate::bindings::keyvalue2::wasi::keyvalue::batch;
use crate::bindings::keyvalue2::wasi::keyvalue::store::{self, Error, KeyResponse};
use crate::capability::Capabilities;
use crate::guest::Guest;
use crate::seam::{Carried, HostCall};

const SWAP_NEW: HostCall = HostCall { kind: KvRead, name: "keyvalue.cas" };
const SWAP_CURRENT: HostCall = HostCall { kind: KvRead, name: "keyvalue.cas.current" };
const SWAP: HostCall = HostCall { kind: KvWrite, name: "keyvalue.swap" };

type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// Why nothing was swapped.
#[derive(Serialize, Deserialize)]
enum NotSwapped {
    /// Another value is there than the one that was seen.
    Seen(Handle),
    Trouble(Trouble),
}

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

    async fn list_keys(&mut self, _: Resource<Bucket>, cursor: Option<String>) -> Answer<KeyResponse> {
        let listed = kv::Host::list(self, String::new(), cursor).await?.map_err(Trouble::from);
        Ok(listed.map(|kv::Page { keys, next }| KeyResponse { keys, cursor: next }).map_err(Error::from))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.close(bucket).await
    }
}

impl atomics::Host for Guest {
    async fn increment(&mut self, _: Resource<Bucket>, key: String, delta: i64) -> Answer<i64> {
        Ok(kv::Host::increment(self, key, delta).await?.map_err(|error| Trouble::from(error).into()))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let swapped = self.call(SWAP, (cas.rep(), value), |host, (cas, value)| Box::pin(host.swap(cas, value))).await?;
        Ok(swapped.map_err(|why| match why {
            NotSwapped::Seen(cas) => CasError::CasFailed(Resource::new_own(cas)),
            NotSwapped::Trouble(trouble) => CasError::StoreError(trouble.into()),
        }))
    }
}

impl atomics::HostCas for Guest {
    async fn new(&mut self, _: Resource<Bucket>, key: String) -> Answer<Resource<Cas>> {
        let seen = self.call(SWAP_NEW, key, |host, key| Box::pin(async move { Ok(host.look_at(key).await) })).await?;
        Ok(seen.map(Resource::new_own).map_err(Error::from))
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Answer<Option<Vec<u8>>> {
        self.call(SWAP_CURRENT, cas.rep(), |host, cas| Box::pin(ready(host.seen(cas)))).await.map(Ok)
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.close(cas).await
    }
}

impl batch::Host for Guest {
    async fn get_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
        Ok(self.kv_get_many(keys).await?.map_err(Error::from))
    }

    async fn set_many(&mut self, _: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Answer<()> {
        Ok(self.kv_set_many(pairs).await?.map_err(Error::from))
    }

    async fn delete_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Answer<()> {
        Ok(self.kv_delete_many(keys).await?.map_err(Error::from))
    }
}

impl Capabilities {
    fn seen(&self, cas: Handle) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.handles.get::<Cas>(cas)?.seen.clone())
    }

    async fn swap(&mut self, cas: Handle, value: Vec<u8>) -> wasmtime::Result<Result<(), NotSwapped>> {
        let Cas { key, seen } = self.handles.take(cas)?;
        Ok(match self.kv.compare_and_swap(&key, seen.as_deref(), Some(&value)).await {
            Ok(true) => Ok(()),
            Ok(false) => match self.look_at(key).await {
                Ok(cas) => Err(NotSwapped::Seen(cas)),
                Err(trouble) => Err(NotSwapped::Trouble(trouble)),
            },
            Err(error) => Err(NotSwapped::Trouble(error.into())),
        })
    }
}

impl Carried for NotSwapped {
    fn bytes(&self) -> usize {
        match self {
            NotSwapped::Seen(_) => 0,
            NotSwapped::Trouble(trouble) => trouble.bytes(),
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
