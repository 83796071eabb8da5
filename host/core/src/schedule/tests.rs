use super::*;
use crate::cron::DayRule;
use crate::name::{HandlerName, PluginName};
use proptest::prelude::*;

fn every(period: Millis) -> Slots {
    Slots::new(
        When::every(period).unwrap().times(Timestamp(0), &Zones::default()).unwrap(),
        &Rules::default(),
        &"nightly".parse().unwrap(),
    )
}

fn at(decided: Timestamp) -> Progress {
    Progress { decided, paused_until: None, left: None }
}

/// By the default rules.
fn judged(period: Millis, decided: Timestamp, now: Timestamp) -> Option<SlotDecision> {
    decide(&every(period), &Rules::default(), at(decided), now)
}

pub(super) fn schedule(when: When) -> Schedule {
    let target = HandlerRef {
        plugin: PluginName::parse("daily-digest").unwrap(),
        handler: HandlerName::parse("digest").unwrap(),
    };
    Schedule {
        name: ScheduleName::of(&target),
        target,
        when,
        payload: None,
        origin: Origin::Plugin,
        rules: Rules::default(),
    }
}

pub(super) const NOON: Timestamp = Timestamp(1_780_000_000_000);

pub(super) const MINUTE: u64 = 60_000;
pub(super) const HOUR: u64 = 60 * MINUTE;

fn stamps(times: &[u64]) -> Vec<Timestamp> {
    times.iter().copied().map(Timestamp).collect()
}

#[test]
fn a_slot_that_has_come_is_fired() {
    let decision = judged(Millis::MINUTE, Timestamp(MINUTE), Timestamp(2 * MINUTE + 5)).unwrap();
    assert_eq!((decision.fire, decision.missed.slots, decision.to), (stamps(&[2 * MINUTE]), 0, Timestamp(2 * MINUTE)));
    assert_eq!(decision.next, Some(Timestamp(3 * MINUTE)));
}

#[test]
fn no_slot_is_decided_twice() {
    assert_eq!(judged(Millis::MINUTE, Timestamp(2 * MINUTE), Timestamp(2 * MINUTE + 5)), None);
}

#[test]
fn a_clock_behind_the_mark_waits() {
    assert_eq!(judged(Millis::MINUTE, Timestamp(10 * MINUTE), Timestamp(2 * MINUTE)), None);
}

#[test]
fn of_several_missed_slots_the_latest_is_fired() {
    let decision = judged(Millis::HOUR, Timestamp(0), Timestamp(3 * HOUR + 5)).unwrap();
    assert_eq!((decision.fire, decision.missed.slots), (stamps(&[3 * HOUR]), 2));
    assert_eq!(decision.missed.last, Some(Timestamp(2 * HOUR)));
}

#[test]
fn a_slot_older_than_the_window_is_missed() {
    let week = Millis(7 * Millis::DAY.0);
    let late = Timestamp(week.0).plus(MISSED_WITHIN).plus(Millis(1));
    let decision = judged(week, Timestamp(0), late).unwrap();
    assert_eq!((decision.fire, decision.missed.slots, decision.to), (vec![], 1, Timestamp(week.0)));
}

#[test]
fn a_rule_may_make_up_for_none_for_all_or_for_some() {
    let by = |missed, within: Option<Millis>, now| {
        let rules = Rules { missed, missed_within: within, ..Rules::default() };
        let decision = decide(&every(Millis::HOUR), &rules, at(Timestamp(0)), Timestamp(now)).unwrap();
        (decision.missed.slots, decision.fire)
    };
    assert_eq!(by(Missed::None, None, 3 * HOUR + 5), (2, stamps(&[3 * HOUR])), "it is on time");
    assert_eq!(by(Missed::None, None, 3 * HOUR + ON_TIME.0 + 1), (3, vec![]));
    assert_eq!(by(Missed::All(9), None, 3 * HOUR + 5), (0, stamps(&[HOUR, 2 * HOUR, 3 * HOUR])));
    assert_eq!(by(Missed::All(2), None, 3 * HOUR + 5), (1, stamps(&[2 * HOUR, 3 * HOUR])));
    assert_eq!(by(Missed::All(9), Some(Millis(HOUR)), 3 * HOUR), (1, stamps(&[2 * HOUR, 3 * HOUR])));
    assert_eq!(by(Missed::Latest, Some(Millis(HOUR)), 3 * HOUR + HOUR - 1), (2, stamps(&[3 * HOUR])));
}

