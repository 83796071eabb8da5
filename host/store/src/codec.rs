//! The stored forms: versioned types of their own, written as a version byte
//! and postcard. A change of a form is a new version that reads the old one; a
//! golden file in the tests notices a change that nobody meant.

use hookbox_core::attempt::{Attempt, Cost, Log, Outcome, Output};
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::Digest;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Lease, Run, RunState, Work};
use hookbox_core::schedule::{Schedule, ScheduleRow, SlotCounts, SlotRecord};
use hookbox_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

const VERSION: u8 = 1;
/// A body up to this is kept with its event; a larger one apart, so that listing events does not read it.
const BODY_INLINE_MAX: usize = 2048;
/// Log and result of an attempt up to this are kept with the run.
const DETAIL_INLINE_MAX: usize = 1024;

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
struct JobV1 {
    origin: JobOrigin,
    scheduled_at: u64,
    content_type: String,
    #[serde(with = "bytes")]
    data: Vec<u8>,
    hops: u8,
    /// Hash of its unique key.
    unique: Option<[u8; 32]>,
}

pub(crate) fn encode_job(job: Job, unique: Option<[u8; 32]>) -> Result<Vec<u8>, StoreError> {
    encode(&JobV1 {
        unique,
        origin: job.origin,
        scheduled_at: job.scheduled_at.0,
        content_type: job.content_type,
        data: job.data,
        hops: job.hops,
    })
}

pub(crate) fn decode_job(id: JobId, bytes: &[u8]) -> Result<Job, StoreError> {
    let form: JobV1 = decode(bytes)?;
    Ok(Job {
        id,
        origin: form.origin,
        scheduled_at: Timestamp(form.scheduled_at),
        content_type: form.content_type,
        data: form.data,
        hops: form.hops,
    })
}

/// The hash of the unique key that a job was taken in with.
pub(crate) fn unique_of_job(bytes: &[u8]) -> Result<Option<[u8; 32]>, StoreError> {
    decode::<JobV1>(bytes).map(|form| form.unique)
}

#[derive(Debug, Serialize, Deserialize)]
struct RunV1 {
    target: HandlerRef,
    work: WorkV1,
    parent: Option<[u8; 16]>,
    idempotency_key: String,
    created: u64,
    hops: u8,
    state: StateV1,
    attempts_begun: u32,
    drains: u8,
    attempts: Vec<AttemptV1>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WorkV1 {
    Event([u8; 16]),
    Job([u8; 16]),
}

#[derive(Debug, Serialize, Deserialize)]
enum StateV1 {
    Pending { due: u64 },
    Leased { lease: Lease },
    Succeeded { at: u64 },
    Dead { at: u64, cause: DeadCause },
    Cancelled { at: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
struct AttemptV1 {
    number: u32,
    started: u64,
    finished: u64,
    /// Without its output.
    outcome: Outcome,
    cost: Cost,
    version: Option<[u8; 32]>,
    /// Nothing: it is kept apart.
    detail: Option<DetailV1>,
}

/// The parts of an attempt that may be large.
#[derive(Debug, Default, Serialize, Deserialize)]
struct DetailV1 {
    output: Option<Output>,
    log: Log,
}

/// Rows of details, by the attempt's number.
pub(crate) type Details = Vec<(u32, Vec<u8>)>;

/// A run as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredRun {
    /// Attempts whose detail is kept apart have none here.
    pub(crate) run: Run,
    pub(crate) apart: Vec<u32>,
}

impl StoredRun {
    pub(crate) fn new(run: Run) -> StoredRun {
        StoredRun { run, apart: Vec::new() }
    }

