//! The host's promises, kept in memory: limits, expiry, and all or nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::web::{self, Answer};
use super::{EmittedEvent, EnqueuedJob, LogLine, START_SECONDS, SentRequest, takes_jobs};
use crate::log::Level;
use crate::{Error, Outcome, Result, http, kv, queue};

const KEY_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 64 * 1024;
const STORE_BYTES_MAX: usize = 16 * 1024 * 1024;
const PAGE_KEYS_MAX: usize = 1000;
const REQUESTS_PER_ATTEMPT_MAX: usize = 100;
const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

pub(super) struct Memory {
    pub(super) now: SystemTime,
    pub(super) config: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) grants: Vec<String>,
    pub(super) enqueue_grants: Vec<String>,
    pub(super) logs: Vec<LogLine>,
    pub(super) web: Vec<Answer>,
    pub(super) sent: Vec<SentRequest>,
    pub(super) effects: Effects,
    attempt: Option<(Attempt, Effects)>,
    last_id: u64,
}

/// What a failed attempt must not leave behind.
#[derive(Clone, Default)]
pub(super) struct Effects {
    kv: BTreeMap<String, Entry>,
    pub(super) jobs: Vec<EnqueuedJob>,
    pub(super) events: Vec<EmittedEvent>,
}

#[derive(Clone)]
struct Entry {
    value: Vec<u8>,
    expires: Option<SystemTime>,
}

#[derive(Default)]
pub(super) struct Attempt {
    /// Unique key and id of the job that is being run.
    running: Option<(String, String)>,
    requests: usize,
    /// Keys that `add` found to be no number; that fails the commit.
    spoiled: BTreeSet<String>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

pub(super) fn with<T>(act: impl FnOnce(&mut Memory) -> T) -> T {
    MEMORY.with(|memory| act(&mut memory.borrow_mut()))
}

impl Attempt {
    pub(super) fn of_job(running: Option<(String, String)>) -> Self {
        Attempt { running, ..Attempt::default() }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            now: UNIX_EPOCH + Duration::from_secs(START_SECONDS),
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            grants: Vec::new(),
            enqueue_grants: Vec::new(),
            logs: Vec::new(),
            web: Vec::new(),
            sent: Vec::new(),
            effects: Effects::default(),
            attempt: None,
            last_id: 0,
        }
    }
}

impl Memory {
    pub(super) fn next_id(&mut self, kind: &str) -> String {
        self.last_id += 1;
        format!("{kind}-{}", self.last_id)
    }

    pub(super) fn begin(&mut self, attempt: Attempt) {
        self.attempt = Some((attempt, self.effects.clone()));
    }

    /// Commits what a handler did, or takes it back.
    pub(super) fn end(&mut self, result: Result<Outcome>) -> Result<Outcome> {
        let Some((attempt, before)) = self.attempt.take() else { return result };
        let result = result.and_then(|outcome| match attempt.spoiled.first() {
            Some(key) => Err(Error::permanent(format_args!("kv `{key}`: added to a value that is no number"))),
            None => Ok(outcome),
        });
        if result.is_err() {
            self.effects = before;
        }
        result
    }

    pub(super) fn value(&self, key: &str) -> Option<&Vec<u8>> {
        let entry = self.effects.kv.get(key)?;
        entry.expires.is_none_or(|time| time > self.now).then_some(&entry.value)
    }

    pub(super) fn put(&mut self, key: &str, value: &[u8], expires: Option<SystemTime>) {
        self.mend(key);
        self.effects.kv.insert(key.to_owned(), Entry { value: value.to_vec(), expires });
    }

    pub(super) fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.effects.kv.keys().filter(|key| key.starts_with(prefix) && self.value(key).is_some());
        keys.cloned().collect()
    }

    fn remove(&mut self, key: &str) -> bool {
        let there = self.value(key).is_some();
        self.mend(key);
        self.effects.kv.remove(key);
        there
    }

    fn mend(&mut self, key: &str) {
        if let Some((attempt, _)) = &mut self.attempt {
            attempt.spoiled.remove(key);
        }
    }

    fn checked_put(&mut self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), kv::Error> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(kv::Error::LimitExceeded(format!("value of {} bytes", value.len())));
        }
        let others = self.effects.kv.iter().filter(|(known, _)| *known != key);
        let used: usize = others.map(|(key, entry)| key.len() + entry.value.len()).sum();
        if used + key.len() + value.len() > STORE_BYTES_MAX {
            return Err(kv::Error::LimitExceeded("the plugin's store is full".to_owned()));
        }
        self.put(key, value, ttl.map(|ttl| self.now + ttl));
        Ok(())
    }

    /// Keeps the time at which the key vanishes.
    fn sum(&mut self, key: &str, delta: i64) -> Result<i64, kv::Error> {
        let number = match self.value(key) {
            None => 0,
            Some(value) => {
                std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(kv::Error::WrongType)?
            }
        };
        let sum: i64 = i64::checked_add(number, delta).ok_or_else(|| kv::Error::LimitExceeded("sum".to_owned()))?;
        let expires = self.value(key).and_then(|_| self.effects.kv.get(key)?.expires);
        self.put(key, sum.to_string().as_bytes(), expires);
        Ok(sum)
    }

    fn count_request(&mut self, payload: &[u8]) -> Result<(), queue::Error> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(queue::Error::LimitExceeded(format!("payload of {} bytes", payload.len())));
        }
        let Some((attempt, _)) = &mut self.attempt else { return Ok(()) };
        if attempt.requests == REQUESTS_PER_ATTEMPT_MAX {
            return Err(queue::Error::LimitExceeded(format!("more than {REQUESTS_PER_ATTEMPT_MAX} in an attempt")));
        }
        attempt.requests += 1;
        Ok(())
    }

    fn held_by(&self, unique_key: &str) -> Option<String> {
        let running = self.attempt.as_ref().and_then(|(attempt, _)| attempt.running.as_ref());
        if let Some((_, id)) = running.filter(|(key, _)| key == unique_key) {
            return Some(id.clone());
        }
        let waiting = self.effects.jobs.iter().find(|job| job.unique_key.as_deref() == Some(unique_key));
        waiting.map(|job| job.id.clone())
    }
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, kv::Error> {
    check_key(key)?;
    Ok(with(|memory| memory.value(key).cloned()))
}

