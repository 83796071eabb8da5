use super::*;
use crate::name::HandlerName;
use crate::schedule::tests::{HOUR, MINUTE, NOON, schedule};
use crate::schedule::{Missed, Origin, Rules, When};

#[test]
fn a_changed_rule_begins_anew_and_an_unchanged_one_keeps_its_mark() {
    let row = ScheduleRow::new(schedule(When::every(Millis::HOUR).unwrap()), NOON).unwrap();
    let later = NOON.plus(Millis(500));
    let (same, _) = row.clone().redefined(schedule(When::every(Millis::HOUR).unwrap()), later).unwrap();
    assert_eq!((same.anchor, same.decided), (NOON, NOON));
    let (other, closed) = row.redefined(schedule(When::every(Millis::MINUTE).unwrap()), later).unwrap();
    assert_eq!((other.anchor, other.decided, closed), (later, later, vec![]));
}

#[test]
fn slots_that_have_come_are_missed_where_their_rule_ends() {
    let hourly = schedule(When::every(Millis::HOUR).unwrap());
    let row = ScheduleRow::new(hourly.clone(), NOON).unwrap();
    let (later, last) = (NOON.plus(Millis(3 * HOUR + 1)), NOON.plus(Millis(3 * HOUR)));
    let changed = |slots| vec![SlotRecord { slot: last, decided_at: later, verdict: Verdict::Changed { slots } }];

    let minutely = schedule(When::every(Millis::MINUTE).unwrap());
    let (other, closed) = row.clone().redefined(minutely, later).unwrap();
    assert_eq!((closed, other.counts.missed, other.decided), (changed(3), 3, later));
    assert_eq!((other.next, &other.recent), (Some(later.plus(Millis::MINUTE)), &changed(3)));

    // Bounds leave the rule what it is, and its phase.
    let bounded = Schedule { rules: Rules { start: Some(later), ..Rules::default() }, ..hourly.clone() };
    let (bounded, closed) = row.clone().redefined(bounded, later).unwrap();
    assert_eq!((closed, bounded.anchor, bounded.next), (changed(3), NOON, Some(last.plus(Millis::HOUR))));

    // What is decided by another rule than the times is still decided.
    let moved = Schedule { rules: Rules { missed: Missed::None, ..Rules::default() }, ..hourly };
    let (moved, closed) = row.clone().redefined(moved, later).unwrap();
    assert_eq!((closed, moved.decided, moved.next), (vec![], NOON, Some(NOON.plus(Millis::HOUR))));

    let mut reset = row.clone();
    assert_eq!(reset.reset(later).unwrap(), changed(3));
    assert_eq!((reset.decided, reset.counts.missed), (later, 3));
    let mut paused = ScheduleRow { pause: Some(Pause::new(NOON, None)), ..row };
    let closed = paused.reset(later).unwrap();
    assert_eq!((&closed[0].verdict, paused.counts.paused), (&Verdict::Paused { slots: 3 }, 3));
}

#[test]
fn a_slot_that_is_put_off_ends_with_its_rule_and_is_no_slot() {
    let rules = Rules { jitter: Millis(30_000), ..Rules::default() };
    let row = ScheduleRow::new(Schedule { rules, ..schedule(When::every(Millis::HOUR).unwrap()) }, NOON).unwrap();
    let due = row.due().unwrap();
    assert!(due > NOON.plus(Millis::HOUR));
    assert_eq!(row.clone().close(due.minus(Millis(1))), vec![]);
    assert_eq!(row.clone().close(due).len(), 1);
}

#[test]
fn a_count_counts_what_the_definition_has_fired() {
    let rules = |count| Rules { count: Some(count), ..Rules::default() };
    let hourly = |count| Schedule { rules: rules(count), ..schedule(When::every(Millis::HOUR).unwrap()) };
    let mut row = ScheduleRow::new(hourly(3), NOON).unwrap();
    for n in 1..=3 {
        let verdict = Verdict::Fired { run: RunId::new(NOON, n) };
        row.note(SlotRecord { slot: NOON, decided_at: NOON, verdict });
    }
    assert_eq!((row.left(), row.counts.fired), (Some(0), 3));
    let redefined = |schedule| row.clone().redefined(schedule, NOON).unwrap().0;
    let more = redefined(hourly(4));
    assert_eq!((more.left(), more.next.is_some()), (Some(1), true));
    let minutely = Schedule { when: When::every(Millis::MINUTE).unwrap(), ..hourly(3) };
    let of_operator = Schedule { origin: Origin::Operator, ..hourly(3) };
    let mut elsewhere = hourly(3);
    elsewhere.target.handler = HandlerName::parse("weekly").unwrap();
    for other in [minutely, of_operator, elsewhere] {
        let other = redefined(other);
        assert_eq!((other.left(), other.counts.fired, other.next.is_some()), (Some(3), 3, true));
    }
}

