//! Follow-up work. It takes effect only if the running handler completes.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use crate::host;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no such handler, or it runs for events.
    UnknownHandler,
    /// Too many (100 an attempt), too large (256 KiB), or an event type or a
    /// handler of another plugin that hooks.yaml does not grant.
    LimitExceeded(String),
    /// Trying again may help.
    Unavailable(String),
}

/// A job for a handler of this plugin, at once and without a payload. One of another
/// plugin is `PLUGIN/HANDLER` and needs a grant under `plugins.NAME.grants.enqueue`.
pub fn job(handler: impl Into<String>) -> Job {
    Job {
        handler: handler.into(),
        content_type: "application/octet-stream".to_owned(),
        data: Vec::new(),
        run_at: None,
        unique_key: None,
    }
}

/// An event for every handler whose pattern matches. `digest.ready` is matched by
/// `PLUGIN/digest.ready`; a type with a slash (`digest/ready`) needs a grant under
/// `plugins.NAME.grants.emit`.
pub fn event(type_: impl Into<String>) -> Event {
    Event { type_: type_.into(), subject: None, content_type: "application/octet-stream".to_owned(), data: Vec::new() }
}

/// A job to be enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a job is enqueued by `.enqueue()?`"]
pub struct Job {
    pub(crate) handler: String,
    pub(crate) content_type: String,
    pub(crate) data: Vec<u8>,
    pub(crate) run_at: Option<SystemTime>,
    pub(crate) unique_key: Option<String>,
}

/// An event to be emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an event is emitted by `.emit()?`"]
pub struct Event {
    pub(crate) type_: String,
    pub(crate) subject: Option<String>,
    pub(crate) content_type: String,
    pub(crate) data: Vec<u8>,
}

impl Job {
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, serde_json::Error> {
        Ok(self.payload("application/json", serde_json::to_vec(value)?))
    }

    pub fn payload(mut self, content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        (self.content_type, self.data) = (content_type.into(), data.into());
        self
    }

    /// Not before this time.
    pub fn run_at(mut self, time: SystemTime) -> Self {
        self.run_at = Some(time);
        self
    }

    /// While a run with this key is waiting or running, another is not made.
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Returns the id that the job has once the handler completes.
    pub fn enqueue(self) -> Result<String, Error> {
        host::enqueue(self)
    }
}

impl Event {
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, serde_json::Error> {
        Ok(self.payload("application/json", serde_json::to_vec(value)?))
    }

    pub fn payload(mut self, content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        (self.content_type, self.data) = (content_type.into(), data.into());
        self
    }

    /// What it happened to.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Returns the id that the event has once the handler completes.
    pub fn emit(self) -> Result<String, Error> {
        host::emit(self)
    }
}

impl Error {
    /// True where the plugin is wrong; limits and outages may pass.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, Error::UnknownHandler)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownHandler => f.write_str("there is no such handler for jobs"),
            Error::LimitExceeded(what) => write!(f, "queue limit exceeded: {what}"),
            Error::Unavailable(why) => write!(f, "queue unavailable: {why}"),
        }
    }
}

impl std::error::Error for Error {}
