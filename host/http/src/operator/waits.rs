//! Waiting for the end of a run: a bounded time, and a bounded number of those who wait.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::id::RunId;
use hookbox_core::run::Run;
use hookbox_store::StoreError;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};

use super::streams::until_changed;
use super::{Operator, access};
use crate::problem::Problem;

/// Longest wait, in seconds.
pub(super) const WAIT_SECONDS_MAX: u64 = 60;
/// Requests that wait at one time.
const WAITS_MAX: usize = 64;
/// Changes are gathered for so long: a busy host has many of other runs.
const GATHER: Duration = Duration::from_millis(20);

/// Places for those who wait.
#[derive(Debug)]
pub(super) struct Waits(Semaphore);

pub(super) type Waiting = (Arc<Operator>, Arc<Waits>);

impl Default for Waits {
    fn default() -> Waits {
        Waits(Semaphore::new(WAITS_MAX))
    }
}

/// So many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(Duration);

#[derive(Debug)]
pub(super) struct NotAWait;

impl fmt::Display for NotAWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be a number of seconds from 0 to {WAIT_SECONDS_MAX}")
    }
}

impl FromStr for Wait {
    type Err = NotAWait;

    fn from_str(text: &str) -> Result<Wait, NotAWait> {
        let seconds = text.parse().ok().filter(|seconds| *seconds <= WAIT_SECONDS_MAX);
        seconds.map(|seconds| Wait(Duration::from_secs(seconds))).ok_or(NotAWait)
    }
}

/// The run once it has ended, or as it is when the wait is over or the host goes down.
pub(super) async fn run(operator: &Operator, waits: &Waits, id: RunId, wait: Option<Wait>) -> Result<Run, Problem> {
    let run = operator.store.run(id).await?;
    match wait.filter(|_| !run.status().is_terminal()) {
        Some(wait) => Ok(ended(operator, waits.place()?, id, wait).await?),
        None => Ok(run),
    }
}

/// The same by somebody who has a place. Nobody is told who was let in no longer by then.
pub(super) async fn ended(
    operator: &Operator,
    _place: SemaphorePermit<'_>,
    id: RunId,
    Wait(wait): Wait,
) -> Result<Run, Problem> {
    let ended = tokio::time::timeout(wait, until_ended(operator, id)).await;
    let run = match ended {
        Ok(run) => run?,
        Err(_) => operator.store.run(id).await?,
    };
    match access::is_still_in(operator) {
        true => Ok(run),
        false => Err(Problem::token_wanted().because("what let you in counts no longer")),
    }
}

impl Waits {
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.0.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits | TryAcquireError::Closed => Problem::for_now()
                .because(format!("{WAITS_MAX} requests wait for a result: come again, or ask without wait")),
        })
    }
}

async fn until_ended(operator: &Operator, id: RunId) -> Result<Run, StoreError> {
    let mut seen = operator.store.signals().changed.last();
    loop {
        // It may have ended before what was seen.
        let run = operator.store.run(id).await?;
        if run.status().is_terminal() {
            return Ok(run);
        }
        loop {
            if until_changed(operator, seen).await.is_none() {
                return Ok(run);
            }
            tokio::time::sleep(GATHER).await;
            let since = operator.store.signals().changed.since(seen);
            seen = since.last;
            if since.missed || since.runs.contains(&id) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded() {
        assert_eq!("60".parse::<Wait>().unwrap(), Wait(Duration::from_secs(60)));
        for bad in ["61", "-1", "", "5s", "1.5"] {
            assert!(bad.parse::<Wait>().is_err(), "{bad}");
        }
    }
}
