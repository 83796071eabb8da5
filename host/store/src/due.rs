//! Where the schedules stand and when they have something to decide, in memory: a hint, as the index of runs is.

use std::collections::{BTreeSet, HashMap};

use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{Attention, Reason, ScheduleRow, State};
use hookbox_core::time::Timestamp;

use crate::types::ScheduleCounts;

/// What is known of a schedule without its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    state: State,
    /// Nothing where no slot will come, or it is paused.
    due: Option<Timestamp>,
    decided: Timestamp,
}

impl Standing {
    pub(crate) fn of(row: &ScheduleRow) -> Standing {
        Standing { state: row.state(), due: row.due(), decided: row.decided }
    }

    fn attention(&self, now: Timestamp) -> Option<Reason> {
        Attention::of(self.state, self.due, self.decided, now).map(|(reason, _)| reason)
    }
}

#[derive(Debug, Default)]
pub(crate) struct DueSchedules {
    by_time: BTreeSet<(Timestamp, ScheduleName)>,
    by_name: HashMap<ScheduleName, Standing>,
}

impl DueSchedules {
    /// Nothing: it is gone.
    pub(crate) fn put(&mut self, name: ScheduleName, standing: Option<Standing>) {
        if let Some(before) = self.by_name.remove(&name).and_then(|before| before.due) {
            self.by_time.remove(&(before, name.clone()));
        }
        if let Some(standing) = standing {
            self.by_time.extend(standing.due.map(|due| (due, name.clone())));
            self.by_name.insert(name, standing);
        }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// The earliest first.
    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<ScheduleName> {
        let due = self.by_time.iter().take_while(|(due, _)| *due <= now);
        due.take(limit).map(|(_, name)| name.clone()).collect()
    }

    /// The first ones by name that somebody should look at for this reason. Some milliseconds for 100,000.
    pub(crate) fn to_look_at(&self, reason: Reason, now: Timestamp, limit: usize) -> Vec<ScheduleName> {
        let mut first = BTreeSet::new();
        for (name, standing) in &self.by_name {
            if standing.attention(now) == Some(reason) {
                first.insert(name);
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
        first.into_iter().cloned().collect()
    }

    /// Some milliseconds for 100,000.
    pub(crate) fn counts(&self, now: Timestamp) -> ScheduleCounts {
        let mut counts = ScheduleCounts::default();
        for standing in self.by_name.values() {
            match standing.state {
                State::Active => counts.active += 1,
                State::Paused | State::Failing => counts.paused += 1,
                State::Ended => counts.ended += 1,
                State::Dry => counts.dry += 1,
            }
            let attention = standing.attention(now);
            let place = attention.and_then(|reason| Reason::ALL.iter().position(|other| *other == reason));
            if let Some(number) = place.and_then(|place| counts.attention.get_mut(place)) {
                *number += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_due_first_and_a_change_moves_it() {
        let name = |text: &str| text.parse::<ScheduleName>().unwrap();
        let at = |due: Option<u64>| Standing { state: State::Active, due: due.map(Timestamp), decided: Timestamp(0) };
        let mut schedules = DueSchedules::default();
        for (text, due) in [("a", 30), ("b", 10), ("c", 20)] {
            schedules.put(name(text), Some(at(Some(due))));
        }
        assert_eq!(schedules.due(Timestamp(20), 9), [name("b"), name("c")]);
        assert_eq!(schedules.due(Timestamp(20), 1), [name("b")]);
        schedules.put(name("b"), Some(at(Some(40))));
        schedules.put(name("c"), Some(at(None)));
        let due = schedules.due(Timestamp(99), 9);
        assert_eq!((schedules.next(), due), (Some(Timestamp(30)), vec![name("a"), name("b")]));
        assert_eq!(schedules.counts(Timestamp(0)).active, 3);
        schedules.put(name("c"), None);
        assert_eq!(schedules.counts(Timestamp(0)).active, 2);
    }
}
