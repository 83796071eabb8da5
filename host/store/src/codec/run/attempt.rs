//! An attempt within the row of its run, and the parts of it that are kept apart where they are large.

use hookbox_core::attempt::{Attempt, Log, Outcome, Output, Requests};
use hookbox_core::denial::Denied;
use hookbox_core::plugin::Digest;
use hookbox_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::DetailRow;
use super::cost::{CallsV4, CostV1, CpuUnit, of_one};
use crate::codec::{decode, encode};
use crate::error::StoreError;

const DETAIL_WITH_REACH: u8 = 2;
/// Log and result of an attempt up to this are kept with the run.
const DETAIL_INLINE_MAX: usize = 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AttemptV1 {
    pub(super) number: u32,
    started: u64,
    finished: u64,
    /// Without its output.
    outcome: Outcome,
    cost: CostV1,
    version: Option<[u8; 32]>,
    /// Nothing: it is kept apart.
    detail: Option<DetailV1>,
}

/// An attempt that was put back, with what it asked of its host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RevokedV5 {
    attempt: AttemptV1,
    calls: Vec<CallsV4>,
}

/// The parts of an attempt that may be large.
#[derive(Debug, Default, Serialize, Deserialize)]
struct DetailV1 {
    output: Option<Output>,
    log: Log,
}

/// The detail of an attempt that sent requests or was denied something: always kept apart.
#[derive(Debug, Serialize, Deserialize)]
struct DetailV2 {
    detail: DetailV1,
    requests: Requests,
    denied: Vec<Denied>,
}

/// Details that are kept apart.
pub(super) struct Details<'a> {
    /// The numbers of all of them.
    pub(super) apart: &'a mut Vec<u32>,
    /// Those that are not yet written.
    pub(super) rows: Vec<DetailRow>,
}

impl AttemptV1 {
    /// Takes the detail out of the attempt, unless it is kept apart already. `number` is that of the detail.
    pub(super) fn of(attempt: &mut Attempt, number: u32, details: &mut Details<'_>) -> Result<AttemptV1, StoreError> {
        let mut detail = None;
        if !details.apart.contains(&number) {
            let own = take_detail(attempt);
            let (requests, denied) = (std::mem::take(&mut attempt.requests), std::mem::take(&mut attempt.denied));
            let encoded = encode(&own)?;
            let row = if !requests.is_empty() || !denied.is_empty() {
                Some(with_reach(DetailV2 { detail: own, requests, denied })?)
            } else if encoded.len() > DETAIL_INLINE_MAX {
                Some(encoded)
            } else {
                detail = Some(own);
                None
            };
            if let Some(row) = row {
                details.rows.push((number, row));
                details.apart.push(number);
            }
        }
        Ok(AttemptV1 {
            number: attempt.number,
            started: attempt.started.0,
            finished: attempt.finished.0,
            outcome: attempt.outcome.clone(),
            cost: CostV1::of(&attempt.cost),
            version: attempt.version.map(|digest| digest.0),
            detail,
        })
    }

    pub(super) fn into_attempt(self, calls: Vec<CallsV4>, unit: CpuUnit, number: u32, apart: &mut Vec<u32>) -> Attempt {
        let mut attempt = Attempt {
            number: self.number,
            started: Timestamp(self.started),
            finished: Timestamp(self.finished),
            outcome: self.outcome,
            log: Log::default(),
            cost: self.cost.with(calls, unit),
            requests: Requests::default(),
            denied: Vec::new(),
            version: self.version.map(Digest),
        };
        match self.detail {
            Some(detail) => put_detail(&mut attempt, detail),
            None => apart.push(number),
        }
        attempt
    }
}

impl RevokedV5 {
    pub(super) fn of(attempt: &mut Attempt, number: u32, details: &mut Details<'_>) -> Result<RevokedV5, StoreError> {
        let calls = of_one(&attempt.cost.calls);
        Ok(RevokedV5 { attempt: AttemptV1::of(attempt, number, details)?, calls })
    }

    pub(super) fn into_attempt(self, number: u32, apart: &mut Vec<u32>) -> Attempt {
        self.attempt.into_attempt(self.calls, CpuUnit::Microseconds, number, apart)
    }
}

fn take_detail(attempt: &mut Attempt) -> DetailV1 {
    let output = match &mut attempt.outcome {
        Outcome::Completed { output } => output.take(),
        _ => None,
    };
    DetailV1 { output, log: std::mem::take(&mut attempt.log) }
}

fn with_reach(detail: DetailV2) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(&detail, vec![DETAIL_WITH_REACH])
        .map_err(|e| StoreError::Corrupt(format!("the detail of an attempt cannot be written: {e}")))
}

fn put_detail(attempt: &mut Attempt, detail: DetailV1) {
    attempt.log = detail.log;
    if let Outcome::Completed { output } = &mut attempt.outcome {
        *output = detail.output;
    }
}

/// Puts a detail that was kept apart back into its attempt.
pub(crate) fn restore_detail(attempt: &mut Attempt, bytes: &[u8]) -> Result<(), StoreError> {
    let detail = match bytes.split_first() {
        Some((&DETAIL_WITH_REACH, rest)) => {
            let DetailV2 { detail, requests, denied } = postcard::from_bytes(rest)
                .map_err(|e| StoreError::Corrupt(format!("the detail of an attempt does not read: {e}")))?;
            (attempt.requests, attempt.denied) = (requests, denied);
            detail
        }
        _ => decode(bytes)?,
    };
    put_detail(attempt, detail);
    Ok(())
}
