use hookbox_core::gate::Order;
use hookbox_core::policy::Policy;
use schemars::JsonSchema;
use serde::Serialize;

/// How the runs of a handler are treated: as hooks.yaml says, else as the plugin declares, else as the host has it.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PolicyView {
    pub(crate) timeout_ms: u64,
    pub(crate) attempts: u32,
    /// The wait after the first failure.
    pub(crate) backoff_ms: u64,
    pub(crate) backoff_curve: &'static str,
    pub(crate) backoff_max_ms: u64,
    pub(crate) priority: &'static str,
    /// Attempts at one time; null: as many as there are slots.
    pub(crate) concurrency: Option<u32>,
    /// Runs with the same key are executed one at a time.
    pub(crate) concurrency_per: Option<String>,
    /// And in the order of acceptance.
    pub(crate) order_per: Option<String>,
    pub(crate) rate: Option<String>,
    pub(crate) unique_per: Option<String>,
    pub(crate) delay_ms: u64,
    pub(crate) expires_ms: Option<u64>,
}

impl PolicyView {
    pub(super) fn of(policy: &Policy) -> PolicyView {
        let per = |wanted| policy.key.as_ref().filter(|(_, order)| *order == wanted).map(|(key, _)| key.to_string());
        PolicyView {
            timeout_ms: policy.timeout.0,
            attempts: policy.attempts,
            backoff_ms: policy.backoff.first.0,
            backoff_curve: policy.backoff.curve.code(),
            backoff_max_ms: policy.backoff.longest.0,
            priority: policy.priority.code(),
            concurrency: policy.concurrency,
            concurrency_per: per(Order::Due),
            order_per: per(Order::Accepted),
            rate: policy.rate.map(|rate| rate.to_string()),
            unique_per: policy.unique_per.as_ref().map(ToString::to_string),
            delay_ms: policy.delay.0,
            expires_ms: policy.expires.map(|span| span.0),
        }
    }
}
