//! The real binary from the outside: processes, sockets and files, one module for each noun.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod commands;
mod contained;
mod crashes;
mod dev;
mod harness;
mod listeners;
mod powercut;
mod projects;
mod refusals;
mod routing;
mod runs;
mod schedules;
mod swaps;
mod webhooks;
