//! The engine on a store in memory, with a scripted sandbox and clocks that stand still.

mod attempts;
mod conflicts;
mod crash;
mod drain;
mod effects;
mod handlers;
mod host;
mod log;
mod reaper;
mod scheduler;
mod script;
mod wire;
