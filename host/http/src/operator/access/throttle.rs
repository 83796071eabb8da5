//! How often somebody may show a wrong token: a few times from one address, and so many altogether. Memory is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hookbox_core::clock::Monotonic;
use hookbox_core::time::Millis;

use crate::share;

/// Failures are counted over this time, from the first one on.
const WINDOW: Millis = Millis(10 * Millis::MINUTE.0);
/// From one address (IPv6: one /64).
const PER_ADDRESS: u32 = 10;
const ALTOGETHER: u32 = 200;
/// One address is forgotten for each further one.
const ADDRESSES_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    all: Count,
    by_address: HashMap<u128, Count>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    since: Monotonic,
    failures: u32,
}

impl Count {
    /// How long to wait before another one may be tried.
    pub(super) fn wait(&self, most: u32, now: Monotonic) -> Option<Millis> {
        let over = WINDOW.0.saturating_sub(now.since(self.since).0);
        (self.failures >= most && over > 0).then_some(Millis(over))
    }

    pub(super) fn add(&mut self, now: Monotonic) {
        if self.failures == 0 || now.since(self.since) >= WINDOW {
            *self = Count { since: now, failures: 0 };
        }
        self.failures += 1;
    }
}

impl Throttle {
    /// How long whoever asks from there has to wait.
    pub(super) fn wait(&self, address: IpAddr, now: Monotonic) -> Option<Millis> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = failures.by_address.get(&share::key(address)).and_then(|count| count.wait(PER_ADDRESS, now));
        // Strangers elsewhere must not keep out what runs on this machine, such as a check of its health.
        let all = if address.is_loopback() { None } else { failures.all.wait(ALTOGETHER, now) };
        own.max(all)
    }

    pub(super) fn failed(&self, address: IpAddr, now: Monotonic) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.all.add(now);
        let (by_address, key) = (&mut failures.by_address, share::key(address));
        if by_address.len() >= ADDRESSES_MAX && !by_address.contains_key(&key) {
            let oldest = by_address.iter().min_by_key(|(_, count)| count.since).map(|(key, _)| *key);
            oldest.map(|oldest| by_address.remove(&oldest));
        }
        by_address.entry(key).or_default().add(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::from((0x0A00_0000 + n).to_be_bytes())
    }

    #[test]
    fn an_address_waits_until_its_window_is_over() {
        let throttle = Throttle::default();
        let start = Monotonic(5);
        for _ in 0..PER_ADDRESS {
            assert_eq!(throttle.wait(address(1), start), None);
            throttle.failed(address(1), start);
        }
        assert_eq!(throttle.wait(address(1), start.plus(Millis(1))), Some(Millis(WINDOW.0 - 1)));
        assert_eq!(throttle.wait(address(2), start), None);
        let later = start.plus(WINDOW);
        assert_eq!(throttle.wait(address(1), later), None);
        throttle.failed(address(1), later);
        assert_eq!(throttle.wait(address(1), later), None);
    }

    #[test]
    fn all_of_them_wait_together_and_memory_has_an_end() {
        let throttle = Throttle::default();
        for n in 0..ALTOGETHER {
            assert_eq!(throttle.wait(address(n), Monotonic(0)), None);
            throttle.failed(address(n), Monotonic(0));
        }
        assert_eq!(throttle.wait(address(9999), Monotonic(0)), Some(WINDOW));
        for own in [IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)] {
            assert_eq!(throttle.wait(own, Monotonic(0)), None);
        }
        for n in 0..3000 {
            throttle.failed(address(n), Monotonic(u64::from(n)));
        }
        assert_eq!(throttle.0.lock().unwrap().by_address.len(), ADDRESSES_MAX);
    }
}
