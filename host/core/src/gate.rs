//! Runs that wait for one another because they have the same key.

use sha2::{Digest, Sha256};

use crate::name::HandlerRef;

/// Longest key, in bytes; of a longer one its hash is the key.
pub const KEY_BYTES_MAX: usize = 128;

/// Of all runs of one handler with the same key, one is executed at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// What the handler's policy found in the payload, or the name of a schedule.
    pub key: String,
    pub order: Order,
}

/// Which of the runs that wait goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Whichever is due first: while one waits for its next attempt, others go on.
    Due,
    /// As they were due for the first time, and of those that were at once, as they were accepted: one that was put off
    /// keeps nobody waiting before its time. While one that has begun waits for its next attempt, later ones wait, until
    /// it succeeds, is a dead letter or is cancelled.
    Accepted,
}

/// Names a gate among all handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateId([u8; 16]);

impl Gate {
    pub fn new(key: &str, order: Order) -> Gate {
        let key = match key.len() {
            0..=KEY_BYTES_MAX => key.to_owned(),
            _ => format!("sha256:{}", hex::encode(Sha256::digest(key.as_bytes()))),
        };
        Gate { key, order }
    }

    pub fn id(&self, target: &HandlerRef) -> GateId {
        let mut hash = Sha256::new();
        for part in [target.plugin.as_str(), target.handler.as_str(), &self.key] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(hash.first_chunk::<16>().unwrap_or(&[0; 16]));
        GateId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_of_one_handler_and_one_key_whatever_its_order() {
        let target = |text: &str| text.parse::<HandlerRef>().unwrap();
        let id = |handler: &str, key: &str| Gate::new(key, Order::Due).id(&target(handler));
        assert_eq!(id("shop/a", "42"), Gate::new("42", Order::Accepted).id(&target("shop/a")));
        assert_ne!(id("shop/a", "42"), id("shop/b", "42"));
        assert_ne!(id("shop/a", "42"), id("shop/a", "43"));
    }

    #[test]
    fn a_long_key_is_told_from_another_by_its_hash() {
        let long = |end: &str| Gate::new(&("x".repeat(4000) + end), Order::Due);
        assert!(long("a").key.len() <= KEY_BYTES_MAX && long("a") != long("b"));
    }
}