pub(crate) fn kv_set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), kv::Error> {
    check_key(key)?;
    with(|memory| memory.checked_put(key, value, ttl))
}

pub(crate) fn kv_delete(key: &str) -> Result<bool, kv::Error> {
    check_key(key)?;
    Ok(with(|memory| memory.remove(key)))
}

pub(crate) fn kv_add(key: &str, delta: i64) -> Result<(), kv::Error> {
    check_key(key)?;
    with(|memory| match (memory.sum(key, delta), &mut memory.attempt) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some((attempt, _))) => {
            attempt.spoiled.insert(key.to_owned());
            Ok(())
        }
        (Err(error), None) => Err(error),
    })
}

pub(crate) fn kv_increment(key: &str, delta: i64) -> Result<i64, kv::Error> {
    check_key(key)?;
    with(|memory| memory.sum(key, delta))
}

pub(crate) fn kv_compare_and_swap(key: &str, expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, kv::Error> {
    check_key(key)?;
    with(|memory| {
        if memory.value(key).map(Vec::as_slice) != expected {
            return Ok(false);
        }
        match new {
            Some(value) => memory.checked_put(key, value, None)?,
            None => drop(memory.remove(key)),
        }
        Ok(true)
    })
}

pub(crate) fn kv_list(prefix: &str, cursor: Option<&str>) -> Result<kv::Page, kv::Error> {
    let mut keys = with(|memory| memory.keys(prefix));
    keys.retain(|key| cursor.is_none_or(|last| key.as_str() > last));
    let more = keys.len() > PAGE_KEYS_MAX;
    keys.truncate(PAGE_KEYS_MAX);
    let next = if more { keys.last().cloned() } else { None };
    Ok(kv::Page { keys, next })
}

pub(crate) fn log(level: Level, message: String, fields: Vec<(String, String)>) {
    with(|memory| memory.logs.push(LogLine { level, message, fields }));
}

pub(crate) fn config_get(key: &str) -> Option<String> {
    with(|memory| memory.config.get(key).cloned())
}

pub(crate) fn config_get_secret(name: &str) -> Option<String> {
    with(|memory| memory.secrets.get(name).cloned())
}

pub(crate) fn send(request: http::Request) -> Result<http::Response, http::Error> {
    web::send(request)
}

pub(crate) fn enqueue(job: queue::Job) -> Result<String, queue::Error> {
    let queue::Job { handler, content_type, data, run_at, unique_key } = job;
    let foreign = handler.contains('/');
    if !foreign && !takes_jobs(&handler) {
        return Err(queue::Error::UnknownHandler);
    }
    with(|memory| {
        memory.count_request(&data)?;
        if foreign && !memory.enqueue_grants.iter().any(|pattern| matches(pattern, &handler)) {
            return Err(queue::Error::LimitExceeded(format!("a job for `{handler}` is not granted")));
        }
        if let Some(id) = unique_key.as_deref().and_then(|key| memory.held_by(key)) {
            return Ok(id);
        }
        let id = memory.next_id("job");
        memory.effects.jobs.push(EnqueuedJob { id: id.clone(), handler, content_type, data, run_at, unique_key });
        Ok(id)
    })
}

pub(crate) fn emit(event: queue::Event) -> Result<String, queue::Error> {
    let queue::Event { type_, subject, content_type, data } = event;
    with(|memory| {
        memory.count_request(&data)?;
        if type_.contains('/') && !memory.grants.iter().any(|pattern| matches(pattern, &type_)) {
            return Err(queue::Error::LimitExceeded(format!("emitting `{type_}` is not granted")));
        }
        let id = memory.next_id("event");
        memory.effects.events.push(EmittedEvent { id: id.clone(), type_, subject, content_type, data });
        Ok(id)
    })
}

fn check_key(key: &str) -> Result<(), kv::Error> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        length => Err(kv::Error::LimitExceeded(format!("key of {length} bytes"))),
    }
}

/// `provider/type` against a pattern, part by part, `*` for any text.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.split_once('/'), name.split_once('/')) {
        (Some((provider, kind)), Some(name)) => glob(provider, name.0) && glob(kind, name.1),
        _ => false,
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            let ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            ends.into_iter().any(|at| glob(rest, &tail[at..]))
        }),
    }
}
