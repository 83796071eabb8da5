//! The real binary from the outside: processes, sockets and files, one module for each noun.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod bodies;
mod capture;
mod clients;
mod commands;
mod contained;
mod content;
mod crashes;
mod dev;
mod disk;
mod harness;
mod kills;
mod listeners;
mod live_schedules;
mod pairing;
mod powercut;
mod projects;
mod protection;
mod queue;
mod random;
mod refusals;
mod requests;
mod rotation;
mod routing;
mod runs;
mod schedules;
mod sends;
mod swaps;
mod tls;
mod verify;
mod webhooks;
