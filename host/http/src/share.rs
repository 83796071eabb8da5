//! How much of what is bounded one source holds, connections, requests or bytes: a stranger must not hold all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One source holds at most this part of what there may be.
pub(crate) const PART: usize = 4;

/// What is held, by source; no more entries than there is held.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shares(Arc<Mutex<HashMap<u128, usize>>>);

/// Some of what a source holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Shares,
    key: u128,
    amount: usize,
    /// Loopback is not bounded: it is this machine, or a proxy on it that would stand for everyone.
    is_bounded: bool,
}

impl Shares {
    /// One. `None` where the source holds `max` already.
    pub(crate) fn enter(&self, source: IpAddr, max: usize) -> Option<Share> {
        let mut share = self.none_of(source);
        share.grow(1, max).then_some(share)
    }

    /// To grow.
    pub(crate) fn none_of(&self, source: IpAddr) -> Share {
        Share { shares: self.clone(), key: key(source), amount: 0, is_bounded: !source.is_loopback() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<u128, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// False where the source would hold more than `max`: then it is as it was.
    pub(crate) fn grow(&mut self, by: usize, max: usize) -> bool {
        let mut held = self.shares.held();
        let all = held.get(&self.key).copied().unwrap_or_default().saturating_add(by);
        if all > max && self.is_bounded {
            return false;
        }
        if all > 0 {
            held.insert(self.key, all);
        }
        self.amount += by;
        true
    }

    pub(crate) fn shrink(&mut self, by: usize) {
        let by = by.min(self.amount);
        self.amount -= by;
        if let Entry::Occupied(mut entry) = self.shares.held().entry(self.key) {
            match entry.get().saturating_sub(by) {
                0 => drop(entry.remove()),
                left => *entry.get_mut() = left,
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(self.amount);
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
