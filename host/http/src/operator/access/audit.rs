//! What was asked for is written down before it is done, and its outcome after it. Where the host stops in between,
//! the entry says that it was begun.

use std::net::IpAddr;

use axum::http::StatusCode;
use hookbox_core::access::{AuditEntry, AuditOutcome, Via};

use super::caller::Caller;
use crate::operator::Operator;
use crate::problem::Problem;

/// What is asked for, and from where.
pub(in crate::operator) struct Deed<'a> {
    pub(in crate::operator) what: &'a str,
    pub(in crate::operator) object: String,
    pub(in crate::operator) address: IpAddr,
}

impl Operator {
    /// Nothing may be done that cannot be written down.
    pub(in crate::operator) async fn begin(&self, caller: Option<&Caller>, deed: &Deed<'_>) -> Result<u64, Problem> {
        let entry = AuditEntry {
            at: self.clock.now(),
            who: caller.map_or("nobody".to_owned(), |caller| AuditEntry::clipped(&caller.who)),
            via: caller.map_or(Via::Nobody, Caller::via),
            role: caller.map(|caller| caller.role),
            address: deed.address.to_string(),
            what: deed.what.to_owned(),
            object: AuditEntry::clipped(&deed.object),
        };
        Ok(self.store.audit(entry).await?)
    }

    /// `result` is `done` or the code of a problem.
    pub(in crate::operator) async fn end(&self, number: u64, result: &str, detail: &str) {
        let outcome = AuditOutcome { result: result.to_owned(), detail: AuditEntry::clipped(detail) };
        if let Err(error) = self.store.audit_outcome(number, outcome).await {
            tracing::error!(audit.number = number, %error, "the outcome of entry {number} of the audit log is lost: {error}");
        }
    }

    /// Somebody was refused. Only some are written down, so that nobody can push everything else out of the log; of those who
    /// were let in as many as of strangers, so that no noise hides what they tried.
    pub(super) async fn refused(&self, caller: Option<&Caller>, deed: &Deed<'_>, code: &str) {
        if !self.access.writes_down_refusal(caller.is_some(), self.clock.monotonic()) {
            return;
        }
        // A store that takes nothing does not keep anybody from being refused.
        if let Ok(number) = self.begin(caller, deed).await {
            self.end(number, code, "").await;
        }
    }
}

/// What an answer comes to, where its handler did not say.
pub(super) fn result(status: StatusCode) -> String {
    if status.is_success() || status.is_redirection() { "done".to_owned() } else { status.as_str().to_owned() }
}
