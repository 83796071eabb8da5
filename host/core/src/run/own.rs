//! What a run has in place of its handler's policy.

use serde::{Deserialize, Serialize};

use crate::policy::{Curve, Policy};
use crate::time::Millis;

/// The parts of a policy that a run brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunPolicy {
    pub timeout: Option<Millis>,
    pub attempts: Option<u32>,
    /// The wait after the first failure.
    pub backoff: Option<Millis>,
    pub backoff_curve: Option<Curve>,
    pub backoff_max: Option<Millis>,
}

impl RunPolicy {
    #[must_use]
    pub fn over(self, mut policy: Policy) -> Policy {
        policy.timeout = self.timeout.unwrap_or(policy.timeout);
        policy.attempts = self.attempts.unwrap_or(policy.attempts);
        let backoff = &mut policy.backoff;
        backoff.first = self.backoff.unwrap_or(backoff.first);
        backoff.curve = self.backoff_curve.unwrap_or(backoff.curve);
        backoff.longest = self.backoff_max.unwrap_or(backoff.longest);
        policy
    }
}
