//! What became of the webhooks of each provider since the start, and why the last ones were refused.
//!
//! It holds no secret, no signature and no body, and it is bounded: providers are those of hooks.yaml, causes are few,
//! and of refusals the last ones are kept.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookbox_core::name::ProviderName;
use hookbox_core::time::Timestamp;
use hookbox_store::types::Accepted;

/// Refusals of one provider that are kept; those for providers that do not exist share as many.
pub const RECENT_MAX: usize = 50;
/// Secrets of one provider that are counted, those that have gone included.
const SECRETS_MAX: usize = 64;

/// Shared by both listeners.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    providers: BTreeMap<ProviderName, Counted>,
    /// For names that no provider has.
    strangers: Counted,
}

/// Of one provider.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    /// Of those: with another body than the first.
    pub(crate) differing: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// How often each secret matched, by the place that it is in.
    pub(crate) secrets: BTreeMap<String, u64>,
    pub(crate) last_accepted: Option<Timestamp>,
    /// The latest first.
    pub(crate) recent: VecDeque<Turned>,
}

/// A refusal, as the operator sees it.
#[derive(Debug, Clone)]
pub(crate) struct Turned {
    pub(crate) at: Timestamp,
    pub(crate) cause: &'static str,
    pub(crate) message: String,
    pub(crate) source: IpAddr,
}

impl Tally {
    /// `secret` is the place that the one is in that matched.
    pub(crate) fn accepted(&self, provider: &ProviderName, secret: &str, accepted: &[Accepted], now: Timestamp) {
        let mut counts = self.counts();
        let counted = counts.providers.entry(provider.clone()).or_default();
        for accepted in accepted {
            match accepted {
                Accepted::New(_) => counted.accepted += 1,
                Accepted::Duplicate { same_body, .. } => {
                    counted.duplicates += 1;
                    counted.differing += u64::from(!same_body);
                }
            }
        }
        counted.last_accepted = Some(now);
        if counted.secrets.len() < SECRETS_MAX || counted.secrets.contains_key(secret) {
            *counted.secrets.entry(secret.to_owned()).or_default() += 1;
        }
    }

    /// `None` for a name that no provider has.
    pub(crate) fn refused(&self, provider: Option<&ProviderName>, turned: Turned) {
        let mut counts = self.counts();
        let counted = match provider {
            Some(provider) => counts.providers.entry(provider.clone()).or_default(),
            None => &mut counts.strangers,
        };
        *counted.refused.entry(turned.cause).or_default() += 1;
        counted.recent.truncate(RECENT_MAX - 1);
        counted.recent.push_front(turned);
    }

    pub(crate) fn of(&self, provider: &ProviderName) -> Counted {
        self.counts().providers.get(provider).cloned().unwrap_or_default()
    }

    pub(crate) fn strangers(&self) -> Counted {
        self.counts().strangers.clone()
    }

    /// Of all, those of providers that do not exist included.
    pub(crate) fn refusals(&self) -> u64 {
        let counts = self.counts();
        let all = counts.providers.values().chain([&counts.strangers]);
        all.flat_map(|counted| counted.refused.values()).sum()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn turned(number: usize) -> Turned {
        let message = number.to_string();
        Turned { at: Timestamp(0), cause: "mismatch", message, source: Ipv4Addr::LOCALHOST.into() }
    }

    #[test]
    fn the_latest_refusals_are_kept_and_all_are_counted() {
        let (tally, shop) = (Tally::default(), ProviderName::parse("shop").unwrap());
        for number in 0..RECENT_MAX + 5 {
            tally.refused(Some(&shop), turned(number));
        }
        let counted = tally.of(&shop);
        assert_eq!(counted.recent.len(), RECENT_MAX);
        assert_eq!(counted.recent[0].message, (RECENT_MAX + 4).to_string());
        assert_eq!(counted.refused["mismatch"], (RECENT_MAX + 5) as u64);
        assert!(tally.strangers().recent.is_empty());
    }

    #[test]
    fn strangers_make_no_provider() {
        let tally = Tally::default();
        tally.refused(None, turned(1));
        assert_eq!(tally.strangers().refused["mismatch"], 1);
        assert!(tally.counts().providers.is_empty());
    }
}
