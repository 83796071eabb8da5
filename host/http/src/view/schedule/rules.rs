//! What a schedule does besides its times.

use hookbox_core::policy::Curve;
use hookbox_core::schedule::{MISSED_WITHIN, Missed, ON_TIME, Schedule};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RulesView {
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    /// It ends after so many slots that made a run.
    pub(crate) count: Option<u64>,
    /// Each slot is put off by up to this, and by how much each one is.
    pub(crate) jitter_ms: u64,
    pub(crate) put_off_ms: u64,
    pub(crate) overlap: String,
    pub(crate) missed: String,
    /// A slot that is late by more is missed.
    pub(crate) missed_within_ms: u64,
    pub(crate) pause_after: Option<u32>,
    /// Null where the handler's own policy counts.
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) attempts: Option<u32>,
    pub(crate) backoff_ms: Option<u64>,
    pub(crate) backoff_curve: Option<&'static str>,
    pub(crate) backoff_max_ms: Option<u64>,
}

impl RulesView {
    pub(crate) fn of(schedule: &Schedule) -> RulesView {
        let rules = &schedule.rules;
        let within = match rules.missed {
            Missed::None => ON_TIME,
            Missed::Latest | Missed::All(_) => rules.missed_within.unwrap_or(MISSED_WITHIN).max(ON_TIME),
        };
        RulesView {
            start: rules.start.map(|at| at.to_string()),
            end: rules.end.map(|at| at.to_string()),
            count: rules.count,
            jitter_ms: rules.jitter.0,
            put_off_ms: schedule.put_off().0,
            overlap: rules.overlap.to_string(),
            missed: rules.missed.to_string(),
            missed_within_ms: within.0,
            pause_after: rules.pause_after,
            timeout_ms: rules.policy.timeout.map(|span| span.0),
            attempts: rules.policy.attempts,
            backoff_ms: rules.policy.backoff.map(|span| span.0),
            backoff_curve: rules.policy.backoff_curve.map(Curve::code),
            backoff_max_ms: rules.policy.backoff_max.map(|span| span.0),
        }
    }
}
