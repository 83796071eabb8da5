//! Everything that there is in one simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::id::{EventId, Mint};
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::{Digest, Handler, PluginInfo, Trigger};
use hookbox_core::policy::PolicyPatch;
use hookbox_core::route::key::Key;
use hookbox_core::run::BootId;
use hookbox_core::time::Millis;
use hookbox_engine::Settings;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::Accepted;
use hookbox_store::{PluginRow, Store};

use crate::almanac;
use crate::clock::SimClock;
use crate::faults::Faults;
use crate::faulty::Faulty;
use crate::node::{Node, Shared};
use crate::rng::Rng;
use crate::stage::Stage;
use crate::trace::Trace;
use crate::watch::Watch;

pub(crate) const PLUGINS: [&str; 3] = ["alpha", "beta", "gamma"];

/// What kind of simulation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Everything.
    Whole,
    /// Many attempts on few keys of one plugin.
    Transactions,
}

pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) rng: Rng,
    pub(crate) trace: Arc<Trace>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) shared: Shared,
    pub(crate) ingress: Arc<Faulty>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) boot: BootId,
    /// What senders have sent: the event that it became, once they were told.
    pub(crate) deliveries: Arc<Mutex<BTreeMap<u64, Option<EventId>>>>,
    pub(crate) handlers: Vec<HandlerRef>,
    /// Ways of engines that are being stopped in good order.
    pub(crate) draining: Vec<Arc<Faulty>>,
    nodes_made: usize,
}

impl World {
    pub(crate) async fn new(seed: u64, shape: Shape, loud: bool) -> World {
        let mut rng = Rng::new(seed);
        let trace = Arc::new(Trace::new(loud));
        let clock = Arc::new(SimClock::new(begin(&mut rng)));
        let store = Arc::new(MemoryStore::new().unwrap());
        let watch = Arc::new(Watch::new(trace.clone(), store.clone()));
        let faulty = if rng.one_in(4) { 0 } else { rng.between(1, 80) };
        let faults = Arc::new(Faults::new(Rng::of(seed, &[b"faults"]), faulty));
        let (ops_max, offspring) = match shape {
            Shape::Whole => (rng.below(5), 4),
            Shape::Transactions => (8, 6),
        };
        let stage = Arc::new(Stage::new(trace.clone(), clock.clone(), seed, ops_max, offspring));
        let _ = watch.stage.set(stage.clone());
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&seed.to_be_bytes());
        let shared = Shared {
            stage,
            mint: Arc::new(Mint::new(secret)),
            settings: Arc::new(ArcSwap::from_pointee(Settings::default())),
            slots: rng.between(1, 8) as usize,
        };
        let ingress = Arc::new(Faulty::new(store.clone(), 0, watch.clone(), faults.clone()));
        let boot = store.begin_boot().await.unwrap();
        let mut world = World {
            shape,
            rng,
            trace,
            clock,
            faults,
            watch,
            shared,
            ingress,
            nodes: Vec::new(),
            boot,
            deliveries: Arc::default(),
            handlers: Vec::new(),
            draining: Vec::new(),
            nodes_made: 0,
        };
        for name in PLUGINS {
            let row = world.plugin(name);
            store.put_plugin(row).await.unwrap();
        }
        world.add_node().await;
        world
    }

    /// A plugin as it is declared this time: how its runs wait changes from time to time.
    pub(crate) fn plugin(&mut self, name: &str) -> PluginRow {
        let other = if name == "alpha" { "beta" } else { "alpha" };
        let triggers = [
            ("on-shop", Trigger::Events(vec!["shop/*".parse().unwrap()])),
            ("on-order", Trigger::Events(vec!["shop/order".parse().unwrap()])),
            ("on-made", Trigger::Events(vec![format!("{other}/made").parse().unwrap()])),
            ("work", Trigger::Manual),
            ("tick", Trigger::Manual),
        ];
        let mut handlers = Vec::new();
        for (handler, trigger) in triggers {
            let policy = self.waiting_policy();
            let target = crate::handler(name, handler);
            if !self.handlers.contains(&target) {
                self.shared.stage.put(target.clone(), true);
                self.handlers.push(target);
            }
            let name = handler.parse().unwrap();
            handlers.push(Handler { name, trigger, description: None, policy, filter: None });
        }
        let info = PluginInfo { name: name.parse().unwrap(), version: "1".into(), description: None, handlers };
        let mut row = PluginRow::new(info.name.clone());
        row.activated(Digest([1; 32]), info, self.clock.now());
        row
    }

    fn waiting_policy(&mut self) -> PolicyPatch {
        let key = || Some(Key::parse("k").unwrap());
        let mut policy = PolicyPatch::default();
        match self.rng.below(7) {
            0 | 1 => policy.order_per = key(),
            2 => policy.concurrency_per = key(),
            3 => policy.unique_per = key(),
            4 => policy.expires = Some(Millis(self.rng.between(1000, 120_000))),
            5 => policy.delay = Some(Millis(self.rng.below(10_000))),
            _ => {}
        }
        policy
    }

    /// Another engine of this boot.
    pub(crate) async fn add_node(&mut self) {
        self.nodes_made += 1;
        let (watch, faults) = (self.watch.clone(), self.faults.clone());
        let store = Arc::new(Faulty::new(self.watch.store(), self.nodes_made, watch, faults));
        match Node::start(&self.shared, store, self.boot).await {
            Ok(node) => self.nodes.push(node),
            Err(error) => self.trace.note(format_args!("engine {} did not start: {error}", self.nodes_made)),
        }
    }

    /// The machine goes down with all that runs on it, and comes back with what the store kept.
    pub(crate) async fn crash(&mut self) {
        self.nodes.drain(..).for_each(Node::crash);
        self.ingress.cut();
        for way in self.draining.drain(..) {
            way.cut();
            self.shared.stage.forget(way.node);
        }
        let store = Arc::new(self.watch.store().reopened().unwrap());
        self.watch.reopened(store.clone());
        self.ingress = Arc::new(Faulty::new(store.clone(), 0, self.watch.clone(), self.faults.clone()));
        self.boot = store.begin_boot().await.unwrap();
        self.trace.note(format_args!("boot {}", self.boot.0));
        self.add_node().await;
    }

    /// All that can be done now is done; a millisecond goes by.
    pub(crate) async fn settle(&self) {
        self.pass(Millis(1)).await;
    }

    pub(crate) async fn pass(&self, span: Millis) {
        tokio::time::sleep(span.as_duration()).await;
    }

    pub(crate) fn deliveries(&self) -> MutexGuard<'_, BTreeMap<u64, Option<EventId>>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Senders give a delivery its number, whatever became of an earlier try.
    pub(crate) fn deliver(&mut self, number: u64) {
        let new = self.event(number);
        self.deliveries().entry(number).or_default();
        let (ingress, deliveries) = (self.ingress.clone(), self.deliveries.clone());
        tokio::spawn(async move {
            if let Ok(accepted) = ingress.accept(new).await {
                let event = match accepted {
                    Accepted::New(event) => event,
                    Accepted::Duplicate { first, .. } => first,
                };
                deliveries.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Some(event));
            }
        });
    }
}

/// Somewhen, or shortly before the clocks of a zone are changed.
fn begin(rng: &mut Rng) -> u64 {
    let change = rng.pick(&almanac::CHANGES).map_or(0, |change| change.at);
    if rng.one_in(3) { 1_780_000_000_000 + rng.below(Millis::DAY.0) } else { change - rng.below(20 * Millis::MINUTE.0) }
}
