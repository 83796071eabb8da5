//! When somebody is to be told that something is wrong, and that it is right again.
//!
//! Readings are numbers of one moment. [`Watch`] keeps some of them and judges by the [`Rules`]; [`Book`] turns what is
//! judged into alerts that begin and end, and into messages. Both are told the time.
//!
//! Invariant: nothing in here measures, waits or sends.

mod book;
mod growth;
mod rules;
mod watch;

pub use book::{ALERTS_MAX, Alert, Book, HISTORY_MAX, History, MESSAGES_MAX, Message, Part, Step, TRIES_MAX, Terms};
pub use growth::Growth;
pub use rules::{Rule, Rules, Share};
pub use watch::{Condition, Judged, Reading, Schedule, Seen, Sender, Tries, Watch};

#[cfg(test)]
mod tests;
