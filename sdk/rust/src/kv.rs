//! A durable key-value store; every plugin has its own.
//!
//! An attempt is a transaction: reads see its own writes, and the writes take
//! effect together when the handler completes. Where something it read was changed
//! meanwhile by another run, the attempt is repeated. A key is 1 to 128 bytes, a
//! value at most 64 KiB; the whole store of a plugin is 16 MiB, and so is what one
//! attempt reads (each key once) and writes, unless hooks.yaml says otherwise.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Too large: key, value or the plugin's whole store.
    LimitExceeded(String),
    /// The value under this key is no number.
    WrongType,
    /// The host could not read it; trying again may help.
    Unavailable(String),
    /// The value is not the JSON that was asked for, or has no form in JSON.
    Json(String),
}

/// Keys in byte order, at most 1,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub keys: Vec<String>,
    /// For the next call; `None` after the last page.
    pub next: Option<String>,
}

pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    host::kv_get(key)
}

pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    let parse = |value: Vec<u8>| serde_json::from_slice(&value).map_err(|error| json_fault(key, &error));
    get(key)?.map(parse).transpose()
}

/// The number that [`add`] and [`increment`] keep; 0 where there is none.
pub fn number(key: &str) -> Result<i64, Error> {
    let parse = |value: Vec<u8>| std::str::from_utf8(&value).ok()?.parse().ok();
    get(key)?.map_or(Ok(0), |value| parse(value).ok_or(Error::WrongType))
}

pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    host::kv_set(key, value.as_ref(), None)
}

/// The key vanishes that long after the handler completed.
pub fn set_with_ttl(key: &str, value: impl AsRef<[u8]>, ttl: Duration) -> Result<(), Error> {
    host::kv_set(key, value.as_ref(), Some(ttl))
}

pub fn set_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Error> {
    set(key, serde_json::to_vec(value).map_err(|error| json_fault(key, &error))?)
}

/// The key vanishes that long after the handler completed.
pub fn set_json_with_ttl<T: Serialize + ?Sized>(key: &str, value: &T, ttl: Duration) -> Result<(), Error> {
    set_with_ttl(key, serde_json::to_vec(value).map_err(|error| json_fault(key, &error))?, ttl)
}

/// True if the key was there.
pub fn delete(key: &str) -> Result<bool, Error> {
    host::kv_delete(key)
}

/// Adds to a number, counting a missing key as 0. It merges with what other runs
/// add, so counters never conflict; the sum is not told. Adding to a value that is
/// no number fails the run for good when it is committed.
pub fn add(key: &str, delta: i64) -> Result<(), Error> {
    host::kv_add(key, delta)
}

/// Like [`add`], and returns the sum. Two runs that increment the same key at the
/// same time conflict, and one of them is repeated: prefer [`add`] where the sum is
/// not needed.
pub fn increment(key: &str, delta: i64) -> Result<i64, Error> {
    host::kv_increment(key, delta)
}

/// Writes `new` (`None` deletes) if the value is `expected` (`None`: missing). True
/// if it was written.
pub fn compare_and_swap(key: &str, expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, Error> {
    host::kv_compare_and_swap(key, expected, new)
}

/// All keys that begin with `prefix`, in byte order.
pub fn list(prefix: &str) -> Result<Vec<String>, Error> {
    let Page { mut keys, mut next } = list_page(prefix, None)?;
    while let Some(cursor) = next {
        let page = list_page(prefix, Some(&cursor))?;
        keys.extend(page.keys);
        next = page.next;
    }
    Ok(keys)
}

/// At most 1,000 of them.
pub fn list_page(prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
    host::kv_list(prefix, cursor)
}

fn json_fault(key: &str, error: &serde_json::Error) -> Error {
    Error::Json(format!("kv `{key}`: {error}"))
}

impl Error {
    /// True where the plugin is wrong; limits and outages may pass.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, Error::WrongType | Error::Json(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::LimitExceeded(what) => write!(f, "kv limit exceeded: {what}"),
            Error::WrongType => f.write_str("the kv value is no number"),
            Error::Unavailable(why) => write!(f, "kv unavailable: {why}"),
            Error::Json(fault) => f.write_str(fault),
        }
    }
}

impl std::error::Error for Error {}
