//! What every store must do, whatever keeps its tree. Each test runs on the
//! store in memory, on the embedded one, and on the embedded one that is closed
//! and opened again at each [`world::World::pause`]. Afterwards the embedded
//! store's data must pass the doctor.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and its helpers do too")]

/// Makes the tests of a module from its functions `async fn name(world: &mut World)`.
macro_rules! conformance {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $test() { crate::world::on_memory(|world| Box::pin(super::$test(world))) })*
        }
        mod embedded {
            $(#[test] fn $test() { crate::world::on_embedded(|world| Box::pin(super::$test(world))) })*
        }
        mod reopened {
            $(#[test] fn $test() { crate::world::on_reopened(|world| Box::pin(super::$test(world))) })*
        }
    };
}

mod accept;
mod access;
mod backups;
mod children;
mod claim;
mod folder;
mod gates;
mod kv;
mod looking;
mod model;
mod operators;
mod order;
mod pages;
mod plugins;
mod prune;
mod queue;
mod record;
mod requests;
mod room;
mod schedule_changes;
mod schedule_rules;
mod schedules;
mod suppressed;
mod torn;
mod unrouted;
mod values;
mod world;
