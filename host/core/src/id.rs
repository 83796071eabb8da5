//! Ids: a prefix that says what it names, and a ULID (time-ordered, 26 characters).

use std::fmt;
use std::str::FromStr;

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ulid::Ulid;
use zeroize::Zeroizing;

use crate::time::Timestamp;

/// A text that is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an id such as {prefix}01JABCDEFGHJKMNPQRSTVWXYZ0, got {text:?}")]
pub struct NotAnId {
    prefix: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(u128);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// Ids made at a later millisecond sort later. `random` gives its low 80 bits.
            pub fn new(at: Timestamp, random: u128) -> Self {
                Self(Ulid::from_parts(at.0, random).0)
            }

            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            /// Sorts like the id itself.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// The time it was made with.
            pub fn time(self) -> Timestamp {
                Timestamp(Ulid(self.0).timestamp_ms())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                f.write_str($prefix)?;
                f.write_str(Ulid(self.0).array_to_str(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix($prefix)
                    // 26 digits hold 130 bits: above 7 the first one would lose some.
                    .filter(|ulid| ulid.as_bytes().first().is_some_and(|first| *first <= b'7'))
                    .and_then(|ulid| Ulid::from_string(ulid).ok())
                    .map(|ulid| Self(ulid.0))
                    .ok_or_else(|| NotAnId { prefix: $prefix, text: text.to_owned() })
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }
    };
}

id!(
    /// An event; made when it is accepted.
    EventId, "evt_"
);
id!(
    /// A job; made when it is accepted.
    JobId, "job_"
);
id!(
    /// A run; made when it is accepted.
    RunId, "run_"
);

/// Makes the random parts of ids: SHA-256 over a secret seed and a counter, so that nobody who knows some ids can name
/// another.
#[derive(Debug)]
pub struct Mint {
    seed: Zeroizing<[u8; 32]>,
    counter: AtomicU64,
}

impl Mint {
    /// Two mints with the same seed make the same ids.
    pub fn new(seed: [u8; 32]) -> Mint {
        Mint { seed: Zeroizing::new(seed), counter: AtomicU64::new(0) }
    }

    pub fn event(&self, at: Timestamp) -> EventId {
        EventId::new(at, self.random())
    }

    pub fn job(&self, at: Timestamp) -> JobId {
        JobId::new(at, self.random())
    }

    pub fn run(&self, at: Timestamp) -> RunId {
        RunId::new(at, self.random())
    }

    pub fn random(&self) -> u128 {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(*self.seed);
        hash.update(number.to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let secret = hash.iter().take(7).fold(0, |number, byte| number << 8 | u128::from(*byte));
        // 24 bits of the counter before 56 that nobody can guess: ids of one millisecond sort as they were made.
        u128::from(number & 0xFF_FFFF) << 56 | secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_keeps_its_time() {
        let id = RunId::new(Timestamp(1_750_861_210_123), 7);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(RunId::from_bytes(id.to_bytes()), id);
        assert_eq!(id.time(), Timestamp(1_750_861_210_123));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let event = EventId::new(Timestamp(1), 1).to_string();
        assert!(event.parse::<RunId>().is_err());
        assert!("run_".parse::<RunId>().is_err());
        assert!("run_8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<RunId>().is_err());
    }

    #[test]
    fn a_mint_never_makes_the_same_id_twice() {
        let mint = Mint::new([7; 32]);
        let made: std::collections::BTreeSet<RunId> = (0..1000).map(|_| mint.run(Timestamp(1))).collect();
        assert_eq!(made.len(), 1000);
    }

    #[test]
    fn later_ids_sort_later_as_text_and_as_bytes() {
        let (early, late) = (RunId::new(Timestamp(1), u128::MAX), RunId::new(Timestamp(2), 0));
        assert!(early < late && early.to_string() < late.to_string() && early.to_bytes() < late.to_bytes());
    }
}
