//! What follows from an attempt: success, another try, or a dead letter.

use serde::{Deserialize, Serialize};

use crate::attempt::Outcome;
use crate::policy::Curve;
use crate::run::WorkKind;
use crate::time::{Millis, Timestamp};

pub use crate::policy::Policy;

/// Attempts of a run unless set otherwise: with a doubling backoff they span about half a minute.
pub const ATTEMPTS: u32 = 5;
/// More attempts than this are a mistake in the policy.
pub const ATTEMPTS_MAX: u32 = 100;
/// Wait after the first failure; the n-th is 2^(n-1) times as long.
pub const BACKOFF: Millis = Millis(2000);
/// No wait between attempts is longer, whatever the policy or the plugin asks.
pub const BACKOFF_MAX: Millis = Millis::HOUR;
/// A plugin may put an attempt off for so long at most.
pub const RETRY_AFTER_MAX: Millis = Millis::DAY;
/// Wall time of one attempt.
pub const TIMEOUT: Millis = Millis(30_000);
pub const TIMEOUT_MAX: Millis = Millis::HOUR;
/// The wait is made longer or shorter by so many percent, so that runs that failed together do not return together.
pub const JITTER_PERCENT: u64 = 10;

/// How long the waits between attempts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Millis,
    pub curve: Curve,
    /// No wait is longer, but for the jitter.
    pub longest: Millis,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { first: BACKOFF, curve: Curve::Exponential, longest: BACKOFF_MAX }
    }
}

impl Backoff {
    /// The wait after the `attempt`-th failure.
    pub fn after(self, attempt: u32, jitter: Jitter) -> Millis {
        let times = match self.curve {
            Curve::Exponential => 1 << attempt.saturating_sub(1).min(63),
            Curve::Linear => u64::from(attempt.max(1)),
            Curve::Constant => 1,
        };
        let whole = self.first.0.saturating_mul(times).min(self.longest.0).min(BACKOFF_MAX.0);
        let spread = whole * JITTER_PERCENT / 100;
        Millis(whole - spread + 2 * spread * jitter.0 / 1000)
    }
}

/// A number from 0 to 1,000 that the caller draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(u64);

impl Jitter {
    pub const NONE: Jitter = Jitter(500);

    pub fn new(random: u64) -> Jitter {
        Jitter(random % 1001)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Succeed,
    RetryAt(Timestamp),
    /// The run becomes a dead letter.
    Bury(DeadCause),
}

/// Why a run failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadCause {
    /// The handler said that trying again cannot help.
    Permanent,
    /// Every attempt failed.
    AttemptsExhausted,
    /// The plugin or its handler was gone for too long.
    HandlerVanished,
    /// It came about through too many other events and jobs.
    Loop,
    /// Its event's body is not as the provider's schema wants it.
    InvalidBody,
    /// Its handler has taken jobs for too long, and it is an event's.
    HandlerTakesJobs,
    /// Its handler has taken events for too long, and it is a job's.
    HandlerTakesEvents,
}

impl DeadCause {
    /// Of a run that waited for its handler in vain: `missing` is what the handler no longer takes, nothing where it is
    /// gone.
    pub fn of_missing(missing: Option<WorkKind>) -> DeadCause {
        match missing {
            None => DeadCause::HandlerVanished,
            Some(WorkKind::Event) => DeadCause::HandlerTakesJobs,
            Some(WorkKind::Job) => DeadCause::HandlerTakesEvents,
        }
    }

    /// What it means and what to do, for people.
    pub fn told(self) -> &'static str {
        match self {
            DeadCause::Permanent => "the handler said that trying again cannot help: mend the cause and replay it",
            DeadCause::AttemptsExhausted => "every attempt failed: mend the cause and replay it",
            DeadCause::HandlerVanished => {
                "its handler was gone for ten minutes: deploy a version that has it, or roll back to one, and replay it"
            }
            DeadCause::HandlerTakesJobs => {
                "its handler takes jobs since another version, and this is an event: deploy a version whose handler takes \
                 events, or roll back to one, and replay it"
            }
            DeadCause::HandlerTakesEvents => {
                "its handler takes events since another version, and this is a job: deploy a version whose handler takes \
                 jobs, or roll back to one, and replay it"
            }
            DeadCause::Loop => {
                "it came about through too many other events and jobs: end the loop before you replay it"
            }
            DeadCause::InvalidBody => {
                "its body is not as the provider's schema wants it: replay it with another payload"
            }
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            DeadCause::Permanent => "permanent",
            DeadCause::AttemptsExhausted => "attempts-exhausted",
            DeadCause::HandlerVanished => "handler-vanished",
            DeadCause::Loop => "loop",
            DeadCause::InvalidBody => "invalid-body",
            DeadCause::HandlerTakesJobs => "handler-takes-jobs",
            DeadCause::HandlerTakesEvents => "handler-takes-events",
        }
    }
}