    /// The run's row, and the rows of details that are too large for it and not yet written.
    pub(crate) fn encode(&mut self) -> Result<(Vec<u8>, Details), StoreError> {
        let (mut attempts, mut details) = (Vec::new(), Vec::new());
        for attempt in &mut self.run.attempts {
            let mut detail = None;
            if !self.apart.contains(&attempt.number) {
                let own = take_detail(attempt);
                let encoded = encode(&own)?;
                if encoded.len() > DETAIL_INLINE_MAX {
                    details.push((attempt.number, encoded));
                    self.apart.push(attempt.number);
                } else {
                    detail = Some(own);
                }
            }
            attempts.push(AttemptV1 {
                number: attempt.number,
                started: attempt.started.0,
                finished: attempt.finished.0,
                outcome: attempt.outcome.clone(),
                cost: attempt.cost,
                version: attempt.version.map(|digest| digest.0),
                detail,
            });
        }
        let run = &self.run;
        let row = encode(&RunV1 {
            target: run.target.clone(),
            work: match run.work {
                Work::Event(id) => WorkV1::Event(id.to_bytes()),
                Work::Job(id) => WorkV1::Job(id.to_bytes()),
            },
            parent: run.parent.map(RunId::to_bytes),
            idempotency_key: run.idempotency_key.clone(),
            created: run.created.0,
            hops: run.hops,
            state: match run.state {
                RunState::Pending { due } => StateV1::Pending { due: due.0 },
                RunState::Leased { lease } => StateV1::Leased { lease },
                RunState::Succeeded { at } => StateV1::Succeeded { at: at.0 },
                RunState::Dead { at, cause } => StateV1::Dead { at: at.0, cause },
                RunState::Cancelled { at } => StateV1::Cancelled { at: at.0 },
            },
            attempts_begun: run.attempts_begun,
            drains: run.drains,
            attempts,
        })?;
        Ok((row, details))
    }
}

fn take_detail(attempt: &mut Attempt) -> DetailV1 {
    let output = match &mut attempt.outcome {
        Outcome::Completed { output } => output.take(),
        _ => None,
    };
    DetailV1 { output, log: std::mem::take(&mut attempt.log) }
}

fn put_detail(attempt: &mut Attempt, detail: DetailV1) {
    attempt.log = detail.log;
    if let Outcome::Completed { output } = &mut attempt.outcome {
        *output = detail.output;
    }
}

pub(crate) fn decode_run(id: RunId, bytes: &[u8]) -> Result<StoredRun, StoreError> {
    let form: RunV1 = decode(bytes)?;
    let (mut attempts, mut apart) = (Vec::new(), Vec::new());
    for stored in form.attempts {
        let mut attempt = Attempt {
            number: stored.number,
            started: Timestamp(stored.started),
            finished: Timestamp(stored.finished),
            outcome: stored.outcome,
            log: Log::default(),
            cost: stored.cost,
            version: stored.version.map(Digest),
        };
        match stored.detail {
            Some(detail) => put_detail(&mut attempt, detail),
            None => apart.push(attempt.number),
        }
        attempts.push(attempt);
    }
    let run = Run {
        id,
        target: form.target,
        work: match form.work {
            WorkV1::Event(id) => Work::Event(EventId::from_bytes(id)),
            WorkV1::Job(id) => Work::Job(JobId::from_bytes(id)),
        },
        parent: form.parent.map(RunId::from_bytes),
        idempotency_key: form.idempotency_key,
        created: Timestamp(form.created),
        hops: form.hops,
        state: match form.state {
            StateV1::Pending { due } => RunState::Pending { due: Timestamp(due) },
            StateV1::Leased { lease } => RunState::Leased { lease },
            StateV1::Succeeded { at } => RunState::Succeeded { at: Timestamp(at) },
            StateV1::Dead { at, cause } => RunState::Dead { at: Timestamp(at), cause },
            StateV1::Cancelled { at } => RunState::Cancelled { at: Timestamp(at) },
        },
        attempts_begun: form.attempts_begun,
        drains: form.drains,
        attempts,
    };
    Ok(StoredRun { run, apart })
}

/// Puts a detail that was kept apart back into its attempt.
pub(crate) fn restore_detail(attempt: &mut Attempt, bytes: &[u8]) -> Result<(), StoreError> {
    put_detail(attempt, decode(bytes)?);
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct ScheduleV1 {
    schedule: Schedule,
    anchor: u64,
    decided: u64,
    next: Option<u64>,
    last_fired: Option<u64>,
    last_run: Option<[u8; 16]>,
    counts: SlotCounts,
    recent: Vec<SlotRecord>,
}

pub(crate) fn encode_schedule(row: ScheduleRow) -> Result<Vec<u8>, StoreError> {
    encode(&ScheduleV1 {
        schedule: row.schedule,
        anchor: row.anchor.0,
        decided: row.decided.0,
        next: row.next.map(|at| at.0),
        last_fired: row.last_fired.map(|at| at.0),
        last_run: row.last_run.map(RunId::to_bytes),
        counts: row.counts,
        recent: row.recent,
    })
}

pub(crate) fn decode_schedule(bytes: &[u8]) -> Result<ScheduleRow, StoreError> {
    let form: ScheduleV1 = decode(bytes)?;
    Ok(ScheduleRow {
        schedule: form.schedule,
        anchor: Timestamp(form.anchor),
        decided: Timestamp(form.decided),
        next: form.next.map(Timestamp),
        last_fired: form.last_fired.map(Timestamp),
        last_run: form.last_run.map(RunId::from_bytes),
        counts: form.counts,
        recent: form.recent,
    })
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
mod bytes {
    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
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
