//! Who is let in, and the log of what they did.

use super::Total;
use hookbox_core::access::{AccessToken, AuditEntry, AuditOutcome, SecretHash, Session, TokenName};
use hookbox_core::time::Timestamp;

/// What is changed of who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessChange {
    /// One of another name. False where there is one of this name.
    NewToken(AccessToken),
    /// Its sessions end with it.
    RevokeToken(TokenName),
    /// What is over is removed, and where there are too many, the one that was used longest ago.
    NewSession(Session),
    EndSession(SecretHash),
    TokenUsed(TokenName, Timestamp),
    SessionUsed(SecretHash, Timestamp),
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Later ones are larger.
    pub number: u64,
    pub entry: AuditEntry,
    /// Nothing where it is under way, or the host stopped meanwhile.
    pub outcome: Option<AuditOutcome>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    pub items: Vec<Audited>,
    /// There may be more before this one.
    pub next: Option<u64>,
    /// Of all pages.
    pub total: Total,
}

/// Which entries are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    pub who: Option<String>,
    /// What was done, or the object that it was done to, contains this.
    pub text: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}