/// `attempt` counts from 1 and is the one that ended with `outcome` at `now`.
pub fn decide(policy: &Policy, attempt: u32, outcome: &Outcome, now: Timestamp, jitter: Jitter) -> Decision {
    let asked = match outcome {
        Outcome::Completed { .. } | Outcome::Skipped { .. } => return Decision::Succeed,
        Outcome::Permanent { .. } => return Decision::Bury(DeadCause::Permanent),
        Outcome::Retryable { retry_after, .. } => *retry_after,
        Outcome::Trapped { .. } | Outcome::TimedOut { .. } | Outcome::CpuExhausted { .. } => None,
        Outcome::OutOfMemory { .. } | Outcome::Lost | Outcome::Cancelled | Outcome::Revoked { .. } => None,
    };
    if attempt >= policy.attempts {
        return Decision::Bury(DeadCause::AttemptsExhausted);
    }
    match (asked, outcome) {
        (Some(asked), _) => Decision::RetryAt(now.plus(asked.min(RETRY_AFTER_MAX))),
        // A host that crashed was away for long enough.
        (None, Outcome::Lost) => Decision::RetryAt(now),
        (None, _) => Decision::RetryAt(now.plus(policy.backoff.after(attempt, jitter))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn failed() -> Outcome {
        Outcome::Retryable { message: "busy".into(), retry_after: None }
    }

    fn after(attempt: u32, outcome: &Outcome) -> Decision {
        decide(&Policy::default(), attempt, outcome, NOW, Jitter::NONE)
    }

    #[test]
    fn the_wait_doubles() {
        assert_eq!(after(1, &failed()), Decision::RetryAt(NOW.plus(Millis(2000))));
        assert_eq!(after(2, &failed()), Decision::RetryAt(NOW.plus(Millis(4000))));
        assert_eq!(after(4, &failed()), Decision::RetryAt(NOW.plus(Millis(16_000))));
    }

    #[test]
    fn the_waits_follow_the_curve_up_to_the_longest() {
        let waits = |curve| {
            let backoff = Backoff { first: Millis(2000), curve, longest: Millis(9000) };
            [1, 2, 3, 4].map(|attempt| backoff.after(attempt, Jitter::NONE).0)
        };
        assert_eq!(waits(Curve::Exponential), [2000, 4000, 8000, 9000]);
        assert_eq!(waits(Curve::Linear), [2000, 4000, 6000, 8000]);
        assert_eq!(waits(Curve::Constant), [2000, 2000, 2000, 2000]);
    }

    #[test]
    fn the_last_attempt_makes_a_dead_letter() {
        assert_eq!(after(5, &failed()), Decision::Bury(DeadCause::AttemptsExhausted));
        assert_eq!(after(5, &Outcome::Lost), Decision::Bury(DeadCause::AttemptsExhausted));
    }

    #[test]
    fn a_permanent_failure_is_not_tried_again() {
        let outcome = Outcome::Permanent { message: "no such customer".into() };
        assert_eq!(after(1, &outcome), Decision::Bury(DeadCause::Permanent));
    }

    #[test]
    fn a_plugin_may_ask_for_its_own_wait() {
        let asked = |ms| Outcome::Retryable { message: "busy".into(), retry_after: Some(Millis(ms)) };
        assert_eq!(after(1, &asked(1500)), Decision::RetryAt(NOW.plus(Millis(1500))));
        assert_eq!(after(1, &asked(u64::MAX)), Decision::RetryAt(NOW.plus(RETRY_AFTER_MAX)));
    }

    #[test]
    fn a_run_that_was_lost_in_a_crash_is_due_at_once() {
        assert_eq!(after(1, &Outcome::Lost), Decision::RetryAt(NOW));
    }

    proptest! {
        #[test]
        fn the_wait_stays_within_its_jitter_and_cap(first in 0..=BACKOFF_MAX.0, attempt in 1u32..200, random: u64) {
            for curve in Curve::ALL {
                let backoff = Backoff { first: Millis(first), curve, ..Backoff::default() };
                let wait = backoff.after(attempt, Jitter::new(random)).0;
                let whole = backoff.after(attempt, Jitter::NONE).0;
                prop_assert!(wait <= BACKOFF_MAX.0 + BACKOFF_MAX.0 / 10);
                prop_assert!(wait >= whole - whole / 10 - 2 && wait <= whole + whole / 10 + 2);
            }
        }
    }
}
