//! How much of what is bounded one source holds, connections or requests: a stranger must not hold all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One source holds at most this part of what there may be.
pub(crate) const PART: usize = 4;

/// What is held, by source; no more entries than there is held.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shares(Arc<Mutex<HashMap<u128, usize>>>);

/// One of what a source holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Shares,
    key: u128,
}

impl Shares {
    /// `None` where the source holds `max` already. Loopback is not counted: it is this machine, or a proxy on it that
    /// would stand for everyone.
    pub(crate) fn enter(&self, source: IpAddr, max: usize) -> Option<Share> {
        let key = key(source);
        let mut held = self.held();
        let count = held.get(&key).copied().unwrap_or_default();
        if count >= max && !source.is_loopback() {
            return None;
        }
        held.insert(key, count + 1);
        Some(Share { shares: self.clone(), key })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u128, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.shares.held().entry(self.key) {
            match entry.get() {
                0 | 1 => drop(entry.remove()),
                _ => *entry.get_mut() -= 1,
            }
        }
    }
}

/// Whoever has one address of an IPv6 /64 has them all.
pub(crate) fn key(source: IpAddr) -> u128 {
    match source {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_holds_its_share_and_no_more() {
        let shares = Shares::default();
        let slow: Vec<_> = (0..3).map(|_| shares.enter(address("192.0.2.1"), 3)).collect();
        assert!(slow.iter().all(Option::is_some));
        assert!(shares.enter(address("192.0.2.1"), 3).is_none());
        assert!(shares.enter(address("192.0.2.2"), 3).is_some(), "another source has its own");
        drop(slow);
        assert!(shares.enter(address("192.0.2.1"), 3).is_some());
    }

    #[test]
    fn one_ipv6_network_is_one_source_and_loopback_is_none() {
        let shares = Shares::default();
        let _held = shares.enter(address("2001:db8::1"), 1).unwrap();
        assert!(shares.enter(address("2001:db8::2"), 1).is_none());
        let own: Vec<_> = (0..3).map(|_| shares.enter(address("127.0.0.1"), 1)).collect();
        assert!(own.iter().all(Option::is_some));
    }

    #[test]
    fn nothing_is_kept_of_a_source_that_is_gone() {
        let shares = Shares::default();
        drop(shares.enter(address("192.0.2.1"), 1));
        assert!(shares.held().is_empty());
        assert!(shares.enter(address("192.0.2.1"), 0).is_none());
        assert!(shares.held().is_empty());
    }
}
