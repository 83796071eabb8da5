//! The sandbox from the outside, one module for each kind of behaviour. One
//! binary: linking wasmtime takes longer than all the tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod cache;
mod costs;
mod cpu;
mod drafts;
mod egress;
mod execute;
mod folder;
mod kv;
mod limits;
mod log;
mod prepare;
mod queue;
mod swap;
mod world;
