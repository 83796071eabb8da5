//! A browser that has logged in, and by what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Role, SecretHash, TokenName};
use crate::time::{Millis, Timestamp};

/// Browser sessions at one time; one more ends the one that was used longest ago.
pub const SESSIONS_MAX: usize = 1000;
/// A session that is not used for so long is over.
pub const SESSION_IDLE: Millis = Millis(8 * Millis::HOUR.0);
/// No session is longer, however much it is used.
pub const SESSION_MAX: Millis = Millis(7 * Millis::DAY.0);
/// A clock may be put back so far, as by a time server each now and then.
const CLOCK_STEP: Millis = Millis(5 * Millis::MINUTE.0);

/// A browser that has logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Of the id in its cookie.
    pub hash: SecretHash,
    pub holder: Holder,
    pub created: Timestamp,
    /// To within [`USED_STEP`].
    pub used: Timestamp,
}

/// By what somebody logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// The token that the configuration names. The session ends with it.
    Configured(SecretHash),
    /// A token of that name. The session ends with it.
    Token(TokenName),
    /// As a hookbox wrote it that did not keep by which rules. Such a session is over.
    PersonV1 { name: String, role: Role },
    /// An identity provider said who it is, and rules of the configuration then decided the role.
    Person { name: String, role: Role, rules: RulesHash },
}

/// The SHA-256 of what a role was given by: whoever has one by other rules logs in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesHash([u8; 32]);

/// What a session is called, which lets nobody in: the beginning of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId([u8; 8]);

/// A text that names no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 16 hexadecimal digits, as the list of sessions shows them, got {0:?}")]
pub struct NotASessionId(String);

impl RulesHash {
    pub fn of(rules: &[u8]) -> RulesHash {
        RulesHash(Sha256::digest(rules).into())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<SessionId, NotASessionId> {
        let mut id = [0; 8];
        match hex::decode_to_slice(text, &mut id) {
            Ok(()) => Ok(SessionId(id)),
            Err(_) => Err(NotASessionId(text.chars().take(40).collect())),
        }
    }
}

impl Session {
    /// Whether it has been idle for too long, or is too old. One that will only begin was begun while the clock was wrong, and
    /// nobody knows how old it is.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends() || self.created.since(now) > CLOCK_STEP
    }

    /// When it is over, unless it is used before.
    pub fn ends(&self) -> Timestamp {
        self.used.plus(SESSION_IDLE).min(self.created.plus(SESSION_MAX))
    }

    pub fn id(&self) -> SessionId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.hash.as_bytes()[..8]);
        SessionId(id)
    }
}

impl Holder {
    pub fn name(&self) -> &str {
        match self {
            Holder::Configured(_) => "configured",
            Holder::Token(name) => name.as_str(),
            Holder::PersonV1 { name, .. } | Holder::Person { name, .. } => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_750_000_000_000);

    fn session(id: &str) -> Session {
        let holder = Holder::Token(TokenName::parse("ci").unwrap());
        Session { hash: SecretHash::of(id.as_bytes()), holder, created: NOW, used: NOW }
    }

    #[test]
    fn a_session_is_called_by_what_lets_nobody_in() {
        let id = session("a").id();
        assert_eq!(id.to_string(), "ca978112ca1bbdca");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "ca97", "ca978112ca1bbdcaf2", "ca978112ca1bbdcg"] {
            assert!(wrong.parse::<SessionId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_session_is_over_when_it_is_idle_or_old() {
        let used_at = |used: Timestamp| Session { used, ..session("a") };
        assert!(!used_at(NOW).is_over(NOW.plus(Millis(SESSION_IDLE.0 - 1))));
        assert!(used_at(NOW).is_over(NOW.plus(SESSION_IDLE)));
        let end = NOW.plus(SESSION_MAX);
        assert!(!used_at(end).is_over(end.minus(Millis(1))));
        assert!(used_at(end).is_over(end), "it was used a moment ago, and is too old");
    }
    #[test]
    fn a_session_from_the_future_is_over() {
        assert!(!session("a").is_over(NOW.minus(CLOCK_STEP)));
        assert!(session("a").is_over(NOW.minus(CLOCK_STEP).minus(Millis(1))));
    }
}
