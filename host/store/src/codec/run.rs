//! The stored form of a run and its attempts. Form 6 ends with the run that asked for it. Form 5 without that ends with attempts that
//! were revoked, and has CPU time in microseconds, not milliseconds. Form 5, form 4 without them, form 3 without what each attempt asked of its host, form 2 without whole retries
//! of a run's own, and form 1 without what a run waits for either are read and no longer written.

mod attempt;
mod cost;

use hookbox_core::attempt::Attempt;
use hookbox_core::gate::{Gate, Order};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerRef, ScheduleName};
use hookbox_core::policy::Curve;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{BootId, CancelCause, Lease, Run, RunPolicy, RunState, Work, WorkKind};
use hookbox_core::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use super::decode;
use crate::error::StoreError;
use crate::index::{WaitingForTime, Waits};
pub(crate) use attempt::restore_detail;
use attempt::{AttemptV1, Details, RevokedV5};
use cost::{CallsV4, CpuUnit, calls_of};

const VERSION_WITH_TERMS: u8 = 2;
const VERSION_WITH_RETRIES: u8 = 3;
const VERSION_WITH_CALLS: u8 = 4;
const VERSION_WITH_REVOKED: u8 = 5;
const VERSION_WITH_MAKER: u8 = 6;
/// What is written.
pub(crate) const FORM: u8 = VERSION_WITH_MAKER;
/// What was added at the end since, each nothing and of one byte: the retries are two, the calls, the revoked and the maker one.
const RETRIES_AND_LATER: [u8; 5] = [0; 5];
const CALLS_AND_LATER: [u8; 3] = [0; 3];
const REVOKED_AND_LATER: [u8; 2] = [0; 2];
const MAKER: [u8; 1] = [0; 1];
/// The number under which the detail of the first revoked attempt is kept apart: no attempt has such a one.
const REVOKED_DETAIL: u32 = 1 << 16;

#[derive(Debug, Serialize, Deserialize)]
struct RunV6 {
    run: RunV1,
    gate: Option<GateV2>,
    sequence: u64,
    expires: Option<u64>,
    unique: Option<[u8; 32]>,
    timeout_ms: Option<u64>,
    attempts_max: Option<u32>,
    backoff_ms: Option<u64>,
    replayed: Option<[u8; 16]>,
    schedule: Option<ScheduleName>,
    backoff_curve: Option<Curve>,
    backoff_max_ms: Option<u64>,
    /// Of each attempt, in their order; those after the last one here made none.
    calls: Vec<Vec<CallsV4>>,
    revoked: Vec<RevokedV5>,
    made_by: Option<[u8; 16]>,
}

#[derive(Debug, Serialize, Deserialize)]
struct GateV2 {
    key: String,
    in_order: bool,
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
    Leased { lease: LeaseV1 },
    Succeeded { at: u64 },
    Dead { at: u64, cause: DeadCause },
    Cancelled { at: u64 },
    CancelledBecause { at: u64, cause: CancelCause },
}

/// How often the run was put back is told by the run.
#[derive(Debug, Serialize, Deserialize)]
struct LeaseV1 {
    boot: BootId,
    attempt: u32,
    at: Timestamp,
}

/// The number of an attempt, and the row of its detail.
pub(crate) type DetailRow = (u32, Vec<u8>);

/// A run as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredRun {
    /// Attempts whose detail is kept apart have none here.
    pub(crate) run: Run,
    /// The numbers under which details are kept apart.
    pub(crate) apart: Vec<u32>,
    /// Length of the row that it was read from.
    pub(crate) row_bytes: usize,
    /// How it waited by that row, where it was pending.
    pub(crate) waited: Option<Waits>,
}

impl StoredRun {
    pub(crate) fn new(run: Run) -> StoredRun {
        StoredRun { run, apart: Vec::new(), row_bytes: 0, waited: None }
    }

