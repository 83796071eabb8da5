//! Who may use the operator's listener: roles, tokens, sessions, and the audit log of what they did.

mod session;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use self::session::{
    Holder, NotASessionId, RulesHash, SESSION_IDLE, SESSION_MAX, SESSIONS_MAX, Session, SessionId,
};
pub use crate::name::TokenName;
use crate::time::{Millis, Timestamp};

/// Tokens at one time: one for each person and machine.
pub const TOKENS_MAX: usize = 100;
/// When a token or session was last used is kept this exactly, so that not every request is a write.
pub const USED_STEP: Millis = Millis(5 * Millis::MINUTE.0);
/// Of each text in an entry of the audit log, in characters.
pub const AUDIT_CHARS_MAX: usize = 200;

/// What somebody may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read `/metrics` and the health, and nothing else: for a machine that watches the host.
    Metrics,
    /// Read everything but tokens and the audit log.
    Viewer,
    /// Run, cancel, replay, hold, schedule and roll back.
    Operator,
    /// Put code and secrets on the machine, make and revoke tokens, read the audit log.
    Admin,
}

/// A text that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be viewer, operator, admin, or metrics, got {0:?}")]
pub struct NotARole(String);

/// The SHA-256 of a secret of 256 random bits. Nobody can search so many, so no salt and no slow hash would add
/// anything. It compares in constant time, and prints nothing of itself.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct SecretHash([u8; 32]);

/// What a program or a person shows to be let in. The token itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    pub name: TokenName,
    pub hash: SecretHash,
    pub role: Role,
    pub created: Timestamp,
    /// Who made it.
    pub by: String,
    /// To within [`USED_STEP`].
    pub used: Option<Timestamp>,
    /// From then on it counts no longer.
    pub expires: Option<Timestamp>,
}

/// Everybody who is let in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRows {
    pub tokens: BTreeMap<TokenName, AccessToken>,
    pub sessions: BTreeMap<SecretHash, Session>,
}

/// What somebody did by the operator's listener, as it is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// `loopback`, `configured`, the name of a token, or of a person.
    pub who: String,
    pub via: Via,
    pub role: Option<Role>,
    /// Where the request came from.
    pub address: String,
    /// Such as `cancel run`.
    pub what: String,
    /// Such as a run's id.
    pub object: String,
}

/// How somebody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// From this machine, without a token.
    Loopback,
    Token,
    Session,
    /// Not at all.
    Nobody,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditOutcome {
    /// `done`, or the code of the problem.
    pub result: String,
    /// What exactly it was done to, where the path does not say.
    pub detail: String,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Metrics, Role::Viewer, Role::Operator, Role::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Metrics => "metrics",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Role, NotARole> {
        let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| NotARole(text.chars().take(40).collect()))
    }
}

