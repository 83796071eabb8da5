//! What is told of the next changes of the clocks is what happens in them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use chrono::{NaiveDateTime, TimeDelta};
use hookbox_core::cron::{Calendar, ClockChange, CronExpr, Fate, GAP_MAX, Zone};
use hookbox_core::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

fn at(text: &str) -> Timestamp {
    Timestamp::from_utc(chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

fn changes(expr: &str, zone: &str, from: &str, count: usize) -> Vec<ClockChange> {
    CronExpr::parse(expr).unwrap().clock_changes(&Zone::parse(zone).unwrap(), at(from), count)
}

/// What is said of the next change forward and the next change back in New York.
fn new_york(expr: &str) -> [String; 2] {
    let changes = changes(expr, "America/New_York", "2026-01-01T00:00:00Z", 2);
    [changes[0].describe(), changes[1].describe()]
}

#[test]
fn a_change_tells_when_it_is_and_by_how_much() {
    let changes = changes("30 2 * * *", "America/New_York", "2026-01-01T00:00:00Z", 3);
    let told: Vec<_> =
        changes.iter().map(|change| (change.at, change.from_seconds, change.to_seconds, change.is_forward())).collect();
    let (winter, summer) = (-18_000, -14_400);
    assert_eq!(
        told,
        [
            (at("2026-03-08T07:00:00Z"), winter, summer, true),
            (at("2026-11-01T06:00:00Z"), summer, winter, false),
            (at("2027-03-14T07:00:00Z"), winter, summer, true),
        ]
    );
    assert!(self::changes("30 2 * * *", "UTC", "2026-01-01T00:00:00Z", 2).is_empty());
    let on_the_instant = self::changes("30 2 * * *", "America/New_York", "2026-03-08T07:00:00Z", 1);
    assert_eq!(on_the_instant[0].at, at("2026-11-01T06:00:00Z"));
}

#[test]
fn a_time_of_day_is_made_up_for_and_fires_once() {
    let forward = "Clocks go forward from 02:00 to 03:00.";
    let back = "Clocks go back from 02:00 to 01:00.";
    let told = [
        ("30 2 * * *", "02:30 is left out: it fires once at 03:00 instead.", "It names no time that is shown twice."),
        (
            "0,30 2 * * *",
            "02:00 and 02:30 are left out: it fires once at 03:00 instead.",
            "It names no time that is shown twice.",
        ),
        (
            "30 1-3 * * *",
            "02:30 is left out: it fires once at 03:00 instead.",
            "01:30 is shown twice: it fires the first time only.",
        ),
        (
            "0,30 1 * * *",
            "It names no time that is left out.",
            "01:00 and 01:30 are shown twice: it fires the first time only.",
        ),
    ];
    for (expr, of_gap, of_fold) in told {
        assert_eq!(new_york(expr), [format!("{forward} {of_gap}"), format!("{back} {of_fold}")], "{expr}");
    }
}

#[test]
fn what_keeps_its_pace_skips_the_gap_and_fires_in_both_passes() {
    let [forward, back] = new_york("*/15 * * * *");
    assert_eq!(
        forward,
        "Clocks go forward from 02:00 to 03:00. 02:00, 02:15, 02:30 and 02:45 are left out: it does not fire then."
    );
    assert_eq!(
        back,
        "Clocks go back from 02:00 to 01:00. 01:00, 01:15, 01:30 and 01:45 are shown twice: it fires both times."
    );
    let [forward, _] = new_york("* * * * *");
    assert!(forward.contains("02:00, 02:01, 02:02, 02:03, 02:04, 02:05 and 54 more are left out"), "{forward}");
    let [_, back] = new_york("*/20 */30 1 * * *");
    assert!(back.contains("01:00, 01:00:20, 01:00:40, 01:30, 01:30:20 and 01:30:40 are shown twice"), "{back}");
}

#[test]
fn days_are_told_where_a_change_reaches_into_another() {
    let told = |expr, zone, from| changes(expr, zone, from, 1)[0].describe();
    assert_eq!(
        told("0 12 * * *", "Pacific/Apia", "2011-12-01T00:00:00Z"),
        "Clocks go forward from 00:00 to 00:00 on 31 December. 12:00 is left out: it does not fire then."
    );
    assert_eq!(
        told("30 23 * * *", "America/Asuncion", "2024-01-01T00:00:00Z"),
        "Clocks go back from 00:00 on 24 March to 23:00. 23:30 is shown twice: it fires the first time only."
    );
    assert_eq!(
        told("15 2 * * *", "Australia/Lord_Howe", "2026-08-01T00:00:00Z"),
        "Clocks go forward from 02:00 to 02:30. 02:15 is left out: it fires once at 02:30 instead."
    );
}

fn expression() -> impl Strategy<Value = String> {
    let minute = prop_oneof!["\\*", "\\*/[1-9]", "[0-9]", "[1-5][0-9]", "0,30", "0,15,30,45"];
    let hour = prop_oneof!["\\*", "\\*/[1-3]", "[0-3]", "0,1,2,3", "23,0-3"];
    let day = prop_oneof![3 => Just("* * *"), 1 => Just("* * sun"), 1 => Just("1-10 * sat")];
    (minute, hour, day).prop_map(|(minute, hour, day)| format!("{minute} {hour} {day}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_is_told_of_a_change_is_what_the_scheduler_does(
        expr in expression(),
        zone in select(vec!["America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "Africa/Casablanca"]),
        from in select(vec!["2010-01-01T00:00:00Z", "2011-12-01T00:00:00Z", "2026-01-01T00:00:00Z", "2030-06-01T00:00:00Z"]),
    ) {
        let parsed = CronExpr::parse(&expr).unwrap();
        let in_zone = Zone::parse(zone).unwrap();
        for change in parsed.clock_changes(&in_zone, at(from), 3) {
            let around = (change.to_reading - change.from_reading).abs();
            let (early, late) = (change.at.to_utc() - around, change.at.to_utc() + around);
            let calendar = Calendar::Cron { expr: parsed.clone(), zone: in_zone.clone() };
            let from = Timestamp::from_utc(early - TimeDelta::milliseconds(1));
            let fired: Vec<_> = std::iter::successors(calendar.next_after(from), |last| calendar.next_after(*last))
                .map(Timestamp::to_utc)
                .take_while(|at| *at < late)
                .collect();
            let fired_at = |at| fired.contains(&at);
            let names = |reading: NaiveDateTime| {
                let at = Timestamp::from_utc(reading.and_utc());
                parsed.next_after(Timestamp(at.0 - 1), &Zone::default()) == Some(at)
            };
            let offset = |seconds: i32| TimeDelta::seconds(i64::from(seconds));
            for (reading, fate) in &change.readings {
                let (first, second) =
                    ((*reading - offset(change.from_seconds)).and_utc(), (*reading - offset(change.to_seconds)).and_utc());
                let told = (*fate, change.is_forward());
                match told {
                    (Fate::Twice, false) => prop_assert!(fired_at(first) && fired_at(second), "{} {:?}", expr, change),
                    (Fate::Once, false) => prop_assert!(fired_at(first) && !fired_at(second), "{} {:?}", expr, change),
                    (Fate::MadeUp, true) => prop_assert!(fired_at(change.at.to_utc()) && around <= GAP_MAX),
                    // Where it fires at the end of the gap it names that time itself.
                    (Fate::Skipped, true) => prop_assert!(!fired_at(change.at.to_utc()) || names(change.to_reading)),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            // And nothing fires in the fold that is not told.
            let told: usize = change.readings.iter().map(|(_, fate)| if *fate == Fate::Twice { 2 } else { 1 }).sum();
            if !change.is_forward() {
                prop_assert_eq!(fired.len(), told, "{} {:?}", expr, change);
            }
        }
    }
}