#[test]
fn many_slots_are_made_up_for_in_steps() {
    let rules = Rules { missed: Missed::All(40), ..Rules::default() };
    let (mut decided, mut fired, mut missed) = (Timestamp(0), Vec::new(), 0);
    while let Some(decision) = decide(&every(Millis::MINUTE), &rules, at(decided), Timestamp(100 * MINUTE)) {
        assert!(decision.fire.len() <= FIRES_PER_DECISION_MAX && decision.to > decided);
        missed += decision.missed.slots;
        fired.extend(decision.fire);
        decided = decision.to;
    }
    assert_eq!((missed, fired), (60, (61..=100).map(|n| Timestamp(n * MINUTE)).collect()));
}

#[test]
fn slots_of_a_pause_are_not_made_up_for() {
    let progress = Progress { paused_until: Some(Timestamp(3 * HOUR)), ..at(Timestamp(0)) };
    let now = Timestamp(5 * HOUR + 1);
    let rules = Rules { missed: Missed::All(9), ..Rules::default() };
    let paused = decide(&every(Millis::HOUR), &rules, progress, now).unwrap();
    assert_eq!((paused.paused.slots, paused.fire.len(), paused.to), (3, 0, Timestamp(3 * HOUR)));
    let after = decide(&every(Millis::HOUR), &rules, Progress { decided: paused.to, ..progress }, now).unwrap();
    assert_eq!((after.paused.slots, after.fire), (0, stamps(&[4 * HOUR, 5 * HOUR])));
}

#[test]
fn a_schedule_ends_when_its_count_is_used_up() {
    let rules = Rules { missed: Missed::All(9), ..Rules::default() };
    let left = |left| decide(&every(Millis::HOUR), &rules, Progress { left, ..at(Timestamp(0)) }, Timestamp(3 * HOUR));
    let last = left(Some(1)).unwrap();
    assert_eq!((last.fire, last.missed.slots), (stamps(&[3 * HOUR]), 2));
    assert_eq!(left(Some(0)), None);
}

#[test]
fn jitter_puts_every_slot_off_by_the_same() {
    let rules = Rules { jitter: Millis(30_000), ..Rules::default() };
    let when = When::every_with(Millis::MINUTE, Millis(0)).unwrap();
    let schedule = Schedule { rules, ..schedule(when) };
    let row = ScheduleRow::new(schedule, Timestamp(MINUTE)).unwrap();
    let put_off = row.slots().unwrap().put_off();
    assert!(put_off > Millis(0) && put_off <= Millis(30_000), "{put_off}");
    assert_eq!((row.next, row.due()), (Some(Timestamp(2 * MINUTE)), Some(Timestamp(2 * MINUTE).plus(put_off))));
    let due = Timestamp(2 * MINUTE).plus(put_off);
    let at_time = |now| decide(&row.slots().unwrap(), &rules, row.progress(), now);
    assert_eq!(at_time(due.minus(Millis(1))), None);
    assert_eq!(at_time(due).unwrap().fire, stamps(&[2 * MINUTE]));
}

#[test]
fn a_year_of_missed_seconds_is_decided_in_steps() {
    let (mut decided, mut missed, mut fired, mut steps) = (Timestamp(0), 0, vec![], 0);
    let now = Timestamp(25_000 * 1000);
    while let Some(decision) = judged(Millis::SECOND, decided, now) {
        missed += decision.missed.slots;
        fired.extend(decision.fire);
        decided = decision.to;
        steps += 1;
    }
    assert_eq!((missed, fired, steps), (24_999, vec![now], 6));
}

#[test]
fn a_schedule_is_paused_after_so_many_failures_in_a_row() {
    let rules = Rules { pause_after: Some(2), ..Rules::default() };
    let mut row = ScheduleRow::new(Schedule { rules, ..schedule(When::every(Millis::HOUR).unwrap()) }, NOON).unwrap();
    for failed in [true, false, true] {
        row.run_ended(failed, NOON);
        assert_eq!(row.pause, None);
    }
    assert!(row.run_ended(true, NOON));
    assert_eq!(row.pause, Some(Pause { since: NOON, note: None, failures: Some(2) }));
    assert_eq!(row.due(), None);
    assert!(row.set_pause(None, NOON) && row.failures == 0 && row.due().is_some());
}

#[test]
fn a_reset_begins_anew_where_the_clock_is() {
    let mut row =
        ScheduleRow::new(schedule(When::every_with(Millis::HOUR, Millis(0)).unwrap()), Timestamp(9 * HOUR)).unwrap();
    row.reset(Timestamp(2 * HOUR)).unwrap();
    assert_eq!((row.decided, row.next), (Timestamp(2 * HOUR), Some(Timestamp(3 * HOUR))));
}