impl SecretHash {
    pub fn of(secret: &[u8]) -> SecretHash {
        SecretHash(Sha256::digest(secret).into())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &SecretHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

/// By the hash: what its order gives away by time is nothing that leads to a secret.
impl Ord for SecretHash {
    fn cmp(&self, other: &SecretHash) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for SecretHash {
    fn partial_cmp(&self, other: &SecretHash) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash]")
    }
}

impl AccessToken {
    pub fn counts(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl AccessRows {
    /// The token that somebody shows. Every one is compared, so that the time says nothing of which.
    pub fn token(&self, shown: &SecretHash, now: Timestamp) -> Option<&AccessToken> {
        let found =
            self.tokens.values().fold(None, |found, token| if token.hash == *shown { Some(token) } else { found });
        found.filter(|token| token.counts(now))
    }

    /// The session of a cookie, and the role that it has; `configured` is the token of the configuration.
    pub fn session(
        &self,
        shown: &SecretHash,
        configured: Option<&SecretHash>,
        now: Timestamp,
    ) -> Option<(&Session, Role)> {
        let session = self.sessions.get(shown).filter(|session| !session.is_over(now))?;
        let role = match &session.holder {
            Holder::Configured(hash) => (configured == Some(hash)).then_some(Role::Admin),
            Holder::Token(name) => self.tokens.get(name).filter(|token| token.counts(now)).map(|token| token.role),
            Holder::PersonV1 { .. } => None,
            Holder::Person { role, .. } => Some(*role),
        };
        Some((session, role?))
    }

    /// Whether a token is there that still counts and may do everything.
    pub fn has_admin(&self, now: Timestamp) -> bool {
        self.tokens.values().any(|token| token.role == Role::Admin && token.counts(now))
    }
}

impl AuditEntry {
    /// Without control characters, and no longer than it is kept.
    pub fn clipped(text: &str) -> String {
        text.chars().filter(|c| !c.is_control()).take(AUDIT_CHARS_MAX).collect()
    }
}

impl Via {
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Loopback => "loopback",
            Via::Token => "token",
            Via::Session => "session",
            Via::Nobody => "nobody",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_750_000_000_000);

    fn token(name: &str, role: Role, expires: Option<Timestamp>) -> AccessToken {
        let name = TokenName::parse(name).unwrap();
        let hash = SecretHash::of(name.as_str().as_bytes());
        AccessToken { name, hash, role, created: NOW, by: "loopback".to_owned(), used: None, expires }
    }

    fn session(id: &str, holder: Holder) -> Session {
        Session { hash: SecretHash::of(id.as_bytes()), holder, created: NOW, used: NOW }
    }

    fn rows(tokens: &[AccessToken], sessions: &[Session]) -> AccessRows {
        AccessRows {
            tokens: tokens.iter().map(|token| (token.name.clone(), token.clone())).collect(),
            sessions: sessions.iter().map(|session| (session.hash, session.clone())).collect(),
        }
    }

    #[test]
    fn roles_are_in_order_and_read_back() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!(
            "root".parse::<Role>().unwrap_err().to_string(),
            "must be viewer, operator, admin, or metrics, got \"root\""
        );
    }

    #[test]
    fn a_hash_prints_nothing() {
        assert_eq!(format!("{:?}", token("ci", Role::Viewer, None).hash), "[hash]");
        assert_eq!(SecretHash::of(b"a"), SecretHash::of(b"a"));
        assert_ne!(SecretHash::of(b"a"), SecretHash::of(b"b"));
    }

    #[test]
    fn a_token_counts_until_it_expires() {
        let rows = rows(&[token("ci", Role::Operator, Some(NOW)), token("me", Role::Admin, None)], &[]);
        let before = NOW.minus(Millis(1));
        assert!(rows.token(&SecretHash::of(b"ci"), before).is_some());
        assert!(rows.token(&SecretHash::of(b"ci"), NOW).is_none());
        assert!(rows.token(&SecretHash::of(b"cj"), before).is_none());
        assert!(rows.has_admin(NOW));
        assert!(!self::rows(&[token("ci", Role::Operator, None)], &[]).has_admin(NOW));
        assert!(!self::rows(&[token("ci", Role::Admin, Some(NOW))], &[]).has_admin(NOW));
    }

    #[test]
    fn a_session_has_the_role_of_what_it_was_begun_with_and_ends_with_it() {
        let configured = SecretHash::of(b"hush");
        let person = Holder::Person { name: "ann".to_owned(), role: Role::Viewer, rules: RulesHash::of(b"") };
        let former = Holder::PersonV1 { name: "ann".to_owned(), role: Role::Viewer };
        let sessions = [
            session("a", Holder::Token(TokenName::parse("ci").unwrap())),
            session("b", Holder::Configured(configured)),
            session("c", person),
            session("d", Holder::Token(TokenName::parse("gone").unwrap())),
            session("f", former),
        ];
        let rows = rows(&[token("ci", Role::Operator, Some(NOW.plus(Millis(9))))], &sessions);
        let role = |id: &str, configured: Option<SecretHash>, now| {
            rows.session(&SecretHash::of(id.as_bytes()), configured.as_ref(), now).map(|(_, role)| role)
        };
        assert_eq!(role("a", None, NOW), Some(Role::Operator));
        assert_eq!(role("a", None, NOW.plus(Millis(9))), None, "its token has expired");
        assert_eq!(role("b", Some(configured), NOW), Some(Role::Admin));
        assert_eq!(role("b", Some(SecretHash::of(b"other")), NOW), None);
        assert_eq!(role("b", None, NOW), None);
        assert_eq!(role("c", None, NOW), Some(Role::Viewer));
        assert_eq!(role("d", None, NOW), None);
        assert_eq!(role("e", None, NOW), None);
        assert_eq!(role("f", None, NOW), None, "nobody knows by which rules");
    }
}
