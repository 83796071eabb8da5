//! The stored forms: versioned types of their own, written as a version byte
//! and postcard. A change of a form is a new version that reads the old one; a
//! golden file in the tests notices a change that nobody meant.

mod plugin;
mod request;
mod run;
mod schedule;
#[cfg(test)]
mod tests;

use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::time::Timestamp;
use hookbox_core::trace::{SpanId, TraceContext, TraceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::error::StoreError;

pub(crate) use plugin::{FORM as PLUGIN_FORM, decode_plugin, encode_plugin};
pub(crate) use request::{KeptAnswerV1, RequestV1};
pub(crate) use run::{FORM as RUN_FORM, StoredRun, decode_run, details_apart, restore_detail, waiting};
pub(crate) use schedule::{FORM as SCHEDULE_FORM, RemovedV1, decode_schedule, encode_schedule, removed_at};

const VERSION: u8 = 1;
/// A body up to this is kept with its event; a larger one apart, so that listing events does not read it.
const BODY_INLINE_MAX: usize = 2048;

/// Of a job in a trace.
const JOB_VERSION: u8 = 2;
pub(crate) const COUNTS_FORM: u8 = 4;
/// Without how many of the dead were replayed: nothing is one zero.
const COUNTS_WITHOUT_REPLAYED: u8 = 3;
/// Without what was added at the end: zeros of one byte each.
const COUNTS_WITHOUT_SLOTS: u8 = 2;
const COUNTS_OF_SLOTS: usize = 7;

/// The counters as the first release kept them.
#[derive(Deserialize)]
struct CountsV1 {
    events: u64,
    unrouted: u64,
    duplicates: u64,
    duplicates_differ: u64,
    succeeded: u64,
    dead: u64,
    cancelled: u64,
    pending: u64,
    leased: u64,
    attempts: u64,
    runs_pruned: u64,
    kv_writes: u64,
}

pub(crate) fn encode_counts(counts: &Counts) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(counts, vec![COUNTS_FORM])
        .map_err(|e| StoreError::Corrupt(format!("the counters cannot be written: {e}")))
}

pub(crate) fn decode_counts(bytes: &[u8]) -> Result<Counts, StoreError> {
    let read = |form: &[u8]| {
        postcard::from_bytes(form).map_err(|e| StoreError::Corrupt(format!("the counters do not read: {e}")))
    };
    match bytes.split_first() {
        Some((&COUNTS_FORM, rest)) => return read(rest),
        Some((&COUNTS_WITHOUT_REPLAYED, rest)) => return read(&[rest, &[0]].concat()),
        Some((&COUNTS_WITHOUT_SLOTS, rest)) => return read(&[rest, &[0; COUNTS_OF_SLOTS + 1]].concat()),
        _ => {}
    }
    let old: CountsV1 = decode(bytes)?;
    let runs = old.runs_pruned + old.succeeded + old.dead + old.cancelled;
    Ok(Counts {
        events: old.events,
        unrouted: old.unrouted,
        duplicates: old.duplicates,
        duplicates_differ: old.duplicates_differ,
        succeeded: old.succeeded,
        dead: old.dead,
        cancelled: old.cancelled,
        pending: old.pending,
        leased: old.leased,
        attempts: old.attempts,
        runs_pruned: old.runs_pruned,
        kv_writes: old.kv_writes,
        runs,
        dead_replayed: None,
        ..Counts::default()
    })
}

pub(crate) fn encode<T: Serialize>(form: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(form, vec![VERSION]).map_err(|e| StoreError::Corrupt(format!("a row cannot be written: {e}")))
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|e| StoreError::Corrupt(format!("a row does not read: {e}")))
        }
        Some((version, _)) => Err(StoreError::Corrupt(format!(
            "a row has the form {version}, this release reads {VERSION}: start the release that wrote it"
        ))),
        None => Err(StoreError::Corrupt("a row is empty".to_owned())),
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct EventV1 {
    source: Source,
    namespace: String,
    event_type: String,
    subject: Option<String>,
    time: u64,
    content_type: String,
    attributes: Vec<(String, String)>,
    hops: u8,
    body: BodyV1,
    runs: Vec<[u8; 16]>,
    dedupe: Vec<[u8; 32]>,
}

