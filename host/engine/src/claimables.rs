//! Which handlers are to be served, and with how many runs: what their policies say, without what is held.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::clock::Monotonic;
use hookbox_core::hold::Holds;
use hookbox_core::name::HandlerRef;
use hookbox_core::rate::{Bucket, Rate};
use hookbox_core::run::Run;
use hookbox_core::time::Millis;
use hookbox_store::types::Claimable;
use hookbox_store::{Catalogue, Store};

use crate::settings::Settings;

#[derive(Debug, Default)]
pub(crate) struct Claimables(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    buckets: BTreeMap<HandlerRef, Bucket>,
}

/// What was made of these; made anew when one of them was exchanged.
#[derive(Debug)]
struct Known {
    handlers: Arc<[HandlerRef]>,
    catalogue: Arc<Catalogue>,
    settings: Arc<Settings>,
    holds: Arc<Holds>,
    claimable: Arc<[Claimable]>,
    rates: BTreeMap<HandlerRef, Rate>,
}

impl Claimables {
    /// And when the next token comes for a handler that has none now.
    pub(crate) fn now(
        &self,
        handlers: Arc<[HandlerRef]>,
        store: &dyn Store,
        settings: Arc<Settings>,
        now: Monotonic,
    ) -> (Arc<[Claimable]>, Option<Millis>) {
        let mut state = self.locked();
        let State { known, buckets } = &mut *state;
        let (catalogue, holds) = (store.catalogue(), store.holds());
        let current = known.take().filter(|known| {
            Arc::ptr_eq(&known.handlers, &handlers)
                && Arc::ptr_eq(&known.catalogue, &catalogue)
                && Arc::ptr_eq(&known.settings, &settings)
                && Arc::ptr_eq(&known.holds, &holds)
        });
        let current = current.unwrap_or_else(|| Known::of(handlers, catalogue, settings, holds));
        buckets.retain(|handler, _| current.rates.contains_key(handler));
        let (mut claimable, mut next) = (current.claimable.clone(), None);
        for (handler, rate) in &current.rates {
            let tokens = buckets.entry(handler.clone()).or_default().tokens(*rate, now);
            next = [next, tokens.err()].into_iter().flatten().min();
            let at = claimable.iter().position(|claimable| claimable.handler == *handler);
            if let Some(claimable) = at.and_then(|at| Arc::make_mut(&mut claimable).get_mut(at)) {
                claimable.at_most = tokens.unwrap_or(0);
            }
        }
        *known = Some(current);
        (claimable, next)
    }

    /// These begin.
    pub(crate) fn charge(&self, runs: &[Run], now: Monotonic) {
        let mut state = self.locked();
        let State { known, buckets } = &mut *state;
        let Some(rates) = known.as_ref().map(|known| &known.rates).filter(|rates| !rates.is_empty()) else { return };
        for run in runs {
            if let Some((rate, bucket)) = rates.get(&run.target).zip(buckets.get_mut(&run.target)) {
                bucket.take(*rate, 1, now);
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(handlers: Arc<[HandlerRef]>, catalogue: Arc<Catalogue>, settings: Arc<Settings>, holds: Arc<Holds>) -> Known {
        let mut rates = BTreeMap::new();
        let all = handlers.iter().map(|handler| {
            let policy = settings.policy(&catalogue, handler);
            // One that is held goes on with the tokens that it had.
            rates.extend(policy.rate.map(|rate| (handler.clone(), rate)));
            Claimable {
                handler: handler.clone(),
                takes: catalogue.handler(handler).map(|handler| handler.trigger.takes()),
                weight: policy.priority.weight(),
                at_most: usize::MAX,
                concurrency: policy.concurrency,
            }
        });
        let claimable = all.filter(|claimable| !holds.hold(&claimable.handler)).collect();
        Known { handlers, catalogue, settings, holds, claimable, rates }
    }
}
