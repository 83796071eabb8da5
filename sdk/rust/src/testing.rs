//! A host in memory for `cargo test`, one per thread and therefore one per test.
//!
//! Handlers run through the same extraction and dispatch as in the sandbox, and an
//! attempt is a transaction: a handler that fails leaves nothing but its log.
//! Handlers are plain functions too and may be called as such; what they do then
//! takes effect at once. The clock stands still until [`advance`] moves it.
//!
//! Where tests share a thread (`--test-threads=1`), begin them with [`reset`].

mod delivery;
pub(crate) mod host;
mod web;

use std::borrow::Borrow;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::registry::{self, Registration};
use crate::{Context, Event, Job, Outcome, Result, extract};
use host::{Attempt, with};

pub use delivery::event_of_delivery;
pub use web::{SentRequest, answer, answer_with, requests};

pub use crate::log::Level;
pub use crate::registry::{Handler, PluginInfo, Schedule, Trigger, When};

/// A line that a handler logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub level: Level,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

/// A job that a handler enqueued and that has not been run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnqueuedJob {
    pub id: String,
    pub handler: String,
    pub content_type: String,
    pub data: Vec<u8>,
    pub run_at: Option<SystemTime>,
    pub unique_key: Option<String>,
}

/// An event that a handler emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmittedEvent {
    pub id: String,
    pub type_: String,
    pub subject: Option<String>,
    pub content_type: String,
    pub data: Vec<u8>,
}

impl EnqueuedJob {
    /// The payload; a permanent error if it does not parse.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        extract::json(&self.data)
    }
}

impl EmittedEvent {
    /// The payload; a permanent error if it does not parse.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        extract::json(&self.data)
    }
}

/// What the clock shows in a fresh host: 2026-01-05T09:00:00Z, a Monday.
const START_SECONDS: u64 = 1_767_603_600;

/// Forgets everything.
pub fn reset() {
    with(|memory| *memory = host::Memory::default());
}

pub fn set_config(key: &str, value: impl Into<String>) {
    with(|memory| memory.config.insert(key.to_owned(), value.into()));
}

pub fn set_secret(name: &str, value: impl Into<String>) {
    with(|memory| memory.secrets.insert(name.to_owned(), value.into()));
}

/// Grants emitting events whose type has a slash: `digest/*`.
pub fn grant_emit(pattern: &str) {
    with(|memory| memory.grants.push(pattern.to_owned()));
}

/// Grants jobs for handlers of other plugins: `reports/*`. They stay in [`jobs`]: no other plugin is here to run them.
pub fn grant_enqueue(pattern: &str) {
    with(|memory| memory.enqueue_grants.push(pattern.to_owned()));
}

pub fn set_kv(key: &str, value: impl AsRef<[u8]>) {
    with(|memory| memory.put(key, value.as_ref(), None));
}

pub fn kv(key: &str) -> Option<Vec<u8>> {
    with(|memory| memory.value(key).cloned())
}

/// The value as text, for assertions; bytes that are no UTF-8 become `\u{FFFD}`.
pub fn kv_text(key: &str) -> Option<String> {
    kv(key).map(|value| String::from_utf8_lossy(&value).into_owned())
}

pub fn kv_keys() -> Vec<String> {
    with(|memory| memory.keys(""))
}

pub fn now() -> SystemTime {
    with(|memory| memory.now)
}

/// Moves the clock: keys vanish, jobs fall due.
pub fn advance(by: Duration) {
    with(|memory| memory.now += by);
}

pub fn logs() -> Vec<LogLine> {
    with(|memory| memory.logs.clone())
}

/// What is enqueued and has not been taken by [`run_next`].
pub fn jobs() -> Vec<EnqueuedJob> {
    with(|memory| memory.effects.jobs.clone())
}

pub fn events() -> Vec<EmittedEvent> {
    with(|memory| memory.effects.events.clone())
}

/// A verified webhook in JSON. `shop/user.created` comes from the provider `shop`,
/// `user.created` from `test`.
#[expect(clippy::expect_used, reason = "a test whose payload has no JSON is wrong")]
pub fn event<T: Serialize + ?Sized>(name: &str, payload: &T) -> Event {
    event_with_body(name, "application/json", serde_json::to_vec(payload).expect("the payload has no JSON"))
}

