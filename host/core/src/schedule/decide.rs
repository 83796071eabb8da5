//! The verdicts on the slots that have come.

use std::collections::VecDeque;

use super::{MISSED_WITHIN, Missed, ON_TIME, Rules, Slots};
use crate::time::Timestamp;

/// Slots that one decision looks at: some milliseconds of work. What is left is decided next.
pub const SLOTS_PER_DECISION_MAX: usize = 5_000;
/// Slots that one decision fires: their jobs are one commit.
pub const FIRES_PER_DECISION_MAX: usize = 16;

/// What is to be done about the slots that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotDecision {
    /// The high-water mark it was made from.
    pub from: Timestamp,
    /// The new one.
    pub to: Timestamp,
    /// Slots that came while the schedule was paused, and the last of them.
    pub paused: Passed,
    /// Slots that are missed, before those that fire; and the last of them.
    pub missed: Passed,
    pub fire: Vec<Timestamp>,
    pub next: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    pub slots: u64,
    pub last: Option<Timestamp>,
}

impl Passed {
    pub(super) fn count(&mut self, slot: Timestamp) {
        self.slots += 1;
        self.last = Some(slot);
    }
}

/// How far a schedule came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Every slot up to here has its verdict.
    pub decided: Timestamp,
    /// Slots up to here came while it was paused.
    pub paused_until: Option<Timestamp>,
    /// Slots that may still make a run.
    pub left: Option<u64>,
}

/// Decides the slots after the mark that are due by `now`. Nothing where none is, or the clock is behind the mark.
pub fn decide(slots: &Slots, rules: &Rules, progress: Progress, now: Timestamp) -> Option<SlotDecision> {
    if progress.left == Some(0) {
        return None;
    }
    let now = now.minus(slots.put_off());
    let come = Come { slots, after: progress.decided, now };
    let first = come.clone().next()?;
    let mut decision = SlotDecision {
        from: progress.decided,
        to: progress.decided,
        paused: Passed::default(),
        missed: Passed::default(),
        fire: Vec::new(),
        next: None,
    };
    if progress.paused_until.is_some_and(|until| first <= until) {
        let paused = come.take_while(|slot| progress.paused_until.is_some_and(|until| *slot <= until));
        paused.take(SLOTS_PER_DECISION_MAX).for_each(|slot| decision.paused.count(slot));
    } else {
        fire(come, rules, progress.left, now, &mut decision);
    }
    let last = [decision.paused.last, decision.missed.last, decision.fire.last().copied()];
    decision.to = last.into_iter().flatten().max()?;
    // Whether it is the last one is known when it is committed: a slot that is skipped does not count.
    decision.next = slots.next_after(decision.to);
    Some(decision)
}

/// The latest few are fired, as many as the rule makes up for; those before them are missed.
fn fire(come: Come<'_>, rules: &Rules, left: Option<u64>, now: Timestamp, decision: &mut SlotDecision) {
    let (most, within) = match rules.missed {
        Missed::None => (1, ON_TIME),
        Missed::Latest => (1, rules.missed_within.unwrap_or(MISSED_WITHIN).max(ON_TIME)),
        Missed::All(most) => (most as usize, rules.missed_within.unwrap_or(MISSED_WITHIN).max(ON_TIME)),
    };
    let most = most.min(left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX)));
    let mut latest = VecDeque::new();
    let mut come = come.peekable();
    for _ in 0..SLOTS_PER_DECISION_MAX {
        let Some(slot) = come.next() else { break };
        latest.push_back(slot);
        if latest.len() > most {
            latest.pop_front().into_iter().for_each(|slot| decision.missed.count(slot));
        }
    }
    if come.peek().is_some() {
        // Which are the latest is seen once those before them are decided.
        return;
    }
    while let Some(slot) = latest.pop_front() {
        if now.since(slot) > within {
            decision.missed.count(slot);
        } else if decision.fire.len() < FIRES_PER_DECISION_MAX {
            decision.fire.push(slot);
        }
    }
}

/// The slots after the mark that have come.
#[derive(Clone)]
struct Come<'s> {
    slots: &'s Slots,
    after: Timestamp,
    now: Timestamp,
}

impl Iterator for Come<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let slot = self.slots.next_after(self.after).filter(|slot| *slot <= self.now)?;
        self.after = slot;
        Some(slot)
    }
}
