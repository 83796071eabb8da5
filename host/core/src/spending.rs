//! What each handler has cost since the start.

mod took;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::attempt::{Cost, Log, Outcome};
use crate::host_call::HostCalls;
use crate::name::HandlerRef;

pub use took::{TOOK_BOUNDS_US, TOOK_BUCKETS, Took};

/// Handlers that are told apart. Those that come later are one together: each is some series of metrics.
pub const HANDLERS_MAX: usize = 500;
/// A handler without an attempt among so many gives its place to one that comes later: its plugin may be long gone.
pub const FORGOTTEN_AFTER: u64 = 100_000;

/// Filled by whoever executes attempts, read by whoever tells of them.
#[derive(Debug, Default)]
pub struct Spending(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    handlers: BTreeMap<HandlerRef, Known>,
    others: Option<Spent>,
    took: Took,
    /// Attempts of all.
    attempts: u64,
}

#[derive(Debug, Default)]
struct Known {
    spent: Spent,
    /// Which of all attempts was its last one.
    last: u64,
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
        book.attempts += 1;
        let last = book.attempts;
        if book.handlers.contains_key(handler) || book.has_room() {
            let known = book.handlers.entry(handler.clone()).or_default();
            known.last = last;
            known.spent.add(cost, log);
        } else {
            book.others.get_or_insert_default().add(cost, log);
        }
    }

    /// How an attempt ended that took so long.
    pub fn ended(&self, cost: &Cost, outcome: &Outcome) {
        self.book().took.add(cost.wall_us, outcome);
    }

    /// Attempts of all handlers, by how long they took.
    pub fn took(&self) -> Took {
        self.book().took
    }

    /// In the order of their names; `None` is what those cost together that came too late.
    pub fn all(&self) -> Vec<(Option<HandlerRef>, Spent)> {
        let book = self.book();
        let named = book.handlers.iter().map(|(handler, known)| (Some(handler.clone()), known.spent));
        named.chain(book.others.map(|spent| (None, spent))).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Where need be, the handler is forgotten that has not run for the longest time.
    fn has_room(&mut self) -> bool {
        if self.handlers.len() < HANDLERS_MAX {
            return true;
        }
        let oldest = self.handlers.iter().min_by_key(|(_, known)| known.last);
        match oldest.map(|(handler, known)| (handler.clone(), known.last)) {
            Some((handler, last)) if self.attempts - last > FORGOTTEN_AFTER => self.handlers.remove(&handler).is_some(),
            _ => false,
        }
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

    #[test]
    fn a_handler_that_is_long_gone_gives_its_place_to_a_new_one() {
        let spending = Spending::default();
        let attempt = |number| spending.add(&handler(number), &Cost::default(), &Log::default());
        (0..HANDLERS_MAX).for_each(attempt);
        // All but the first one go on.
        for number in 0..FORGOTTEN_AFTER as usize {
            attempt(1 + number % (HANDLERS_MAX - 1));
        }
        attempt(HANDLERS_MAX);
        let told = |number| spending.all().iter().any(|(of, _)| of.as_ref() == Some(&handler(number)));
        assert!(told(HANDLERS_MAX) && told(1) && !told(0));
        // Nobody else is: the next one has to stand with the others.
        attempt(HANDLERS_MAX + 1);
        assert!(!told(HANDLERS_MAX + 1));
        assert_eq!(spending.all().len(), HANDLERS_MAX + 1);
    }
}
