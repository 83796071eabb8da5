//! A seeded simulation of several engines on one store: what happens, and what
//! fails, follows from a number, so that whatever goes wrong can be seen again.
//!
//! | part | is |
//! |---|---|
//! | [`world`], [`node`] | the engines, the ingress and the clock of one simulation |
//! | [`actions`], [`operator`] | what may happen next |
//! | [`faulty`], [`faults`], [`group`] | the way to the store, and how it fails |
//! | [`stage`], [`program`] | the scripted sandbox |
//! | [`watch`], [`claims`], [`records`], [`slots`], [`declared`], [`answers`] | what must hold at every step |
//! | [`model`], [`schedules`], [`serial`] | what the store must hold, by what it answered |
//! | [`almanac`] | when schedules fire |
//! | [`quiet`] | how it ends, and what must hold then |
//!
//! Invariant: nothing here, and nothing in the engine or the store in memory,
//! depends on the order of a hash map, a thread, or the time of day.

#![expect(clippy::unwrap_used, reason = "names and rules that are written here do parse")]

mod actions;
mod almanac;
mod answers;
mod claims;
mod clock;
mod declared;
mod faults;
mod faulty;
mod group;
mod model;
mod node;
mod operator;
mod program;
mod quiet;
mod records;
mod rng;
mod schedules;
mod serial;
mod slots;
mod stage;
mod trace;
mod watch;
mod world;

use hookbox_core::name::HandlerRef;

pub use model::Tally;
pub use world::Shape;

use world::World;

/// What came of one simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of everything that happened, in order.
    pub hash: u64,
    /// Things that happened.
    pub lines: u64,
    pub tally: Tally,
    /// The first invariant that did not hold.
    pub broken: Option<String>,
}

/// Simulates one seed; `loud` shows everything that happens.
pub fn simulate(seed: u64, shape: Shape, loud: bool) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed, shape, loud).await;
        let steps = world.rng.between(100, 500);
        for _ in 0..steps {
            world.step().await;
            if world.trace.first_broken().is_some() {
                break;
            }
        }
        if world.trace.first_broken().is_none() {
            world.come_to_rest().await;
        }
        if world.trace.first_broken().is_none() {
            world.check_end().await;
        }
        let (hash, lines) = world.trace.sum();
        let tally = world.watch.model().tally;
        Report { hash, lines, tally, broken: world.trace.first_broken() }
    })
}

fn handler(plugin: &str, handler: &str) -> HandlerRef {
    HandlerRef { plugin: plugin.parse().unwrap(), handler: handler.parse().unwrap() }
}
