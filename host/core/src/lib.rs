//! What hookbox knows, as plain data and pure functions: ids, events, runs and
//! their transitions, signature schemes, routes, cron and configuration.
//!
//! This crate never awaits, never reads a clock, random numbers, a file or the
//! environment, and does not know that wasmtime, axum or sled exist. Time,
//! jitter and ids come in as values.

pub mod access;
pub mod alert;
pub mod attempt;
pub mod body_schema;
mod bounded;
pub mod clock;
pub mod config;
pub mod cron;
pub mod denial;
pub mod distribution;
pub mod effects;
pub mod egress;
pub mod encoding;
pub mod enqueue;
pub mod event;
pub mod gate;
pub mod hold;
pub mod host_call;
pub mod id;
pub mod limits;
pub mod live_logs;
pub mod name;
pub mod plugin;
pub mod policy;
pub mod pulse;
pub mod queue;
pub mod rate;
pub mod retry;
pub mod route;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod spending;
pub mod time;
pub mod trace;
pub mod transaction;
pub mod trial;
pub mod trust;
pub mod verify;
