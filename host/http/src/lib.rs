//! Two routers for two listeners: [`ingress`], which strangers reach and which takes webhooks in,
//! and [`operator`], the JSON API of those who run the host. [`serve`] puts either on a socket.
//!
//! Both find everything in the store and leave everything there, so a second node sees the same.
//!
//! Invariant: this crate never executes a plugin or calls a sibling.

pub mod alerts;
pub mod changes;
pub mod disk;
pub mod ingress;
pub mod lifecycle;
pub mod operator;
pub mod pairing;
pub mod providers;
pub mod readings;
pub mod serve;
pub mod tally;
pub mod tls;
pub mod trend;
pub mod uploads;

mod bodies;
mod body;
mod health;
mod json;
mod load;
mod problem;
mod share;
mod source;
mod view;
mod words;
