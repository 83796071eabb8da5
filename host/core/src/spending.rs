//! What each handler has cost since the start.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::attempt::{Cost, Log};
use crate::host_call::HostCalls;
use crate::name::HandlerRef;

/// Handlers that are told apart. Those that come later are one together: each is some series of metrics.
pub const HANDLERS_MAX: usize = 500;

/// Filled by whoever executes attempts, read by whoever tells of them.
#[derive(Debug, Default)]
pub struct Spending(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    handlers: BTreeMap<HandlerRef, Spent>,
    others: Option<Spent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Attempts that were executed, whatever became of them.
    pub attempts: u64,
    pub wall_us: u64,
    pub cpu_us: u64,
    /// The largest of all attempts.
    pub memory_peak_bytes: u64,
    pub log_bytes: u64,
    pub log_bytes_dropped: u64,
    pub calls: HostCalls,
}

impl Spending {
    pub fn add(&self, handler: &HandlerRef, cost: &Cost, log: &Log) {
        let mut book = self.book();
        if let Some(spent) = book.handlers.get_mut(handler) {
            spent.add(cost, log);
        } else if book.handlers.len() < HANDLERS_MAX {
            book.handlers.entry(handler.clone()).or_default().add(cost, log);
        } else {
            book.others.get_or_insert_default().add(cost, log);
        }
    }

    /// In the order of their names; `None` is what those cost together that came too late.
    pub fn all(&self) -> Vec<(Option<HandlerRef>, Spent)> {
        let book = self.book();
        let named = book.handlers.iter().map(|(handler, spent)| (Some(handler.clone()), *spent));
        named.chain(book.others.map(|spent| (None, spent))).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    fn add(&mut self, cost: &Cost, log: &Log) {
        self.attempts += 1;
        self.wall_us += cost.wall_us;
        self.cpu_us += cost.cpu_us;
        self.memory_peak_bytes = self.memory_peak_bytes.max(cost.memory_peak_bytes);
        self.log_bytes += log.bytes();
        self.log_bytes_dropped += log.bytes_dropped;
        self.calls.add_all(&cost.calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_call::{CallKind, Calls};
    use crate::name::{HandlerName, PluginName};

    fn handler(number: usize) -> HandlerRef {
        let name = HandlerName::parse(&format!("h{number}")).unwrap();
        HandlerRef { plugin: PluginName::parse("p").unwrap(), handler: name }
    }

    #[test]
    fn what_attempts_cost_is_summed_and_their_memory_is_not() {
        let (spending, mut cost) = (Spending::default(), Cost { wall_us: 5, cpu_us: 2, ..Cost::default() });
        cost.calls.add(CallKind::Log, Calls { number: 3, bytes_given: 9, bytes_answered: 0 });
        for memory_peak_bytes in [10, 30, 20] {
            spending.add(&handler(1), &Cost { memory_peak_bytes, ..cost }, &Log { lines: vec![], bytes_dropped: 4 });
        }
        let [(Some(_), spent)] = spending.all()[..] else { panic!("{spending:?}") };
        assert_eq!((spent.attempts, spent.wall_us, spent.cpu_us, spent.memory_peak_bytes), (3, 15, 6, 30));
        assert_eq!((spent.log_bytes_dropped, spent.calls.of(CallKind::Log).number), (12, 9));
    }

    #[test]
    fn handlers_beyond_the_most_are_one_together() {
        let spending = Spending::default();
        for number in 0..HANDLERS_MAX + 5 {
            spending.add(&handler(number), &Cost::default(), &Log::default());
        }
        spending.add(&handler(0), &Cost::default(), &Log::default());
        let all = spending.all();
        assert_eq!(all.len(), HANDLERS_MAX + 1);
        let (others, known) = (all.last().unwrap(), &all[0]);
        assert!(others.0.is_none());
        assert_eq!((others.1.attempts, known.1.attempts), (5, 2));
    }
}