    /// The run's row, and the rows of details that are too large for it and not yet written.
    pub(crate) fn encode(&mut self) -> Result<(Vec<u8>, Vec<DetailRow>), StoreError> {
        let calls = calls_of(&self.run.attempts);
        let mut details = Details { apart: &mut self.apart, rows: Vec::new() };
        let (mut attempts, mut revoked) = (Vec::new(), Vec::new());
        for attempt in &mut self.run.attempts {
            attempts.push(AttemptV1::of(attempt, attempt.number, &mut details)?);
        }
        for (number, attempt) in (REVOKED_DETAIL..).zip(&mut self.run.revoked) {
            revoked.push(RevokedV5::of(attempt, number, &mut details)?);
        }
        let details = details.rows;
        let run = &self.run;
        let first = RunV1 {
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
                RunState::Leased { lease: Lease { boot, attempt, at, .. } } => {
                    StateV1::Leased { lease: LeaseV1 { boot, attempt, at } }
                }
                RunState::Succeeded { at } => StateV1::Succeeded { at: at.0 },
                RunState::Dead { at, cause } => StateV1::Dead { at: at.0, cause },
                RunState::Cancelled { at, cause } => StateV1::CancelledBecause { at: at.0, cause },
            },
            attempts_begun: run.attempts_begun,
            drains: run.drains,
            attempts,
        };
        let form = RunV6 {
            run: first,
            gate: run
                .gate
                .as_ref()
                .map(|gate| GateV2 { key: gate.key.clone(), in_order: gate.order == Order::Accepted }),
            sequence: run.sequence,
            expires: run.expires.map(|at| at.0),
            unique: run.unique,
            timeout_ms: run.own.timeout.map(|span| span.0),
            attempts_max: run.own.attempts,
            backoff_ms: run.own.backoff.map(|span| span.0),
            replayed: run.replayed.map(RunId::to_bytes),
            schedule: run.schedule.clone(),
            backoff_curve: run.own.backoff_curve,
            backoff_max_ms: run.own.backoff_max.map(|span| span.0),
            calls,
            revoked,
            made_by: run.made_by.map(RunId::to_bytes),
        };
        let row = postcard::to_extend(&form, vec![VERSION_WITH_MAKER])
            .map_err(|e| StoreError::Corrupt(format!("a run cannot be written: {e}")))?;
        Ok((row, details))
    }
}

fn form(bytes: &[u8]) -> Result<RunV6, StoreError> {
    let read = |form: &[u8]| {
        postcard::from_bytes(form).map_err(|e| StoreError::Corrupt(format!("the row of a run does not read: {e}")))
    };
    match bytes.split_first() {
        Some((&VERSION_WITH_MAKER, rest)) => read(rest),
        Some((&VERSION_WITH_REVOKED, rest)) => read(&[rest, &MAKER].concat()),
        Some((&VERSION_WITH_CALLS, rest)) => read(&[rest, &REVOKED_AND_LATER].concat()),
        Some((&VERSION_WITH_RETRIES, rest)) => read(&[rest, &CALLS_AND_LATER].concat()),
        Some((&VERSION_WITH_TERMS, rest)) => read(&[rest, &RETRIES_AND_LATER].concat()),
        _ => Ok(RunV6 {
            run: decode(bytes)?,
            gate: None,
            sequence: 0,
            expires: None,
            unique: None,
            timeout_ms: None,
            attempts_max: None,
            backoff_ms: None,
            replayed: None,
            schedule: None,
            backoff_curve: None,
            backoff_max_ms: None,
            calls: Vec::new(),
            revoked: Vec::new(),
            made_by: None,
        }),
    }
}

