//! The slots of a schedule: its times within its bounds.

use sha2::{Digest, Sha256};

use super::Rules;
use crate::cron::Calendar;
use crate::name::ScheduleName;
use crate::time::{Millis, Timestamp};

/// The slots of a schedule, and how long each is put off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    times: Times,
    start: Timestamp,
    end: Timestamp,
    put_off: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Times {
    Calendar(Calendar),
    Once(Timestamp),
}

impl Slots {
    pub(super) fn new(times: Times, rules: &Rules, name: &ScheduleName) -> Slots {
        Slots {
            times,
            start: rules.start.unwrap_or(Timestamp(0)),
            end: rules.end.unwrap_or(Timestamp(u64::MAX)),
            put_off: put_off(name, rules.jitter),
        }
    }

    /// The first slot later than `after`. A time that is not later than asked is none: it would be decided for ever.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.max(self.start.minus(Millis(1)));
        let next = match &self.times {
            Times::Calendar(calendar) => calendar.next_after(after),
            Times::Once(at) => Some(*at),
        };
        next.filter(|next| *next > after && *next >= self.start && *next < self.end)
    }

    /// Whether its times go on after `after`, and only its end leaves them out.
    pub(super) fn end_before(&self, after: Timestamp) -> bool {
        let next = match &self.times {
            Times::Calendar(calendar) => calendar.next_after(after.max(self.start.minus(Millis(1)))),
            Times::Once(at) => Some(*at),
        };
        next.is_some_and(|next| next > after && next >= self.end)
    }

    /// The first `count` slots later than `after`, [`Calendar::UPCOMING_MAX`] at most.
    pub fn upcoming(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let slots = std::iter::successors(self.next_after(after), |last| self.next_after(*last));
        slots.take(count.min(Calendar::UPCOMING_MAX)).collect()
    }

    /// From a slot to when it is due.
    pub fn put_off(&self) -> Millis {
        self.put_off
    }
}

/// The same for a name always: over restarts, releases and hosts.
pub(super) fn put_off(name: &ScheduleName, jitter: Millis) -> Millis {
    let hash: [u8; 32] = Sha256::digest(name.as_str().as_bytes()).into();
    let number = u64::from_be_bytes(*hash.first_chunk::<8>().unwrap_or(&[0; 8]));
    Millis(number % jitter.0.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::Every;

    fn slots(rules: &Rules) -> Slots {
        let every = Every::new(Millis::MINUTE, Timestamp(0)).unwrap();
        Slots::new(Times::Calendar(Calendar::Every(every)), rules, &"nightly".parse().unwrap())
    }

    #[test]
    fn slots_lie_from_the_start_to_before_the_end() {
        let rules = Rules { start: Some(Timestamp(120_000)), end: Some(Timestamp(240_000)), ..Rules::default() };
        assert_eq!(slots(&rules).upcoming(Timestamp(0), 9), [Timestamp(120_000), Timestamp(180_000)]);
        assert_eq!(slots(&rules).next_after(Timestamp(180_000)), None);
        assert_eq!(slots(&Rules::default()).next_after(Timestamp(0)), Some(Timestamp(60_000)));
    }

    #[test]
    fn one_time_is_one_slot() {
        let once = Slots::new(Times::Once(Timestamp(70_000)), &Rules::default(), &"once".parse().unwrap());
        assert_eq!(once.upcoming(Timestamp(0), 9), [Timestamp(70_000)]);
        assert_eq!(once.next_after(Timestamp(70_000)), None);
    }

    #[test]
    fn jitter_is_a_schedules_own_and_within_its_bound() {
        let of = |name: &str, jitter| put_off(&name.parse().unwrap(), jitter);
        assert_eq!(of("nightly", Millis::HOUR), of("nightly", Millis::HOUR));
        assert_ne!(of("nightly", Millis::HOUR), of("hourly", Millis::HOUR));
        assert_eq!(of("nightly", Millis(0)), Millis(0));
        assert!((0..100).all(|n| of(&format!("s{n}"), Millis(9)) <= Millis(9)));
    }
}
