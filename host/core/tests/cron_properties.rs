//! What holds for any expression, zone and time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use hookbox_core::cron::{CronExpr, DayRule, Zone};
use hookbox_core::time::Timestamp;
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;

const ZONES: [&str; 8] = [
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/London",
    "Asia/Kathmandu",
    "America/Santiago",
    "Africa/Casablanca",
];

/// Days on which clocks change somewhere, as that somewhere calls them.
const CHANGES: [(&str, &str); 10] = [
    ("America/New_York", "2026-03-08T00:00:00Z"),
    ("America/New_York", "2026-11-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
    ("Europe/London", "2026-03-29T00:00:00Z"),
    ("Europe/London", "2026-10-25T00:00:00Z"),
    ("Pacific/Apia", "2011-12-30T00:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T00:00:00Z"),
    ("America/Santiago", "2026-04-04T12:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T00:00:00Z"),
];

/// A field as it is written and what it means.
#[derive(Debug, Clone)]
struct Plain {
    text: String,
    numbers: BTreeSet<u32>,
}

/// Five fields: minute, hour, day of month, month, day of week.
#[derive(Clone)]
struct Expr([Plain; 5]);

fn field(low: u32, high: u32) -> impl Strategy<Value = Plain> {
    let stepped = move |first: u32, last: u32, step: u32| (first..=last).step_by(step as usize).collect();
    prop_oneof![
        2 => Just(Plain { text: "*".to_owned(), numbers: (low..=high).collect() }),
        1 => (1..=high - low).prop_map(move |step| Plain {
            text: format!("*/{step}"),
            numbers: stepped(low, high, step),
        }),
        1 => (low..=high, low..=high, 1..=3_u32).prop_map(move |(a, b, step)| {
            let (first, last) = (a.min(b), a.max(b));
            Plain { text: format!("{first}-{last}/{step}"), numbers: stepped(first, last, step) }
        }),
        3 => btree_set(low..=high, 1..4).prop_map(|numbers| Plain {
            text: list(&numbers, 0),
            numbers,
        }),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
        .prop_map(|(a, b, c, d, e)| Expr([a, b, c, d, e]))
}

/// An expression for every day, and often for the hours in which clocks change.
fn time_of_day() -> impl Strategy<Value = Expr> {
    let every = |low, high| Plain { text: "*".to_owned(), numbers: (low..=high).collect() };
    let night = btree_set(0..=4_u32, 1..4).prop_map(|numbers| Plain { text: list(&numbers, 0), numbers });
    (field(0, 59), prop_oneof![field(0, 23), night])
        .prop_map(move |(minute, hour)| Expr([minute, hour, every(1, 31), every(1, 12), every(0, 6)]))
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // 1971 to 2095, not only whole seconds.
    (31_536_000_000_i64..3_944_678_400_000).prop_map(|millis| DateTime::from_timestamp_millis(millis).unwrap())
}

fn list(numbers: &BTreeSet<u32>, add: u32) -> String {
    numbers.iter().map(|number| (number + add).to_string()).collect::<Vec<_>>().join(",")
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl Expr {
    fn text(&self) -> String {
        self.0.each_ref().map(|field| field.text.as_str()).join(" ")
    }

    fn parse(&self) -> CronExpr {
        CronExpr::parse(&self.text()).unwrap()
    }

    fn is_wild(&self) -> bool {
        self.0[0].text.starts_with('*') || self.0[1].text.starts_with('*')
    }

    fn names(&self, wall: NaiveDateTime) -> bool {
        let [minute, hour, day, month, weekday] = &self.0;
        let of_month = day.numbers.contains(&wall.day());
        let of_week = weekday.numbers.contains(&wall.weekday().num_days_from_sunday());
        let both = day.text.starts_with('*') || weekday.text.starts_with('*');
        wall.second() == 0
            && minute.numbers.contains(&wall.minute())
            && hour.numbers.contains(&wall.hour())
            && month.numbers.contains(&wall.month())
            && if both { of_month && of_week } else { of_month || of_week }
    }
}

fn next(expr: &CronExpr, after: DateTime<Utc>, zone: &str) -> Option<DateTime<Utc>> {
    expr.next_after(Timestamp::from_utc(after), &Zone::parse(zone).unwrap()).map(Timestamp::to_utc)
}

fn wall(at: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// Vixie's rule, minute by minute: every time from `from` on and before `until`.
fn minute_by_minute(expr: &Expr, zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let minute = TimeDelta::minutes(1);
    let early = from - TimeDelta::days(2);
    let mut latest = wall(early, zone);
    let mut times = Vec::new();
    let mut at = early + minute;
    while at < until {
        let here = wall(at, zone);
        let is_new = here > latest;
        let gap = here - latest - minute;
        let missed = is_new && gap > TimeDelta::zero() && gap <= TimeDelta::hours(3) && {
            (1..=gap.num_minutes()).any(|ahead| expr.names(latest + minute * i32::try_from(ahead).unwrap()))
        };
        let fires = if expr.is_wild() { expr.names(here) } else { is_new && (missed || expr.names(here)) };
        if fires && at >= from {
            times.push(at);
        }
        latest = latest.max(here);
        at += minute;
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn plain_expressions_agree_with_the_cron_crate(expr in expr(), after in instant()) {
        let [minute, hour, day, month, weekday] = &expr.0;
        let fields = [list(&minute.numbers, 0), list(&hour.numbers, 0), list(&day.numbers, 0), list(&month.numbers, 0)];
        let theirs = cron::Schedule::from_str(&format!("0 {} {}", fields.join(" "), list(&weekday.numbers, 1))).unwrap();
        let ours = expr.parse().with_day_rule(DayRule::And);
        let horizon = after + TimeDelta::days(365 * 40);
        let theirs = theirs.after(&after).next().filter(|time| *time < horizon);
        // Theirs knows no year after 2100.
        let horizon = horizon.min(DateTime::parse_from_rfc3339("2100-01-01T00:00:00Z").unwrap().to_utc());
        let theirs = theirs.filter(|time| *time < horizon);
        prop_assert_eq!(next(&ours, after, "UTC").filter(|time| *time < horizon), theirs);
    }

    #[test]
    fn the_next_time_is_later_and_never_moves_back(
        expr in expr(),
        zone in select(&ZONES[..]),
        after in instant(),
        wait in 0..200_000_000_i64,
    ) {
        let expr = expr.parse();
        let later = after + TimeDelta::milliseconds(wait);
        let first = next(&expr, after, zone);
        prop_assert!(first.is_none_or(|first| first > after));
        if let (Some(first), Some(second)) = (first, next(&expr, later, zone)) {
            prop_assert!(second >= first);
            prop_assert!(later >= first || second == first);
        }
    }

    #[test]
    fn any_time_given_is_one_that_the_expression_names_or_the_end_of_a_gap(
        expr in expr(),
        zone in select(&ZONES[..]),
        after in instant(),
    ) {
        if let Some(time) = next(&expr.parse(), after, zone) {
            let zone: Tz = zone.parse().unwrap();
            let jump = wall(time, zone) - wall(time - TimeDelta::seconds(1), zone);
            let ends_gap = !expr.is_wild() && jump > TimeDelta::seconds(1);
            prop_assert!(expr.names(wall(time, zone)) || ends_gap, "{} gave {}", expr.text(), time);
        }
    }

    #[test]
    fn around_a_change_of_the_clocks_the_times_are_those_of_vixie(
        expr in time_of_day(),
        (zone, day) in select(&CHANGES[..]),
        shift in -1_440..1_440_i64,
    ) {
        let from = day.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(shift);
        let until = from + TimeDelta::days(2);
        let wanted = minute_by_minute(&expr, zone.parse().unwrap(), from, until);
        let ours = expr.parse();
        let times = std::iter::successors(next(&ours, from - TimeDelta::milliseconds(1), zone), |last| next(&ours, *last, zone));
        let times: Vec<_> = times.take_while(|time| *time < until).collect();
        prop_assert_eq!(times, wanted, "{} in {}", expr.text(), zone);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
        let _ = CronExpr::parse(&text);
        let _ = Zone::parse(&text);
    }

    #[test]
    fn no_text_of_the_right_letters_makes_the_parser_panic(
        fields in proptest::collection::vec("[0-9*?/,LW#@a-f-]{1,8}|mon|jan|\\*", 5..=6),
        after in 0..u64::MAX,
    ) {
        if let Ok(expr) = CronExpr::parse(&fields.join(" ")) {
            let _ = expr.next_after(Timestamp(after), &Zone::default());
            let _ = expr.next_after(Timestamp(after % 4_000_000_000_000), &Zone::parse("Europe/London").unwrap());
        }
    }
}
