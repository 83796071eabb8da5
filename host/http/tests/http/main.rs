//! Both routers as a sender and an operator see them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod access;
mod access_table;
mod alerts;
mod attention;
mod backup;
mod bodies;
mod challenges;
mod cloudevents;
mod content;
mod costs;
mod faulty;
mod grants;
mod harness;
mod holds;
mod ingress;
mod lists;
mod metrics;
mod once;
mod openapi;
mod operator;
mod pairing;
mod plugins;
mod previews;
mod protection;
mod queue;
mod readings;
mod refusals;
mod room;
mod routing;
mod schedules;
mod schemas;
mod sessions;
mod share;
mod socket;
mod streams;
mod suppressed;
mod system;
mod tally;
mod tls;
mod tokens;
mod totals;
mod ui;
mod ui_pages;
mod waits;
