//! The real binary from the outside: processes, sockets and files, one module for each noun.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod access;
mod bodies;
mod capture;
mod clients;
mod commands;
mod contained;
mod content;
mod costs;
mod crashes;
mod dev;
mod disk;
mod drafts;
mod harness;
mod kills;
mod listeners;
mod live_schedules;
mod oidc;
mod pages;
mod pairing;
mod powercut;
mod projects;
mod protection;
mod pushes;
mod queue;
mod random;
mod refusals;
mod requests;
mod rollbacks;
mod rotation;
mod routing;
mod runs;
mod schedules;
mod sends;
mod signing;
mod swap_load;
mod swaps;
mod tls;
mod trust;
mod verify;
mod webhooks;
