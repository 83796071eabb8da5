//! The providers that are live: whose deliveries can be verified.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use hookbox_core::body_schema::{BodySchema, Fault, Otherwise};
use hookbox_core::clock::Monotonic;
use hookbox_core::name::ProviderName;
use hookbox_core::rate::{Bucket, Rate};
use hookbox_core::route::Pattern;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Keyring, Scheme, Verifier, sample, schemes};
use ipnet::IpNet;

use crate::pairing::Pairable;

/// What the secrets of decoys are made of: they open nothing.
const DECOY_SEED: [u8; 32] = [1; 32];

#[derive(Debug)]
pub struct LiveProvider {
    pub verifier: Keyring,
    /// The place that each of its secrets is in, in the order of their positions.
    pub secret_places: Vec<String>,
    /// When each of them was written, as far as that is known.
    pub secrets_written: Vec<Option<Timestamp>>,
    /// What the sender calls, without a query; needed where it signs the URL.
    pub public_url: Option<String>,
    /// How long a delivery is known by its id.
    pub dedupe: Millis,
    /// `None`: the limit of the listener.
    pub body_bytes_max: Option<usize>,
    /// Where its deliveries may come from; empty: from anywhere.
    pub allow_from: Vec<IpNet>,
    /// `None`: verified deliveries have no limit.
    pub allowance: Option<Allowance>,
    /// What bodies must be.
    pub schemas: Vec<SchemaRule>,
}

/// What the bodies of some events must be.
#[derive(Debug, Clone)]
pub struct SchemaRule {
    pub events: Pattern,
    pub schema: BodySchema,
    pub otherwise: Otherwise,
}

impl LiveProvider {
    pub(crate) fn secret_place(&self, position: usize) -> &str {
        self.secret_places.get(position).map_or("unknown", String::as_str)
    }

    /// `*` where there is no limit.
    pub(crate) fn allowed_per_minute(&self) -> String {
        let per_minute = |allowance: &Allowance| allowance.rate.each_minute().to_string();
        self.allowance.as_ref().map_or_else(|| "*".to_owned(), per_minute)
    }

    /// What is wrong with an event's body, by the first rule that it breaks.
    pub(crate) fn fault(&self, name: &ProviderName, event_type: &str, body: &[u8]) -> Option<(Fault, Otherwise)> {
        let mut rules = self.schemas.iter().filter(|rule| rule.events.matches(name.as_str(), event_type));
        rules.find_map(|rule| rule.schema.check(body).err().map(|fault| (fault, rule.otherwise)))
    }
}

/// How many verified deliveries of a provider are taken. A full one.
#[derive(Debug)]
pub struct Allowance {
    rate: Rate,
    bucket: Mutex<Bucket>,
}

impl Allowance {
    pub fn new(rate: Rate) -> Allowance {
        Allowance { rate, bucket: Mutex::default() }
    }

    /// Takes one, or tells when there is one.
    pub(crate) fn charge(&self, now: Monotonic) -> Result<(), Millis> {
        self.charge_many(1, now)
    }

    /// Takes so many or none of them, or tells when they are there.
    pub(crate) fn charge_many(&self, number: usize, now: Monotonic) -> Result<(), Millis> {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).charge_many(self.rate, number, now)
    }
}

/// Providers by name, where `-` and `_` are the same unless two names differ in nothing else: `WEBHOOK_SECRET_MY_SHOP`
/// serves `my-shop` and `my_shop`. A value that does not change; another one takes its place.
#[derive(Debug, Default)]
pub struct Providers {
    names: BTreeMap<ProviderName, Arc<LiveProvider>>,
    aliases: HashMap<String, ProviderName>,
    decoys: Vec<Verifier>,
    pairables: BTreeMap<ProviderName, Pairable>,
}

impl Providers {
    pub fn new(providers: impl IntoIterator<Item = (ProviderName, LiveProvider)>) -> Providers {
        let names: BTreeMap<_, _> = providers.into_iter().map(|(name, live)| (name, Arc::new(live))).collect();
        let mut aliases = HashMap::new();
        for name in names.keys() {
            aliases.entry(folded(name.as_str())).or_insert_with(|| name.clone());
        }
        let decoy = |scheme: &Scheme| {
            let secret = sample(scheme, &DECOY_SEED)?.secret;
            Verifier::new(scheme, &[secret], None).ok()
        };
        let decoys = schemes().iter().filter_map(decoy).collect();
        Providers { names, aliases, decoys, pairables: BTreeMap::new() }
    }

