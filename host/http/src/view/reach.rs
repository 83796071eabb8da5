//! What a plugin reached outside its sandbox, and what it was denied.

use hookbox_core::attempt::{Request, RequestEnd};
use hookbox_core::denial::{Denial, Denied};
use schemars::JsonSchema;
use serde::Serialize;

/// A request that the handler sent, or was not allowed to send.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct RequestView {
    pub(crate) method: String,
    /// Without its query, and with long parts of the path masked.
    pub(crate) url: String,
    /// `answered`, `failed`, `denied`, or `unfinished` where the attempt ended before.
    pub(crate) end: &'static str,
    pub(crate) status: Option<u16>,
    /// Why it failed or was denied.
    pub(crate) reason: Option<String>,
    pub(crate) ms: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
}

impl RequestView {
    pub(crate) fn of(request: &Request) -> RequestView {
        let (end, status, reason) = match &request.end {
            RequestEnd::Unfinished => ("unfinished", None, None),
            RequestEnd::Answered(status) => ("answered", Some(*status), None),
            RequestEnd::Failed(reason) => ("failed", None, Some(reason.clone())),
            RequestEnd::Denied(reason) => ("denied", None, Some(reason.clone())),
        };
        RequestView {
            method: request.method.clone(),
            url: request.url.clone(),
            end,
            status,
            reason,
            ms: request.ms,
            sent_bytes: request.sent_bytes,
            received_bytes: request.received_bytes,
        }
    }
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct DeniedView {
    /// `request`, `emit` or `secret`.
    pub(crate) kind: &'static str,
    pub(crate) what: String,
    /// Why, and what to change in hooks.yaml.
    pub(crate) reason: String,
}

impl DeniedView {
    pub(crate) fn of(denied: &Denied) -> DeniedView {
        DeniedView { kind: denied.kind.code(), what: denied.what.clone(), reason: denied.reason.clone() }
    }
}

/// The same thing, over all attempts of a plugin.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct DenialView {
    #[serde(flatten)]
    pub(crate) denied: DeniedView,
    /// Attempts that tried it.
    pub(crate) attempts: u64,
    pub(crate) first: String,
    pub(crate) last: String,
    /// The last run that tried it.
    pub(crate) run: String,
}

impl DenialView {
    pub(crate) fn of(denial: &Denial) -> DenialView {
        DenialView {
            denied: DeniedView::of(&denial.denied),
            attempts: denial.attempts,
            first: denial.first.to_string(),
            last: denial.last.to_string(),
            run: denial.run.to_string(),
        }
    }
}
