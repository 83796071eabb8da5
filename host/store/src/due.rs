//! When the schedules have something to decide, in memory: a hint, as the index of runs is.

use std::collections::{BTreeSet, HashMap};

use hookbox_core::name::ScheduleName;
use hookbox_core::time::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct DueSchedules {
    by_time: BTreeSet<(Timestamp, ScheduleName)>,
    by_name: HashMap<ScheduleName, Timestamp>,
}

impl DueSchedules {
    /// Nothing: it has no slot to come, is paused or is gone.
    pub(crate) fn put(&mut self, name: ScheduleName, due: Option<Timestamp>) {
        if let Some(before) = self.by_name.remove(&name) {
            self.by_time.remove(&(before, name.clone()));
        }
        if let Some(due) = due {
            self.by_name.insert(name.clone(), due);
            self.by_time.insert((due, name));
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_due_first_and_a_change_moves_it() {
        let name = |text: &str| text.parse::<ScheduleName>().unwrap();
        let mut schedules = DueSchedules::default();
        for (text, due) in [("a", 30), ("b", 10), ("c", 20)] {
            schedules.put(name(text), Some(Timestamp(due)));
        }
        assert_eq!(schedules.due(Timestamp(20), 9), [name("b"), name("c")]);
        assert_eq!(schedules.due(Timestamp(20), 1), [name("b")]);
        schedules.put(name("b"), Some(Timestamp(40)));
        schedules.put(name("c"), None);
        let due = schedules.due(Timestamp(99), 9);
        assert_eq!((schedules.next(), due), (Some(Timestamp(30)), vec![name("a"), name("b")]));
    }
}
