//! How it went: what the host had done, looked at every few seconds and kept for a day, in memory.
//!
//! A look costs nothing where work is done: it reads counters that are there anyway. The day can be written down and go on
//! after a restart; what counts is in the store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::clock::Clock;
use hookbox_core::spending::{Spending, TOOK_BUCKETS, Took};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::tally::Tally;

/// Between two looks.
pub const LOOK_EVERY: Millis = Millis(20_000);
/// A day of them: about a megabyte.
pub const LOOKS_MAX: usize = 24 * 60 * 3 + 1;

/// Where two looks are further apart, nobody looked in between.
const GAP_MAX: Millis = Millis(3 * LOOK_EVERY.0);

/// What is looked at.
#[derive(Clone)]
pub struct Sources {
    pub store: Arc<dyn Store>,
    pub tally: Arc<Tally>,
    pub spending: Arc<Spending>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
pub struct Trend(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    looks: VecDeque<Look>,
    /// What the counters of earlier starts had come to, of those that begin anew with each.
    before: (u64, Took),
}

/// A day as it is written down.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    looks: VecDeque<Look>,
}

const VERSION: u32 = 1;

/// The counters at one moment. They grow from the start of the host, or have grown for longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) at: Timestamp,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) took: Took,
    pub(crate) slots_fired: u64,
    pub(crate) slots_late_ms: u64,
    /// Runs that wait, at that moment.
    pub(crate) pending: u64,
    /// How long the one that has waited longest could have begun, without those that are held.
    pub(crate) oldest: Millis,
}

/// What was done between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stretch {
    pub(crate) span: Millis,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) took: Took,
    pub(crate) slots_fired: u64,
    pub(crate) slots_late_ms: u64,
    /// At its end.
    pub(crate) pending: u64,
    pub(crate) oldest: Millis,
}

impl Sources {
    pub(crate) async fn look(&self) -> Result<Look, StoreError> {
        let (counts, now) = (self.store.counts(), self.clock.now());
        // What is held waits because somebody wants it to.
        let (waiting, holds) = (self.store.waiting().await?, self.store.holds());
        let free = waiting.iter().filter(|waiting| !holds.hold(&waiting.handler));
        let oldest = free.filter_map(|waiting| waiting.due).min();
        Ok(Look {
            at: now,
            accepted: counts.events,
            refused: self.tally.refusals(),
            took: self.spending.took(),
            slots_fired: counts.slots.fired,
            slots_late_ms: counts.slots_late_ms,
            pending: counts.pending,
            oldest: oldest.map_or(Millis(0), |due| now.since(due)),
        })
    }
}

impl Book {
    /// As if the counters had never begun anew.
    fn onto(&self, look: Look) -> Look {
        let (refused, took) = &self.before;
        Look { refused: look.refused.saturating_add(*refused), took: look.took.with(took), ..look }
    }
}

impl Trend {
    /// Goes on after what an earlier start has [`kept`](Trend::kept). Fails where that is of another release.
    pub fn after(kept: &[u8]) -> Result<Trend, serde_json::Error> {
        let Kept { version, mut looks } = serde_json::from_slice(kept)?;
        if version != VERSION || !looks.iter().is_sorted_by(|one, next| one.at < next.at) {
            return Err(serde::de::Error::custom("it is of another release, or its times are in no order"));
        }
        looks.drain(..looks.len().saturating_sub(LOOKS_MAX));
        let before = looks.back().map(|last| (last.refused, last.took)).unwrap_or_default();
        Ok(Trend(Mutex::new(Book { looks, before })))
    }

