//! What a handler wants to change: held back while it runs, committed with the
//! record of its success or not at all.

use crate::id::{EventId, JobId, RunId};
use crate::name::HandlerRef;
use crate::time::{Millis, Timestamp};

/// A key of the kv store, in bytes.
pub const KV_KEY_BYTES_MAX: usize = 128;
/// A value of the kv store.
pub const KV_VALUE_BYTES_MAX: usize = 64 * 1024;
/// The whole kv store of a plugin, keys and values, unless hooks.yaml says otherwise.
pub const KV_PLUGIN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Keys that one `list` returns.
pub const KV_LIST_KEYS_MAX: usize = 1000;
/// Keys that one attempt may read, list and write altogether: the commit checks each.
pub const KV_KEYS_PER_ATTEMPT_MAX: usize = 10_000;
/// The data of one job or event that a plugin makes.
pub const QUEUE_DATA_BYTES_MAX: usize = 256 * 1024;

/// Everything that one attempt read, so that it can be judged, and wants to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    pub reads: Vec<KvRead>,
    pub scans: Vec<KvScan>,
    /// At most one for a key.
    pub writes: Vec<KvWrite>,
    pub jobs: Vec<JobRequest>,
    pub events: Vec<EventRequest>,
}

/// A key that was read, and the version that was seen; `None`: it was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvRead {
    pub key: String,
    pub version: Option<u64>,
}

/// A listing that was read, and the keys that were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvScan {
    pub prefix: String,
    /// Only keys after this one.
    pub after: Option<String>,
    pub limit: usize,
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvWrite {
    Set {
        key: String,
        value: Vec<u8>,
        ttl: Option<Millis>,
    },
    Delete {
        key: String,
    },
    /// Merges with what others add.
    Add {
        key: String,
        delta: i64,
    },
}

impl KvWrite {
    pub fn key(&self) -> &str {
        match self {
            KvWrite::Set { key, .. } | KvWrite::Delete { key } | KvWrite::Add { key, .. } => key,
        }
    }
}

/// A value of the kv store as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    pub value: Vec<u8>,
    /// Grows with each write of the key.
    pub version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    pub id: JobId,
    pub run: RunId,
    /// Of the plugin itself, or one that it was granted.
    pub target: HandlerRef,
    pub content_type: String,
    pub data: Vec<u8>,
    pub run_at: Option<Timestamp>,
    pub unique_key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRequest {
    pub id: EventId,
    /// The part of a pattern before the slash.
    pub namespace: String,
    pub event_type: String,
    pub subject: Option<String>,
    pub content_type: String,
    pub data: Vec<u8>,
}