    /// With those whose sender brings the secret, live or not.
    #[must_use]
    pub fn with_pairables(mut self, pairables: impl IntoIterator<Item = (ProviderName, Pairable)>) -> Providers {
        self.pairables = pairables.into_iter().collect();
        self
    }

    /// As [`Providers::find`], of those whose sender brings the secret.
    pub(crate) fn pairable(&self, name: &str) -> Option<(&ProviderName, &Pairable)> {
        let exact = ProviderName::parse(name).ok().and_then(|name| self.pairables.get_key_value(&name));
        exact.or_else(|| self.pairables.iter().find(|(known, _)| folded(known.as_str()) == folded(name)))
    }

    pub(crate) fn pairables(&self) -> impl Iterator<Item = &ProviderName> {
        self.pairables.keys()
    }

    /// The provider under its own name, which is the namespace of its events.
    pub fn find(&self, name: &str) -> Option<(&ProviderName, &Arc<LiveProvider>)> {
        let name = ProviderName::parse(name).ok()?;
        self.names.get_key_value(&name).or_else(|| self.names.get_key_value(self.aliases.get(&folded(name.as_str()))?))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&ProviderName, &LiveProvider)> {
        self.names.iter().map(|(name, live)| (name, live.as_ref()))
    }

    pub fn names(&self) -> impl Iterator<Item = &ProviderName> {
        self.names.keys()
    }

    /// What a provider that does not exist is checked with, so that the time taken does not tell it from one that
    /// does: its scheme is the one of that name, else the generic one.
    pub(crate) fn decoy(&self, name: &str) -> Option<&Verifier> {
        let wanted = Scheme::named(name).map_or("generic", Scheme::name);
        self.decoys.iter().find(|decoy| decoy.scheme().name() == wanted)
    }
}

fn folded(name: &str) -> String {
    name.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use hookbox_core::secret::Secret;

    use hookbox_core::verify::ID_WINDOW;

    use super::*;

    fn providers(names: &[&str]) -> Providers {
        let live = |name: &&str| {
            let secret = Secret::new("hush").unwrap();
            let verifier = Verifier::new(Scheme::named("generic").unwrap(), &[secret], None).unwrap();
            (
                ProviderName::parse(name).unwrap(),
                LiveProvider {
                    verifier: verifier.into(),
                    secret_places: vec!["env SECRET".to_owned()],
                    secrets_written: vec![None],
                    public_url: None,
                    dedupe: ID_WINDOW,
                    body_bytes_max: None,
                    allow_from: Vec::new(),
                    allowance: None,
                    schemas: Vec::new(),
                },
            )
        };
        Providers::new(names.iter().map(live))
    }

    fn found<'a>(providers: &'a Providers, name: &str) -> Option<&'a str> {
        providers.find(name).map(|(name, _)| name.as_str())
    }

    #[test]
    fn a_provider_goes_by_both_spellings_of_its_name() {
        let providers = providers(&["my-shop", "a_b"]);
        assert_eq!(found(&providers, "my-shop"), Some("my-shop"));
        assert_eq!(found(&providers, "my_shop"), Some("my-shop"));
        assert_eq!(found(&providers, "a-b"), Some("a_b"));
        assert_eq!(found(&providers, "myshop"), None);
        assert_eq!(found(&providers, "My-Shop"), None);
    }

    #[test]
    fn two_names_that_differ_in_their_dashes_alone_stay_two() {
        let providers = providers(&["my-shop", "my_shop"]);
        assert_eq!(found(&providers, "my-shop"), Some("my-shop"));
        assert_eq!(found(&providers, "my_shop"), Some("my_shop"));
    }

    #[test]
    fn there_is_a_decoy_for_every_scheme() {
        let providers = providers(&[]);
        for scheme in schemes() {
            assert_eq!(providers.decoy(scheme.name()).unwrap().scheme(), scheme);
        }
        assert_eq!(providers.decoy("acme").unwrap().scheme().name(), "generic");
        assert_eq!(providers.decoy("github").unwrap().scheme().name(), "github-256");
    }
}