    /// For the next start.
    pub fn kept(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Kept { version: VERSION, looks: self.book().looks.clone() })
    }

    /// One look; none where the store is away.
    pub async fn take(&self, sources: &Sources) {
        if let Ok(look) = sources.look().await {
            self.keep(look);
        }
    }

    fn keep(&self, look: Look) {
        let mut book = self.book();
        let look = book.onto(look);
        // A clock that was put back: what came after is of no time that was.
        while book.looks.back().is_some_and(|last| last.at >= look.at) {
            book.looks.pop_back();
        }
        book.looks.push_back(look);
        if book.looks.len() > LOOKS_MAX {
            book.looks.pop_front();
        }
    }

    /// The time up to `now` in `columns` equal parts, the oldest first; nothing in those that were not seen as a whole.
    pub(crate) fn columns(&self, now: Look, span: Millis, columns: usize) -> Vec<Option<Stretch>> {
        let book = self.book();
        let (looks, now) = (&book.looks, book.onto(now));
        let width = span.0 / columns.max(1) as u64;
        let edge = |back: u64| now.at.minus(Millis(width * back));
        // The last look at or before it, unless nobody looked for a while.
        let seen = |at: Timestamp| {
            let after = looks.partition_point(|look| look.at <= at);
            let before = after.checked_sub(1).and_then(|before| looks.get(before)).copied();
            before.filter(|look| at.since(look.at) <= GAP_MAX)
        };
        (1..=columns as u64)
            .rev()
            .map(|back| {
                let end = if back == 1 { Some(now) } else { seen(edge(back - 1)) };
                let (start, end) = (seen(edge(back))?, end?);
                (start.at < end.at).then(|| Stretch::between(&start, &end))
            })
            .collect()
    }

    /// The latest stretch that is as long, or as long as there is.
    pub(crate) fn lately(&self, now: Look, span: Millis) -> Option<Stretch> {
        let book = self.book();
        let (looks, now) = (&book.looks, book.onto(now));
        let after = looks.partition_point(|look| look.at <= now.at.minus(span));
        // Not over a time in which there was no host.
        let next = |at: usize| looks.get(at + 1).map_or(now.at, |next| next.at);
        let gap =
            (0..looks.len()).rev().find(|at| looks.get(*at).is_some_and(|look| next(*at).since(look.at) > GAP_MAX));
        let first = after.saturating_sub(1).max(gap.map_or(0, |gap| gap + 1));
        let start = looks.get(first).filter(|start| start.at < now.at)?;
        Some(Stretch::between(start, &now))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stretch {
    fn between(start: &Look, end: &Look) -> Stretch {
        let grown = |from: u64, to: u64| to.saturating_sub(from);
        Stretch {
            span: end.at.since(start.at),
            accepted: grown(start.accepted, end.accepted),
            refused: grown(start.refused, end.refused),
            took: end.took.without(&start.took),
            slots_fired: grown(start.slots_fired, end.slots_fired),
            slots_late_ms: grown(start.slots_late_ms, end.slots_late_ms),
            pending: end.pending,
            oldest: end.oldest,
        }
    }

    pub(crate) fn accepted_per_second(&self) -> f64 {
        self.per_second(self.accepted)
    }

    pub(crate) fn attempts_per_second(&self) -> f64 {
        self.per_second(self.took.attempts())
    }

    fn per_second(&self, number: u64) -> f64 {
        number as f64 * 1000.0 / self.span.0.max(1) as f64
    }

    /// Of the attempts that ended, those that failed; nothing where none ended.
    pub(crate) fn failure_ratio(&self) -> Option<f64> {
        let all = self.took.attempts();
        (all > 0).then(|| self.took.failed as f64 / all as f64)
    }

    /// Nothing where no slot fired.
    pub(crate) fn mean_lateness_ms(&self) -> Option<f64> {
        (self.slots_fired > 0).then(|| self.slots_late_ms as f64 / self.slots_fired as f64)
    }
}

const _: () = assert!(TOOK_BUCKETS < 64, "each look has all of them");

#[cfg(test)]
mod tests {
    use super::*;

    fn look(seconds: u64, accepted: u64) -> Look {
        Look { at: Timestamp(seconds * 1000), accepted, pending: accepted, ..Look::default() }
    }

    #[test]
    fn columns_tell_what_was_done_in_them_and_nothing_of_what_was_not_seen() {
        let trend = Trend::default();
        // It began after 120 s.
        for n in 6..15 {
            trend.keep(look(n * 20, n * 10));
        }
        let columns = trend.columns(look(300, 200), Millis(300_000), 5);
        let accepted: Vec<Option<u64>> = columns.iter().map(|column| column.map(|column| column.accepted)).collect();
        assert_eq!(accepted, [None, None, Some(30), Some(30), Some(80)]);
        assert_eq!(columns[4].unwrap().pending, 200);
        assert_eq!(columns[3].unwrap().accepted_per_second(), 0.5);
    }

    #[test]
    fn a_day_goes_on_after_a_restart_as_if_nothing_had_begun_anew() {
        let counted = |seconds: u64, accepted: u64, refused: u64, failed: u64| Look {
            refused,
            took: Took { buckets: std::array::from_fn(|at| if at == 3 { failed } else { 0 }), failed },
            ..look(seconds, accepted)
        };
        let trend = Trend::default();
        trend.keep(counted(100, 10, 5, 2));
        trend.keep(counted(160, 20, 7, 3));
        let trend = Trend::after(&trend.kept().unwrap()).unwrap();
        // The store has counted on, what is in memory from nothing.
        trend.keep(counted(220, 30, 1, 1));
        let parts = trend.columns(counted(280, 45, 4, 1), Millis(180_000), 3);
        let told: Vec<_> = parts.iter().flatten().map(|one| (one.accepted, one.refused, one.took.failed)).collect();
        assert_eq!(told, [(10, 2, 1), (10, 1, 1), (15, 3, 0)]);
        // A second restart goes on from both.
        let trend = Trend::after(&trend.kept().unwrap()).unwrap();
        trend.keep(counted(340, 50, 2, 0));
        let parts = trend.columns(counted(400, 50, 3, 0), Millis(60_000), 1);
        assert_eq!(parts[0].map(|one| (one.refused, one.took.failed)), Some((1, 0)));
        // Where the host was away for long, it is not said to have done little.
        let trend = Trend::after(&trend.kept().unwrap()).unwrap();
        trend.keep(counted(4000, 60, 0, 0));
        let now = counted(4030, 90, 0, 0);
        let lately = trend.lately(now, Millis(300_000)).unwrap();
        assert_eq!((lately.span, lately.accepted), (Millis(30_000), 30));
        assert_eq!(trend.columns(now, Millis(300_000), 5).into_iter().flatten().count(), 0);
        for bad in ["", "{}", r#"{"version":2,"looks":[]}"#] {
            assert!(Trend::after(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_of_looks_is_kept() {
        let trend = Trend::default();
        for n in 0..LOOKS_MAX as u64 + 10 {
            trend.keep(look(n, n));
        }
        assert_eq!(trend.book().looks.len(), LOOKS_MAX);
    }

    #[test]
    fn a_clock_that_is_put_back_leaves_no_look_from_a_time_to_come() {
        let trend = Trend::default();
        [look(100, 1), look(200, 2), look(50, 3)].into_iter().for_each(|look| trend.keep(look));
        assert_eq!(trend.book().looks.len(), 1);
        assert_eq!(trend.lately(look(60, 5), Millis(60_000)).unwrap().accepted, 2);
    }

    #[test]
    fn ratios_of_nothing_are_nothing() {
        let stretch = Stretch { span: Millis(1000), ..Stretch::default() };
        assert_eq!((stretch.failure_ratio(), stretch.mean_lateness_ms()), (None, None));
    }
}
