//! What a handler is run for.

use std::time::SystemTime;

use serde::Deserialize;

use crate::{Result, extract};

/// Something that happened: a verified webhook, or an event that a plugin
/// emitted. The fields are the attributes of CloudEvents 1.0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// hookbox's own id, unique for ever. The sender's is [`Event::delivery_id`].
    pub id: String,
    /// Who sent it: `provider/NAME` for a webhook, `plugin/NAME` for an emitted event.
    pub source: String,
    /// What happened, as the sender names it: `user.created`.
    pub type_: String,
    /// What it happened to, where the sender says.
    pub subject: Option<String>,
    /// When hookbox accepted it.
    pub time: SystemTime,
    /// As the sender declared it; `application/octet-stream` where it declared none.
    pub content_type: String,
    /// The body, byte for byte as it was received.
    pub data: Vec<u8>,
    /// Pairs of name and value, names in lower case.
    pub attributes: Vec<(String, String)>,
}

/// Work that was asked for: the firing of a schedule, or a job that was enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// Unique for ever.
    pub id: String,
    /// When it was due. For a schedule: the slot, not the moment it ran.
    pub scheduled_at: SystemTime,
    pub content_type: String,
    /// The payload; empty where none was given.
    pub data: Vec<u8>,
    /// Pairs of name and value: `schedule` for a firing, `enqueued-by` for a job
    /// that a plugin enqueued.
    pub attributes: Vec<(String, String)>,
}

/// Which handler is being run, for which run, and which try this is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    pub handler: String,
    /// The same for all attempts of a run.
    pub run_id: String,
    /// Counts from 1.
    pub attempt: u32,
    pub max_attempts: u32,
    /// The attempt is stopped at this time.
    pub deadline: SystemTime,
    /// The same for every attempt of a run and for every replay of it, so that a
    /// system on the other side can tell a repetition. A replay with an edited
    /// payload has another.
    pub idempotency_key: String,
}

impl Event {
    /// How much of the body the signature covers (`integrity`: `full`, `partial` or
    /// `none`, also where an operator has edited it: then `edited-from` names the
    /// event that was received), and other facts that hookbox adds. `name` in lower
    /// case.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        attribute(&self.attributes, name)
    }

    /// A header of the delivery. Those that carry signatures, tokens or cookies are
    /// never there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.attribute(&format!("header.{}", name.to_ascii_lowercase()))
    }

    pub fn provider(&self) -> Option<&str> {
        self.attribute("provider")
    }

    /// The sender's own id.
    pub fn delivery_id(&self) -> Option<&str> {
        self.attribute("delivery-id")
    }

    /// The payload; a permanent error if it does not parse.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        extract::json(&self.data)
    }

    /// The payload; a permanent error if it is no UTF-8.
    pub fn text(&self) -> Result<&str> {
        extract::text(&self.data)
    }
}

impl Job {
    /// `name` in lower case.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        attribute(&self.attributes, name)
    }

    /// The schedule that fired.
    pub fn schedule(&self) -> Option<&str> {
        self.attribute("schedule")
    }

    /// The payload; a permanent error if it does not parse.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        extract::json(&self.data)
    }

    /// The payload; a permanent error if it is no UTF-8.
    pub fn text(&self) -> Result<&str> {
        extract::text(&self.data)
    }
}

impl Context {
    /// True if a failure now is final.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
