//! What a plugin asks of the host.

use std::time::Duration;

use super::bindings::hookbox::plugin::{config, kv as wit_kv, logging, queue as wit_queue};
use super::{millis, timestamp};
use crate::log::Level;
use crate::{kv, queue};

pub(crate) use super::http::send;

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
    Ok(wit_kv::get(key)?)
}

pub(crate) fn kv_set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), kv::Error> {
    Ok(wit_kv::set(key, value, ttl.map(millis))?)
}

pub(crate) fn kv_delete(key: &str) -> Result<bool, kv::Error> {
    Ok(wit_kv::delete(key)?)
}

pub(crate) fn kv_add(key: &str, delta: i64) -> Result<(), kv::Error> {
    Ok(wit_kv::add(key, delta)?)
}

pub(crate) fn kv_increment(key: &str, delta: i64) -> Result<i64, kv::Error> {
    Ok(wit_kv::increment(key, delta)?)
}

pub(crate) fn kv_compare_and_swap(key: &str, expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, kv::Error> {
    Ok(wit_kv::compare_and_swap(key, expected, new)?)
}

pub(crate) fn kv_list(prefix: &str, cursor: Option<&str>) -> Result<kv::Page, kv::Error> {
    let wit_kv::Page { keys, next } = wit_kv::list(prefix, cursor)?;
    Ok(kv::Page { keys, next })
}

pub(crate) fn log(level: Level, message: String, fields: Vec<(String, String)>) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
    };
    logging::log(level, &message, &fields);
}

pub(crate) fn config_get(key: &str) -> Option<String> {
    config::get(key)
}

pub(crate) fn config_get_secret(name: &str) -> Option<String> {
    config::get_secret(name)
}

pub(crate) fn enqueue(job: queue::Job) -> Result<String, queue::Error> {
    Ok(wit_queue::enqueue(&wit_queue::JobRequest {
        handler: job.handler,
        data_content_type: job.content_type,
        data: job.data,
        run_at: job.run_at.map(timestamp),
        unique_key: job.unique_key,
    })?)
}

pub(crate) fn emit(event: queue::Event) -> Result<String, queue::Error> {
    Ok(wit_queue::emit(&wit_queue::EventRequest {
        type_: event.type_,
        subject: event.subject,
        data_content_type: event.content_type,
        data: event.data,
    })?)
}

impl From<wit_kv::Error> for kv::Error {
    fn from(error: wit_kv::Error) -> Self {
        match error {
            wit_kv::Error::LimitExceeded(what) => kv::Error::LimitExceeded(what),
            wit_kv::Error::WrongType => kv::Error::WrongType,
            wit_kv::Error::Unavailable(why) => kv::Error::Unavailable(why),
        }
    }
}

impl From<wit_queue::Error> for queue::Error {
    fn from(error: wit_queue::Error) -> Self {
        match error {
            wit_queue::Error::UnknownHandler => queue::Error::UnknownHandler,
            wit_queue::Error::LimitExceeded(what) => queue::Error::LimitExceeded(what),
            wit_queue::Error::Unavailable(why) => queue::Error::Unavailable(why),
        }
    }
}
