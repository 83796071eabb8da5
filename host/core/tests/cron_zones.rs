//! Zones of one's own: a table in place of the built-in data, and what a change of that data does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use hookbox_core::cron::{Calendar, Change, CronExpr, DayRule, Zone, Zones};
use hookbox_core::schedule::{BadWhen, When};
use hookbox_core::time::{Millis, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

const ZONES: [&str; 10] = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Europe/Dublin",
    "America/Havana",
];

/// What tables are made for.
const FROM: &str = "2020-01-01T00:00:00Z";
const UNTIL: &str = "2040-01-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::from_utc(chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

fn built_in(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// What the built-in zone says from 2020 to 2040, as a table.
fn table(name: &str) -> Vec<Change> {
    let (zone, from, until) = (built_in(name), at(FROM), at(UNTIL));
    let first = Change { at: from, offset_seconds: zone.offset_seconds(from) };
    std::iter::successors(Some(first), |last| zone.next_change(last.at, until)).collect()
}

fn next(expr: &str, zone: &Zone, after: &str) -> String {
    CronExpr::parse(expr).unwrap().next_after(at(after), zone).unwrap().to_string()
}

/// UTC+2, and from 8 March 2026 on UTC+3: a gap from 02:00 to 03:00.
fn eastern(change: &str) -> Zone {
    let changes =
        [Change { at: Timestamp(0), offset_seconds: 7200 }, Change { at: at(change), offset_seconds: 10_800 }];
    Zone::from_table("Test/Eastern", &changes).unwrap()
}

#[test]
fn the_changes_of_a_zone_are_found() {
    let days = |name| {
        let (from, until) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let zone = built_in(name);
        let changes = std::iter::successors(zone.next_change(from, until), |last| zone.next_change(last.at, until));
        changes.map(|change| (change.at.to_string(), change.offset_seconds)).collect::<Vec<_>>()
    };
    let (march, november) = ("2026-03-08T07:00:00.000Z".to_owned(), "2026-11-01T06:00:00.000Z".to_owned());
    assert_eq!(days("America/New_York"), [(march, -14_400), (november, -18_000)]);
    assert_eq!(days("Asia/Kathmandu"), []);
    assert_eq!(days("Africa/Casablanca").len(), 2);
    let zone = built_in("America/New_York");
    let change = at("2026-03-08T07:00:00Z");
    assert_eq!(zone.next_change(Timestamp(change.0 - 1), change).map(|found| found.at), Some(change));
    assert_eq!(zone.next_change(change, at("2026-10-01T00:00:00Z")), None);
}

#[test]
fn a_zone_shows_its_clocks_with_their_offset() {
    let new_york = built_in("America/New_York");
    assert_eq!(new_york.show(at("2026-03-08T06:59:59.5Z")), "2026-03-08T01:59:59-05:00");
    assert_eq!(new_york.show(at("2026-03-08T07:00:00Z")), "2026-03-08T03:00:00-04:00");
    assert_eq!(built_in("UTC").show(at("2026-03-08T07:00:00Z")), "2026-03-08T07:00:00+00:00");
}

#[test]
fn a_table_has_gaps_and_folds() {
    let spring = eastern("2026-03-08T00:00:00Z");
    assert_eq!(next("30 2 * * *", &spring, "2026-03-07T12:00:00Z"), "2026-03-08T00:00:00.000Z");
    assert_eq!(next("*/30 2 * * *", &spring, "2026-03-07T12:00:00Z"), "2026-03-08T23:00:00.000Z");
    let changes = [
        Change { at: Timestamp(0), offset_seconds: 10_800 },
        Change { at: at("2026-10-25T00:00:00Z"), offset_seconds: 7200 },
    ];
    let autumn = Zone::from_table("Test/Autumn", &changes).unwrap();
    assert_eq!(next("30 2 * * *", &autumn, "2026-10-24T23:30:00Z"), "2026-10-26T00:30:00.000Z");
    assert_eq!(next("*/30 2 * * *", &autumn, "2026-10-24T23:30:00Z"), "2026-10-25T00:00:00.000Z");
}

#[test]
fn a_table_that_is_no_zone_is_refused() {
    let row = |at, offset_seconds| Change { at: Timestamp(at), offset_seconds };
    let day = Millis::DAY.0;
    let refusals = [
        ("X", vec![], "it is empty; give it one offset at least"),
        ("", vec![row(0, 0)], "a name has 1 to 64 bytes and no control characters"),
        ("X", vec![row(0, 86_400)], "an offset of 86400 s is a day or more"),
        ("X", vec![row(0, i32::MIN)], "an offset of -2147483648 s is a day or more"),
        ("X", vec![row(1500, 0)], "1970-01-01T00:00:01.500Z is no whole second up to 9999-12-31T23:59:59.000Z"),
        ("X", vec![row(0, 0), row(day, 60)], "1970-01-02 00:00:00 UTC is not two days after the change before it"),
        ("X", vec![row(3 * day, 0), row(0, 60)], "1970-01-01 00:00:00 UTC is not two days after the change before it"),
    ];
    for (name, changes, message) in refusals {
        assert_eq!(Zone::from_table(name, &changes).unwrap_err().message, message);
    }
    assert!(Zone::from_table("X", &[row(0, -86_399), row(2 * day, 86_399)]).is_ok());
}

#[test]
fn a_table_is_found_in_place_of_the_built_in_zone() {
    let moved = Zone::from_table("Europe/London", &[Change { at: Timestamp(0), offset_seconds: 3600 }]).unwrap();
    let zones = Zones::default().with(moved.clone());
    assert_eq!(zones.find("europe/LONDON"), Ok(moved));
    assert_eq!(zones.find("Europe/Paris"), Zone::parse("Europe/Paris"));
    assert_eq!(zones.find("Europe/Londn"), Zone::parse("Europe/Londn"));
    assert_eq!(Zones::default().find("Europe/London"), Zone::parse("Europe/London"));

    let when = When::cron("0 9 * * *", Some(built_in("Europe/London"))).unwrap();
    let from = at("2026-01-10T00:00:00Z");
    let nine = |zones: &Zones| when.first_after(from, zones).unwrap().to_string();
    assert_eq!(nine(&Zones::default()), "2026-01-10T09:00:00.000Z");
    assert_eq!(nine(&zones), "2026-01-10T08:00:00.000Z");
}

#[test]
fn a_schedule_is_made_only_if_it_fires_within_ten_years() {
    let leap = |weekday: &str| When::cron_with(&format!("0 0 29 2 {weekday}"), Zone::default(), DayRule::And).unwrap();
    let (now, zones) = (at("2026-11-23T00:00:00Z"), Zones::default());
    // 2028 is a Tuesday, 2032 a Sunday, 2036 a Friday, 2044 a Monday.
    assert_eq!(leap("tue").first_after(now, &zones), Ok(at("2028-02-29T00:00:00Z")));
    assert_eq!(leap("fri").first_after(now, &zones), Ok(at("2036-02-29T00:00:00Z")));
    let refused = leap("mon").first_after(now, &zones).unwrap_err();
    assert!(matches!(refused, BadWhen::TooRare(..)));
    assert_eq!(
        refused.to_string(),
        "0 0 29 2 mon (UTC) does not fire within 10 years: its next time is 2044-02-29T00:00:00.000Z"
    );
    assert_eq!(leap("mon").first_after(at("2034-03-01T00:00:00Z"), &zones), Ok(at("2044-02-29T00:00:00Z")));
    let limit = leap("mon").first_after(at("2034-02-28T00:00:00Z"), &zones);
    assert!(limit.is_err(), "{limit:?}");
    assert_eq!(When::every(Millis::HOUR).unwrap().first_after(Timestamp(5), &zones), Ok(Timestamp(3_600_005)));
}

#[test]
fn what_can_fire_only_in_a_gap_is_refused_where_there_is_one() {
    // At its pace the expression never falls into anything but the hour that New York leaves out.
    let gap = "*/15 2 * 3 sun#2";
    let (now, zones) = (at("2026-11-23T00:00:00Z"), Zones::default());
    let in_zone = |zone| When::cron(gap, Some(built_in(zone))).unwrap().first_after(now, &zones);
    assert_eq!(in_zone("UTC"), Ok(at("2027-03-14T02:00:00Z")));
    assert!(matches!(in_zone("America/New_York"), Err(BadWhen::TooRare(..))));
}

#[test]
fn what_no_day_fits_is_refused_without_a_clock() {
    for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31W 2 *", "0 0 * * 1"] {
        let refused = When::cron_with(never, built_in("Europe/London"), DayRule::And);
        assert_eq!(refused.is_err(), never != "0 0 * * 1", "{never}");
    }
    for weekday in ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] {
        let rarest = CronExpr::parse(&format!("0 0 29 2 {weekday}")).unwrap().with_day_rule(DayRule::And);
        assert!(rarest.names_a_day(), "{rarest}");
    }
    assert!(!CronExpr::parse("0 0 LW * sat,sun").unwrap().with_day_rule(DayRule::And).names_a_day());
}

