use hookbox_core::access::AccessToken;
use hookbox_core::time::Timestamp;
use hookbox_store::types::Audited;
use schemars::JsonSchema;
use serde::Serialize;

/// A token, without itself.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct TokenView {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) created: String,
    /// Who made it.
    pub(crate) by: String,
    /// To within five minutes; null where it never was.
    pub(crate) used: Option<String>,
    pub(crate) expires: Option<String>,
    /// It counts no longer.
    pub(crate) expired: bool,
}

/// A token that was just made: nobody can read it again.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct NewTokenView {
    pub(crate) token: String,
    #[serde(flatten)]
    pub(crate) view: TokenView,
}

/// What somebody did.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct AuditView {
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) who: String,
    /// `loopback`, `token`, `session`, or `nobody`.
    pub(crate) via: &'static str,
    pub(crate) role: Option<&'static str>,
    pub(crate) address: String,
    pub(crate) what: String,
    pub(crate) object: String,
    /// `done`, or the code of a problem; null while it is under way, and where the host stopped meanwhile.
    pub(crate) result: Option<String>,
    pub(crate) detail: Option<String>,
}

/// Who asks.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct WhoView {
    pub(crate) who: String,
    pub(crate) via: &'static str,
    pub(crate) role: &'static str,
}

impl TokenView {
    pub(crate) fn of(token: &AccessToken, now: Timestamp) -> TokenView {
        TokenView {
            name: token.name.to_string(),
            role: token.role.as_str(),
            created: token.created.to_string(),
            by: token.by.clone(),
            used: token.used.map(|used| used.to_string()),
            expires: token.expires.map(|expires| expires.to_string()),
            expired: !token.counts(now),
        }
    }
}

impl AuditView {
    pub(crate) fn of(audited: &Audited) -> AuditView {
        let Audited { number, entry, outcome } = audited;
        AuditView {
            number: *number,
            at: entry.at.to_string(),
            who: entry.who.clone(),
            via: entry.via.as_str(),
            role: entry.role.map(|role| role.as_str()),
            address: entry.address.clone(),
            what: entry.what.clone(),
            object: entry.object.clone(),
            result: outcome.as_ref().map(|outcome| outcome.result.clone()),
            detail: outcome.as_ref().map(|outcome| outcome.detail.clone()).filter(|detail| !detail.is_empty()),
        }
    }
}