#[derive(Debug, Serialize, Deserialize)]
enum BodyV1 {
    Inline(#[serde(with = "bytes")] Vec<u8>),
    Apart(u64),
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent {
    /// Without its body where that is kept apart.
    pub(crate) event: Event,
    pub(crate) data_bytes: u64,
    pub(crate) body_apart: bool,
    pub(crate) runs: Vec<RunId>,
    pub(crate) dedupe: Vec<[u8; 32]>,
}

pub(crate) fn body_is_apart(data: &[u8]) -> bool {
    data.len() > BODY_INLINE_MAX
}

pub(crate) fn encode_event(event: Event, runs: &[RunId], dedupe: Vec<[u8; 32]>) -> Result<Vec<u8>, StoreError> {
    let body = match body_is_apart(&event.data) {
        true => BodyV1::Apart(event.data.len() as u64),
        false => BodyV1::Inline(event.data),
    };
    encode(&EventV1 {
        source: event.source,
        namespace: event.namespace,
        event_type: event.event_type,
        subject: event.subject,
        time: event.time.0,
        content_type: event.content_type,
        attributes: event.attributes,
        hops: event.hops,
        body,
        runs: runs.iter().map(|run| run.to_bytes()).collect(),
        dedupe,
    })
}

pub(crate) fn decode_event(id: EventId, bytes: &[u8]) -> Result<StoredEvent, StoreError> {
    let form: EventV1 = decode(bytes)?;
    let (data, data_bytes, body_apart) = match form.body {
        BodyV1::Inline(data) => {
            let length = data.len() as u64;
            (data, length, false)
        }
        BodyV1::Apart(length) => (Vec::new(), length, true),
    };
    let event = Event {
        id,
        source: form.source,
        namespace: form.namespace,
        event_type: form.event_type,
        subject: form.subject,
        time: Timestamp(form.time),
        content_type: form.content_type,
        data,
        attributes: form.attributes,
        hops: form.hops,
    };
    let runs = form.runs.into_iter().map(RunId::from_bytes).collect();
    Ok(StoredEvent { event, data_bytes, body_apart, runs, dedupe: form.dedupe })
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SuppressedV1 {
    /// The event that it repeats.
    pub(crate) first: [u8; 16],
    pub(crate) fingerprint: [u8; 16],
    /// The first event has the same body. It is not kept again where it was sent in the same encoding.
    pub(crate) same_body: bool,
    /// How often it came.
    pub(crate) times: u64,
    /// When it came last.
    pub(crate) last: u64,
    pub(crate) data_bytes: u64,
    /// As events are stored.
    #[serde(with = "bytes")]
    pub(crate) event: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct JobV1 {
    origin: JobOrigin,
    scheduled_at: u64,
    content_type: String,
    #[serde(with = "bytes")]
    data: Vec<u8>,
    hops: u8,
    /// Hash of its unique key, where an earlier release wrote it; it is kept with the run.
    unique: Option<[u8; 32]>,
}

/// A job that is in the trace of what asked for it; others are kept as before.
#[derive(Debug, Serialize, Deserialize)]
struct JobV2 {
    job: JobV1,
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

pub(crate) fn encode_job(job: Job) -> Result<Vec<u8>, StoreError> {
    let trace = job.trace;
    let form = JobV1 {
        unique: None,
        origin: job.origin,
        scheduled_at: job.scheduled_at.0,
        content_type: job.content_type,
        data: job.data,
        hops: job.hops,
    };
    let Some(TraceContext { trace, span, sampled }) = trace else { return encode(&form) };
    let form = JobV2 { job: form, trace: trace.to_bytes(), span: span.to_bytes(), sampled };
    postcard::to_extend(&form, vec![JOB_VERSION])
        .map_err(|e| StoreError::Corrupt(format!("a job cannot be written: {e}")))
}

pub(crate) fn decode_job(id: JobId, bytes: &[u8]) -> Result<Job, StoreError> {
    let (form, trace) = job_form(bytes)?;
    Ok(Job {
        id,
        origin: form.origin,
        scheduled_at: Timestamp(form.scheduled_at),
        content_type: form.content_type,
        data: form.data,
        hops: form.hops,
        trace,
    })
}

/// The hash of the unique key that a job was taken in with.
pub(crate) fn unique_of_job(bytes: &[u8]) -> Result<Option<[u8; 32]>, StoreError> {
    job_form(bytes).map(|(form, _)| form.unique)
}

fn job_form(bytes: &[u8]) -> Result<(JobV1, Option<TraceContext>), StoreError> {
    match bytes.split_first() {
        Some((&JOB_VERSION, rest)) => {
            let form: JobV2 =
                postcard::from_bytes(rest).map_err(|e| StoreError::Corrupt(format!("a job does not read: {e}")))?;
            let (trace, span) = (TraceId::of(form.trace), SpanId::of(form.span));
            Ok((form.job, Some(TraceContext { trace, span, sampled: form.sampled })))
        }
        _ => Ok((decode(bytes)?, None)),
    }
}

/// A dedupe key's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DedupeV1 {
    pub(crate) event: [u8; 16],
    pub(crate) until: u64,
    pub(crate) fingerprint: [u8; 16],
}

/// A plugin's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KvV1 {
    pub(crate) version: u64,
    pub(crate) expires: Option<u64>,
    #[serde(with = "bytes")]
    pub(crate) value: Vec<u8>,
}

impl KvV1 {
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now.0)
    }
}

/// As [`KvV1::is_expired`], from the first bytes of a row.
pub(crate) fn kv_is_expired(beginning: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    let (version, expires): (u64, Option<u64>) = decode(beginning)?;
    Ok(KvV1 { version, expires, value: Vec::new() }.is_expired(now))
}

/// Bytes as bytes: serde's own way writes them one by one.
pub(crate) mod bytes {
    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
