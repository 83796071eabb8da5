use hookbox_core::access::{AccessToken, Holder, Role, Session};
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

/// A browser that has logged in, without what lets it in.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct SessionView {
    pub(crate) id: String,
    pub(crate) who: String,
    pub(crate) role: &'static str,
    /// `token`, `configured` (the token of hooks.yaml), or `provider` (an identity provider said who it is).
    pub(crate) by: &'static str,
    pub(crate) created: String,
    /// To within five minutes.
    pub(crate) used: String,
    /// Unless it is used before.
    pub(crate) ends: String,
    /// Whoever asks is here by it.
    pub(crate) own: bool,
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
    /// `done`, the code of a problem, or for a backup `given-up` or `broken-off`; null while it is under way, and where the host
    /// stopped meanwhile.
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

impl SessionView {
    pub(crate) fn of(session: &Session, role: Role, ends: Timestamp, own: bool) -> SessionView {
        SessionView {
            id: session.id().to_string(),
            who: session.holder.name().to_owned(),
            role: role.as_str(),
            by: match session.holder {
                Holder::Configured(_) => "configured",
                Holder::Token(_) => "token",
                Holder::PersonV1 { .. } | Holder::Person { .. } => "provider",
            },
            created: session.created.to_string(),
            used: session.used.to_string(),
            ends: ends.to_string(),
            own,
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