#[test]
fn an_interval_with_a_phase_does_not_depend_on_when_it_was_made() {
    let when = When::every_with(Millis::HOUR, Millis(5 * MINUTE)).unwrap();
    let row = ScheduleRow::new(schedule(when), Timestamp(2 * HOUR + 1)).unwrap();
    assert_eq!(row.next, Some(Timestamp(2 * HOUR + 5 * MINUTE)));
    assert!(When::every_with(Millis::HOUR, Millis::HOUR).is_err());
}

#[test]
fn a_rule_that_cannot_fire_is_refused() {
    assert_eq!(When::cron("0 0 31 2 *", None), Err(BadWhen::Never("0 0 31 2 *".into())));
    assert!(When::every(Millis(10)).is_err());
}

#[test]
fn a_new_schedule_fires_within_ten_years_and_its_bounds() {
    let zones = Zones::default();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = at("2026-11-25T00:00:00Z");
    let yearly = When::cron("0 0 1 1 *", None).unwrap();
    let with = |rules, when: &When| Schedule { rules, ..schedule(when.clone()) }.first_after(now, &zones);
    assert_eq!(with(Rules::default(), &yearly), Ok(at("2027-01-01T00:00:00Z")));
    let (start, end) = (Some(at("2028-06-01T00:00:00Z")), Some(at("2028-12-31T00:00:00Z")));
    assert_eq!(with(Rules { start, ..Rules::default() }, &yearly), Ok(at("2029-01-01T00:00:00Z")));
    assert_eq!(with(Rules { start, end, ..Rules::default() }, &yearly), Err(BadWhen::OutOfBounds));
    let far = Some(at("2036-11-25T00:00:00Z"));
    let rare = with(Rules { start: far, ..Rules::default() }, &yearly).unwrap_err();
    assert!(rare.to_string().contains("within 10 years: its next time is 2037-01-01"), "{rare}");
    let leap = When::cron_with("0 0 29 2 1", ZoneName::default(), DayRule::And).unwrap();
    assert!(matches!(with(Rules::default(), &leap), Err(BadWhen::TooRare(..))));
    let once = |text: &str| with(Rules::default(), &When::Once { at: at(text) });
    assert_eq!(once("2026-11-25T00:00:01Z"), Ok(at("2026-11-25T00:00:01Z")));
    assert_eq!(once("2026-11-25T00:00:00Z"), Err(BadWhen::Past(now)));
}

#[test]
fn a_rule_says_in_words_which_of_two_days_count() {
    let words =
        |rule| When::cron_with("0 9 13 * fri", ZoneName::parse("Europe/London").unwrap(), rule).unwrap().describe();
    assert_eq!(words(DayRule::Or), "at 09:00, on the 13th of the month or on any Friday (Europe/London)");
    assert_eq!(words(DayRule::And), "at 09:00, on the 13th of the month, but only if that is a Friday (Europe/London)");
    assert_eq!(When::every_with(Millis::HOUR, Millis(300_000)).unwrap().describe(), "every 1h, 5m later");
}

#[test]
fn a_backfill_has_one_key_and_one_job_for_a_slot() {
    let schedule = schedule(When::every(Millis::HOUR).unwrap());
    let (key, job) = schedule.backfill_key(NOON);
    assert_eq!(key, format!("daily-digest.digest@{NOON}/backfill"));
    assert_ne!(key, schedule.slot_key(NOON));
    assert_eq!(schedule.backfill_key(NOON).1, job);
    assert_eq!(job.time(), NOON);
    assert_ne!(schedule.backfill_key(NOON.plus(Millis(1))).1, job);
}

#[test]
fn the_key_of_a_slot_is_told_from_others() {
    let (schedule, run) = (schedule(When::every(Millis::HOUR).unwrap()), RunId::new(NOON, 1));
    let is_slot = |key: &str| Schedule::is_slot_key(&schedule.name, key);
    assert!(is_slot(&schedule.slot_key(NOON)) && is_slot(&schedule.slot_key(NOON.plus(Millis(1)))));
    let by_hand = format!("{}@{run}", schedule.name);
    for other in [schedule.backfill_key(NOON).0, by_hand, run.to_string(), format!("other@{NOON}")] {
        assert!(!is_slot(&other), "{other}");
    }
}

proptest! {
    #[test]
    fn every_slot_has_one_verdict_however_often_it_is_looked_at(steps in prop::collection::vec(1u64..7_200_000, 1..40)) {
        let (mut now, mut decided, mut fired, mut missed) = (Timestamp(0), Timestamp(0), 0, 0);
        for step in steps {
            now = now.plus(Millis(step));
            if let Some(decision) = judged(Millis::MINUTE, decided, now) {
                prop_assert!(decision.to > decided);
                fired += decision.fire.len() as u64;
                missed += decision.missed.slots;
                decided = decision.to;
            }
            prop_assert_eq!(fired + missed, now.0 / 60_000);
        }
    }
}