#[test]
fn one_that_comes_back_goes_on_and_had_no_slots_meanwhile() {
    let hourly = schedule(When::every(Millis::HOUR).unwrap());
    let mut row = ScheduleRow::new(hourly.clone(), NOON).unwrap();
    row.pause = Some(Pause::new(NOON, Some("closed")));
    row.counts.fired = 7;
    row.open = vec![RunId::new(NOON, 1)];
    let later = NOON.plus(Millis(5 * HOUR + 1));
    let back = row.clone().revived(hourly.clone(), later).unwrap();
    assert_eq!((back.decided, back.next, back.anchor), (later, Some(NOON.plus(Millis(6 * HOUR))), NOON));
    assert_eq!((&back.pause, back.counts, &back.open), (&row.pause, row.counts, &row.open));
    // A clock that went back fires nothing twice.
    let early = row.clone().revived(hourly.clone(), NOON.minus(Millis(9 * HOUR))).unwrap();
    assert_eq!((early.decided, early.next), (NOON, Some(NOON.plus(Millis::HOUR))));
    let anew = row.clone().forgotten().revived(hourly, later).unwrap();
    assert_eq!((anew.pause, anew.counts, anew.decided), (None, SlotCounts::default(), later));
    assert_eq!(anew.open, row.open);
}

#[test]
fn of_runs_beside_one_another_the_latest_are_known() {
    let mut row = ScheduleRow::new(schedule(When::every(Millis::HOUR).unwrap()), NOON).unwrap();
    for n in 0..150 {
        row.note(SlotRecord { slot: NOON, decided_at: NOON, verdict: Verdict::Fired { run: RunId::new(NOON, n) } });
    }
    assert_eq!((row.open.len(), row.open[0]), (OPEN_MAX, RunId::new(NOON, 150 - OPEN_MAX as u128)));
}

#[test]
fn other_bounds_make_up_for_nothing() {
    let bounded = |start, end| {
        let rules = Rules { start, end, missed: Missed::All(9), ..Rules::default() };
        Schedule { rules, ..schedule(When::every_with(Millis::HOUR, Millis(0)).unwrap()) }
    };
    let at = |hours| Some(Timestamp(hours * HOUR));
    let now = Timestamp(12 * HOUR + 30 * MINUTE);
    let redefined = |before, after| {
        let row = ScheduleRow::new(before, Timestamp(9 * HOUR)).unwrap();
        let (row, closed) = row.redefined(after, now).unwrap();
        (row.next, closed.into_iter().map(|record| record.verdict).collect::<Vec<_>>())
    };
    // It would have begun at 15:00, and at 12:30 its start is taken away, or moved to what is past.
    assert_eq!(redefined(bounded(at(15), None), bounded(None, None)), (at(13), vec![]));
    assert_eq!(redefined(bounded(at(15), None), bounded(at(10), None)), (at(13), vec![]));
    // It has ended before its first slot, and is prolonged.
    assert_eq!(redefined(bounded(None, at(10)), bounded(None, at(20))), (at(13), vec![]));
    // Slots that came within the old bounds have their verdict; those before them never were.
    let changed = vec![Verdict::Changed { slots: 2 }];
    assert_eq!(redefined(bounded(at(11), None), bounded(None, None)), (at(13), changed));
}

#[test]
fn a_slot_that_is_put_off_stays_one_within_other_bounds() {
    let bounded = |start| {
        let rules = Rules { start: Some(start), jitter: Millis(30_000), ..Rules::default() };
        Schedule { rules, ..schedule(When::every_with(Millis::HOUR, Millis(0)).unwrap()) }
    };
    let start = Timestamp(NOON.0 / HOUR * HOUR);
    let row = ScheduleRow::new(bounded(start), start.minus(Millis(5 * HOUR))).unwrap();
    let now = row.due().unwrap().minus(Millis(1));
    let (row, closed) = row.redefined(bounded(start.minus(Millis(3 * HOUR))), now).unwrap();
    assert_eq!((row.next, closed), (Some(start), vec![]));
}

#[test]
fn ten_verdicts_are_kept() {
    let mut row = ScheduleRow::new(schedule(When::every(Millis::HOUR).unwrap()), NOON).unwrap();
    for n in 0..15 {
        let verdict = Verdict::Missed { slots: 1 };
        row.note(SlotRecord { slot: Timestamp(n), decided_at: NOON, verdict });
    }
    assert_eq!((row.recent.len(), row.counts.missed, row.recent[0].slot), (10, 15, Timestamp(5)));
}
