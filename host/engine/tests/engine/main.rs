//! The engine on a store in memory, with a scripted sandbox and clocks that stand still.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod attempts;
mod attention;
mod cancel;
mod conflicts;
mod crash;
mod drain;
mod effects;
mod fairness;
mod filters;
mod handlers;
mod host;
mod log;
mod queue;
mod reaper;
mod revoked;
mod room;
mod scheduler;
mod script;
mod spans;
mod wire;