/// A verified webhook with any body.
pub fn event_with_body(name: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Event {
    let (provider, type_) = name.split_once('/').unwrap_or(("test", name));
    let (id, time) = with(|memory| (memory.next_id("event"), memory.now));
    let attributes = [("provider", provider), ("delivery-id", &format!("delivery-of-{id}")), ("integrity", "full")];
    Event {
        id,
        source: format!("provider/{provider}"),
        type_: type_.to_owned(),
        subject: None,
        time,
        content_type: content_type.to_owned(),
        data: body.into(),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

/// A job in JSON, due now.
#[expect(clippy::expect_used, reason = "a test whose payload has no JSON is wrong")]
pub fn job<T: Serialize + ?Sized>(payload: &T) -> Job {
    let data = serde_json::to_vec(payload).expect("the payload has no JSON");
    Job { content_type: "application/json".to_owned(), data, ..empty_job() }
}

/// A job without a payload, due now: what the firing of a schedule looks like.
pub fn empty_job() -> Job {
    let (id, scheduled_at) = with(|memory| (memory.next_id("job"), memory.now));
    let content_type = "application/octet-stream".to_owned();
    Job { id, scheduled_at, content_type, data: Vec::new(), attributes: Vec::new() }
}

/// The first attempt of a new run, with an idempotency key of its own.
pub fn context(handler: &str) -> Context {
    let attempts = registry::find(handler).and_then(|known| known.handler.option("attempts")?.parse().ok());
    let (run_id, now) = with(|memory| (memory.next_id("run"), memory.now));
    Context {
        handler: handler.to_owned(),
        idempotency_key: format!("key-of-{run_id}"),
        run_id,
        attempt: 1,
        max_attempts: attempts.unwrap_or(5),
        deadline: now + Duration::from_secs(30),
    }
}

/// Runs a handler for an event, in a new run.
pub fn send(handler: &str, event: impl Borrow<Event>) -> Result<Outcome> {
    send_with(&context(handler), event)
}

/// Runs a handler for an event; with the same context again, it is a repetition.
pub fn send_with(context: &Context, event: impl Borrow<Event>) -> Result<Outcome> {
    transaction(Attempt::default(), || registry::handle_event(context, event.borrow()))
}

/// Runs a handler for a job, in a new run.
pub fn run(handler: &str, job: impl Borrow<Job>) -> Result<Outcome> {
    run_with(&context(handler), job)
}

/// Runs a handler for a job; with the same context again, it is a repetition.
pub fn run_with(context: &Context, job: impl Borrow<Job>) -> Result<Outcome> {
    transaction(Attempt::default(), || registry::run_job(context, job.borrow()))
}

/// Runs the first enqueued job that is due, and takes it out of [`jobs`] however it
/// ends. `None` if no job is due.
pub fn run_next() -> Option<Result<Outcome>> {
    let job = with(|memory| {
        let own = |job: &EnqueuedJob| !job.handler.contains('/');
        let due = |job: &EnqueuedJob| own(job) && job.run_at.is_none_or(|time| time <= memory.now);
        let first = memory.effects.jobs.iter().position(due)?;
        Some(memory.effects.jobs.remove(first))
    })?;
    let EnqueuedJob { id, handler, content_type, data, run_at, unique_key } = job;
    let scheduled_at = run_at.unwrap_or_else(now);
    let running = Attempt::of_job(unique_key.map(|key| (key, id.clone())));
    let job = Job { id, scheduled_at, content_type, data, attributes: Vec::new() };
    let context = context(&handler);
    Some(transaction(running, || registry::run_job(&context, &job)))
}

/// The names of the handlers that an event is for, by their patterns; filters are the host's to ask.
pub fn handlers_for(event: &Event) -> Vec<&'static str> {
    let sender = event.source.rsplit('/').next().unwrap_or_default();
    let name = format!("{sender}/{}", event.type_);
    let fires = |handler: &&Handler| match handler.trigger {
        Trigger::Events(patterns) => patterns.iter().any(|pattern| host::matches(pattern, &name)),
        Trigger::Schedule(_) | Trigger::Manual => false,
    };
    describe().handlers.iter().filter(fires).map(|handler| handler.name).collect()
}

/// What the host is told at load.
///
/// # Panics
/// If the host would refuse the plugin: no handler, or two of one name.
#[track_caller]
#[expect(clippy::panic, reason = "a test of a plugin that cannot be loaded fails")]
pub fn describe() -> PluginInfo {
    registry::describe().unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn transaction(attempt: Attempt, handler: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    describe();
    with(|memory| memory.begin(attempt));
    let result = handler();
    with(|memory| memory.end(result))
}

/// So that the in-memory host knows which handlers take jobs.
fn takes_jobs(handler: &str) -> bool {
    let for_jobs = |known: &Registration| !matches!(known.handler.trigger, Trigger::Events(_));
    registry::find(handler).is_some_and(for_jobs)
}