fn expression() -> impl Strategy<Value = String> {
    let minute = prop_oneof!["\\*", "\\*/[1-9]", "[0-9]", "[1-5][0-9]", "0,30", "[0-5]0-59/7"];
    let hour = prop_oneof!["\\*", "\\*/[2-5]", "[0-4]", "0,1,2,3", "23,0-3", "1?[0-9]"];
    let day = prop_oneof!["\\*", "\\*", "[1-9]", "L", "1-7", "LW"];
    let weekday = prop_oneof!["\\*", "\\*", "0", "7#[1-4]", "0L", "sat-mon"];
    (minute, hour, day, weekday).prop_map(|(minute, hour, day, weekday)| format!("{minute} {hour} {day} * {weekday}"))
}

/// A zone, its table, and an instant near a change of its clocks or anywhere else.
fn tabled() -> impl Strategy<Value = (Zone, Zone, Timestamp)> {
    let hours = Millis(4 * Millis::HOUR.0);
    let zones: Vec<_> = ZONES
        .iter()
        .map(|name| {
            let changes = table(name);
            let tabled = Zone::from_table(name, &changes).unwrap();
            let near = (select(changes), 0..2 * hours.0)
                .prop_map(move |(change, off)| change.at.plus(Millis(off)).minus(hours));
            let anywhere = (at(FROM).0..at(UNTIL).0).prop_map(Timestamp);
            let instant = prop_oneof![3 => near, 1 => anywhere].prop_map(|instant| instant.max(at(FROM)));
            (Just(built_in(name)), Just(tabled), instant).boxed()
        })
        .collect();
    proptest::strategy::Union::new(zones)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn a_table_of_the_built_in_data_fires_as_the_zone_does((zone, tabled, after) in tabled(), expr in expression()) {
        let expr = CronExpr::parse(&expr).unwrap();
        let times = |zone: &Zone| {
            let calendar = Calendar::Cron { expr: expr.clone(), zone: zone.clone() };
            let times = calendar.upcoming(after, 20);
            times.into_iter().filter(|time| *time < at(UNTIL)).collect::<Vec<_>>()
        };
        prop_assert_eq!(times(&tabled), times(&zone), "{} in {} after {}", expr, zone, after);
    }

    #[test]
    fn any_table_gives_times_that_are_later_and_the_first_ones(
        steps in proptest::collection::vec((2 * 86_400..9_000_000_u64, -86_399..86_400_i32), 1..12),
        after in 0..100_000_000_000_u64,
        expr in expression(),
    ) {
        let mut at = 0;
        let changes: Vec<Change> = steps
            .iter()
            .map(|(wait, offset)| {
                at += wait * 1000;
                Change { at: Timestamp(at), offset_seconds: *offset }
            })
            .collect();
        let zone = Zone::from_table("Test/Any", &changes).unwrap();
        let expr = CronExpr::parse(&expr).unwrap();
        let after = Timestamp(after);
        if let Some(next) = expr.next_after(after, &zone) {
            prop_assert!(next > after);
            let between = Timestamp(after.0 + (next.0 - after.0) / 2);
            prop_assert_eq!(expr.next_after(between, &zone), Some(next));
        }
    }
}
