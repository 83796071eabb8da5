//! What comes in: events that happened, and jobs that were asked for.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::{self, ContentEncoding};
use crate::id::{EventId, JobId};
use crate::name::{PluginName, ProviderName, ScheduleName};
use crate::time::Timestamp;
use crate::trace::TraceContext;

/// An event or job that came about through this many others becomes a dead letter with the cause `loop`.
pub const HOPS_MAX: u8 = 16;

/// Who an event comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A verified webhook.
    Provider(ProviderName),
    /// Emitted by a plugin.
    Plugin(PluginName),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Provider(name) => write!(f, "provider/{name}"),
            Source::Plugin(name) => write!(f, "plugin/{name}"),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub source: Source,
    /// The part of a pattern before the slash: the provider, or for an emitted event the plugin (or what its grant
    /// allows).
    pub namespace: String,
    /// As the sender names it; `unknown` where it gives no name.
    pub event_type: String,
    pub subject: Option<String>,
    /// When it was accepted.
    pub time: Timestamp,
    pub content_type: String,
    /// As it was sent; [`Event::payload`] is what handlers read.
    pub data: Vec<u8>,
    /// Names in lower case; never a signature, token or cookie.
    pub attributes: Vec<(String, String)>,
    pub hops: u8,
}

impl Event {
    /// The data as handlers read it: inflated where it was sent, and is kept, in a content encoding.
    pub fn payload(&self) -> Cow<'_, [u8]> {
        let sent = self.attributes.iter().find(|(name, _)| name == encoding::ATTRIBUTE);
        let encoding = sent.and_then(|(_, value)| ContentEncoding::parse(value).ok().flatten());
        // It was inflated once before it was taken in; only an attribute that somebody else made up fails.
        match encoding.and_then(|encoding| encoding.inflate(&self.data).ok()) {
            Some(inflated) => Cow::Owned(inflated),
            None => Cow::Borrowed(&self.data),
        }
    }

    /// What patterns are matched against: `shop/user.created`.
    pub fn topic(&self) -> String {
        format!("{}/{}", self.namespace, self.event_type)
    }
}

/// Who asked for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobOrigin {
    Schedule(ScheduleName),
    Plugin(PluginName),
    Operator,
}

/// Work that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub origin: JobOrigin,
    /// When it was due; for a schedule the slot.
    pub scheduled_at: Timestamp,
    pub content_type: String,
    pub data: Vec<u8>,
    pub hops: u8,
    /// The span that asked for it; nothing where it is in a trace of its own.
    pub trace: Option<TraceContext>,
}