pub(crate) fn decode_run(id: RunId, bytes: &[u8]) -> Result<StoredRun, StoreError> {
    let stored = form(bytes)?;
    let own = RunPolicy {
        timeout: stored.timeout_ms.map(Millis),
        attempts: stored.attempts_max,
        backoff: stored.backoff_ms.map(Millis),
        backoff_curve: stored.backoff_curve,
        backoff_max: stored.backoff_max_ms.map(Millis),
    };
    let RunV6 {
        run: form, gate, sequence, expires, unique, replayed, schedule, calls, revoked: forms, made_by, ..
    } = stored;
    let unit = match bytes.first() {
        Some(&(VERSION_WITH_REVOKED | VERSION_WITH_MAKER)) => CpuUnit::Microseconds,
        _ => CpuUnit::Milliseconds,
    };
    let (mut attempts, mut apart, mut calls) = (Vec::new(), Vec::new(), calls.into_iter());
    for form in form.attempts {
        let number = form.number;
        attempts.push(form.into_attempt(calls.next().unwrap_or_default(), unit, number, &mut apart));
    }
    let revoked = (REVOKED_DETAIL..).zip(forms).map(|(number, form)| form.into_attempt(number, &mut apart)).collect();
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
        gate: gate.map(|gate| Gate { key: gate.key, order: if gate.in_order { Order::Accepted } else { Order::Due } }),
        sequence,
        expires: expires.map(Timestamp),
        unique,
        own,
        replayed: replayed.map(RunId::from_bytes),
        schedule,
        made_by: made_by.map(RunId::from_bytes),
        state: match form.state {
            StateV1::Pending { due } => RunState::Pending { due: Timestamp(due) },
            StateV1::Leased { lease: LeaseV1 { boot, attempt, at } } => {
                RunState::Leased { lease: Lease { boot, attempt, drains: form.drains, at } }
            }
            StateV1::Succeeded { at } => RunState::Succeeded { at: Timestamp(at) },
            StateV1::Dead { at, cause } => RunState::Dead { at: Timestamp(at), cause },
            StateV1::Cancelled { at } => RunState::Cancelled { at: Timestamp(at), cause: CancelCause::Operator },
            StateV1::CancelledBecause { at, cause } => RunState::Cancelled { at: Timestamp(at), cause },
        },
        attempts_begun: form.attempts_begun,
        drains: form.drains,
        attempts,
        revoked,
    };
    let waited = Waits::of(&run);
    Ok(StoredRun { run, apart, row_bytes: bytes.len(), waited })
}

/// What [`waiting`] has to read of a row.
#[derive(Deserialize)]
struct Beginning<'a> {
    plugin: &'a str,
    handler: &'a str,
    work: WorkV1,
    _parent: Option<[u8; 16]>,
    _idempotency_key: &'a str,
    _created: u64,
    _hops: u8,
    state: StateV1,
    _attempts_begun: u32,
    _drains: u8,
    _attempts: Vec<AttemptV1>,
    gate: Option<GateV2>,
    _sequence: u64,
    expires: Option<u64>,
}

/// A run that waits for its time only, read from its row without what else is in it. Nothing: it is another kind of run
/// or row, and has to be decoded.
pub(crate) fn waiting(row: &[u8]) -> Option<WaitingForTime<'_>> {
    let known =
        [VERSION_WITH_TERMS, VERSION_WITH_RETRIES, VERSION_WITH_CALLS, VERSION_WITH_REVOKED, VERSION_WITH_MAKER];
    let (_, rest) = row.split_first().filter(|(version, _)| known.contains(version))?;
    let form: Beginning<'_> = postcard::from_bytes(rest).ok()?;
    match form.state {
        StateV1::Pending { due } if form.gate.is_none() && form.expires.is_none() => {
            let kind = match form.work {
                WorkV1::Event(_) => WorkKind::Event,
                WorkV1::Job(_) => WorkKind::Job,
            };
            Some(WaitingForTime { plugin: form.plugin, handler: form.handler, kind, due: Timestamp(due) })
        }
        _ => None,
    }
}

/// The attempts of a run whose details are kept apart, each with the number under which they are.
pub(crate) fn details_apart<'r>(run: &'r mut Run, apart: &[u32]) -> impl Iterator<Item = (u32, &'r mut Attempt)> {
    let attempts = run.attempts.iter_mut().map(|attempt| (attempt.number, attempt));
    attempts.chain((REVOKED_DETAIL..).zip(&mut run.revoked)).filter(move |(number, _)| apart.contains(number))
}
