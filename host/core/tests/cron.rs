//! What people write, and what they are told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use hookbox_core::cron::{Calendar, CronExpr, DayRule, Every, Field, Zone, kinds};
use hookbox_core::time::{Millis, Timestamp};

fn at(text: &str) -> Timestamp {
    Timestamp::from_utc(chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

fn cron(expr: &str, zone: &str) -> Calendar {
    Calendar::Cron { expr: CronExpr::parse(expr).unwrap(), zone: Zone::parse(zone).unwrap() }
}

fn upcoming(expr: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    cron(expr, zone).upcoming(at(after), count).iter().map(|time| time.to_utc().to_rfc3339()).collect()
}

fn days(expr: &str, after: &str, count: usize) -> Vec<String> {
    upcoming(expr, "UTC", after, count).iter().map(|time| time[..10].to_owned()).collect()
}

#[test]
fn an_expression_shows_itself_as_it_was_written() {
    let expr = CronExpr::parse("  */5 9-17 * * MON-FRI ").unwrap();
    assert_eq!(expr.to_string(), "*/5 9-17 * * MON-FRI");
    assert_eq!(expr.as_str(), "*/5 9-17 * * MON-FRI");
}

#[test]
fn an_error_names_the_field_and_the_cure() {
    let refusals = [
        ("60 * * * *", "minute: 60 is out of range; write 0-59"),
        ("* 24 * * *", "hour: 24 is out of range; write 0-23"),
        ("* * 0 * *", "day of month: 0 is out of range; write 1-31"),
        ("* * * foo *", "month: \"foo\" is no month; write 1-12 or jan-dec"),
        ("* * * 1JAN *", "month: \"1JAN\" is no month; write 1-12 or jan-dec"),
        ("* * * * 8", "day of week: 8 is out of range; write 0-7 or sun-sat"),
        ("* * * * monday", "day of week: \"monday\" is no day of week; write 0-7 or sun-sat"),
        ("* * * * mon-", "day of week: \"\" is no day of week; write 0-7 or sun-sat"),
        ("1,,2 * * * *", "minute: \"1,,2\" has an empty part; write numbers with one comma between them"),
        ("*/0 * * * *", "minute: \"0\" is no step of this field; write /1 to /60"),
        ("*/90 * * * *", "minute: \"90\" is no step of this field; write /1 to /60"),
        ("*/+5 * * * *", "minute: \"+5\" is no step of this field; write /1 to /60"),
        ("61 * * * * *", "second: 61 is out of range; write 0-59"),
        (
            "0 0 L-2 * *",
            "day of month: \"L-2\" counts back from the last day, which is not known; write L or days 1-31",
        ),
        ("0 0 32W * *", "day of month: 32 is out of range; write 1-31"),
        ("0 0 * * 5#6", "day of week: \"5#6\" names no week of the month; write #1 to #5, or L5 for the last"),
        ("0 0 * * L", "day of week: \"L\" needs a day; write L5 for the month's last Friday, 6 for Saturdays"),
        ("@every 5m", "an interval is no cron expression; write `every: 5m`"),
        ("@EVERY 90s", "an interval is no cron expression; write `every: 90s`"),
        ("@every 1h30m", "an interval is no cron expression; write `every: 5m`"),
        ("@reboot", "@reboot names no time; write a time, such as @daily"),
        ("@dayly", "\"@dayly\" is no alias; write @yearly, @annually, @monthly, @weekly, @daily, @midnight or @hourly"),
        (
            "* * * *",
            "must have five fields, has 4; write minute hour day-of-month month day-of-week, such as \
             `0 9 * * mon-fri`, or six with the second first",
        ),
    ];
    for (text, message) in refusals {
        assert_eq!(CronExpr::parse(text).unwrap_err().to_string(), message, "{text}");
    }
    assert_eq!(CronExpr::parse("* 24 * * *").unwrap_err().field, Some(Field::Hour));
    assert_eq!(CronExpr::parse("0 0 0 1 1 * 2026").unwrap_err().field, None);
}

#[test]
fn an_expression_is_bounded() {
    assert!(CronExpr::parse(&format!("{}0 * * * *", "0,".repeat(120))).is_ok());
    assert!(CronExpr::parse(&format!("{}0 * * * *", "0,".repeat(125))).is_err());
}

#[test]
fn sunday_is_0_and_7_and_a_range_may_end_or_begin_with_either() {
    let from = "2026-11-21T12:00:00Z"; // a Saturday
    for sundays in ["0", "7", "sun", "0-0", "7-7", "7-0"] {
        assert_eq!(days(&format!("0 0 * * {sundays}"), from, 2), ["2026-11-22", "2026-11-29"], "{sundays}");
    }
    for weekend in ["6-7", "6-0", "sat-sun", "6,7"] {
        assert_eq!(days(&format!("0 0 * * {weekend}"), from, 2), ["2026-11-22", "2026-11-28"], "{weekend}");
    }
    for first_days in ["7-2", "0-2", "sun-tue"] {
        let wanted = ["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-29"];
        assert_eq!(days(&format!("0 0 * * {first_days}"), from, 4), wanted, "{first_days}");
    }
    assert_eq!(days("0 0 * * 0-7", from, 3), ["2026-11-22", "2026-11-23", "2026-11-24"]);
}

#[test]
fn last_nearest_and_nth_days_may_stand_in_lists() {
    let from = "2026-11-20T00:00:00Z";
    assert_eq!(days("0 0 1,L * *", from, 3), ["2026-11-30", "2026-12-01", "2026-12-31"]);
    assert_eq!(days("0 0 1w,15W * *", "2027-05-01T00:00:00Z", 3), ["2027-05-03", "2027-05-14", "2027-06-01"]);
    assert_eq!(days("0 0 * * mon#1,5#5", from, 3), ["2026-12-07", "2027-01-04", "2027-01-29"]);
    for last_friday in ["L5", "5L", "friL", "lFri"] {
        assert_eq!(days(&format!("0 0 * * {last_friday}"), from, 2), ["2026-11-27", "2026-12-25"], "{last_friday}");
    }
    assert_eq!(days("0 0 * * L5", "2027-04-20T00:00:00Z", 1), ["2027-04-30"]);
}

#[test]
fn a_weekday_nearest_to_a_day_that_a_month_lacks_is_left_out() {
    assert_eq!(days("0 0 31W * *", "2026-03-31T12:00:00Z", 2), ["2026-05-29", "2026-07-31"]);
}

#[test]
fn the_day_rule_says_whether_one_day_field_is_enough() {
    let friday_13 = CronExpr::parse("0 0 13 * 5").unwrap();
    let utc = Zone::default();
    let from = at("2026-11-20T00:30:00Z");
    assert_eq!(friday_13.day_rule(), DayRule::Or);
    assert_eq!(friday_13.next_after(from, &utc), Some(at("2026-11-27T00:00:00Z")));
    let friday_13 = friday_13.with_day_rule(DayRule::And);
    assert_eq!(friday_13.next_after(from, &utc), Some(at("2027-08-13T00:00:00Z")));
    let last_friday_13 = CronExpr::parse("0 0 13 * 5#2").unwrap().with_day_rule(DayRule::And);
    assert_eq!(last_friday_13.next_after(from, &utc), Some(at("2027-08-13T00:00:00Z")));
}

#[test]
fn years_past_2100_are_walked_too() {
    assert_eq!(days("0 0 29 2 *", "2096-12-01T00:00:00Z", 2), ["2104-02-29", "2108-02-29"]);
    assert_eq!(days("0 9 * * mon", "2100-12-27T10:00:00Z", 2), ["2101-01-03", "2101-01-10"]);
    assert_eq!(days("0 0 13 * 5", "2100-12-30T10:00:00Z", 3), ["2100-12-31", "2101-01-07", "2101-01-13"]);
    assert_eq!(days("0 0 1 1 *", "9998-06-01T00:00:00Z", 3), ["9999-01-01"]);
    assert_eq!(upcoming("0 12 * * *", "America/New_York", "2150-07-01T00:00:00Z", 1), ["2150-07-01T17:00:00+00:00"]);
}

#[test]
fn the_first_hours_of_1970_are_the_year_before_in_the_west() {
    assert_eq!(upcoming("0 20 * * *", "America/New_York", "1970-01-01T00:00:00Z", 1), ["1970-01-01T01:00:00+00:00"]);
}

#[test]
fn the_search_reaches_the_rarest_day_and_ends() {
    let leap_sunday = CronExpr::parse("0 0 29 2 */7").unwrap();
    let just_after = at("2088-02-29T00:00:00Z");
    assert_eq!(leap_sunday.next_after(just_after, &Zone::default()), Some(at("2128-02-29T00:00:00Z")));
    for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31W 2 *", "* * * 30 2 *"] {
        assert_eq!(upcoming(never, "Europe/London", "2026-01-01T00:00:00Z", 1), Vec::<String>::new(), "{never}");
    }
}

#[test]
fn seconds_keep_their_pace_or_their_time_of_day_as_minutes_do() {
    let second_pass = "2026-11-01T01:15:00-05:00";
    let next = |expr| upcoming(expr, "America/New_York", second_pass, 1);
    assert_eq!(next("*/5 * * * * *"), ["2026-11-01T06:15:05+00:00"]);
    assert_eq!(next("*/5 0-59 1 * * *"), ["2026-11-02T06:00:00+00:00"]);
}

#[test]
fn a_fixed_time_in_a_short_gap_fires_after_it_and_in_a_skipped_day_not_at_all() {
    let london = upcoming("30 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", 2);
    assert_eq!(london, ["2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"]);
    let apia = upcoming("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1);
    assert_eq!(apia, ["2012-12-29T22:00:00+00:00"]);
}

#[test]
fn a_zone_goes_by_its_canonical_name() {
    assert_eq!(Zone::parse("europe/LONDON").unwrap().to_string(), "Europe/London");
    assert_eq!(Zone::default().to_string(), "UTC");
}

#[test]
fn a_misspelt_zone_is_told_which_may_be_meant() {
    let refusals = [
        ("Europe/Londn", "\"Europe/Londn\" is no time zone; did you mean Europe/London?"),
        ("new york", "\"new york\" is no time zone; did you mean America/New_York?"),
        ("Berlin", "\"Berlin\" is no time zone; did you mean Europe/Berlin?"),
        ("", "\"\" is no time zone; write a name such as Europe/London or UTC"),
        ("+02:00", "\"+02:00\" is no time zone; write a name such as Europe/London or UTC"),
    ];
    for (text, message) in refusals {
        assert_eq!(Zone::parse(text).unwrap_err().to_string(), message);
    }
    assert!(Zone::parse(&"é".repeat(10_000)).unwrap_err().to_string().len() < 300);
}

#[test]
fn named_kinds_give_expressions() {
    let given = [
        (kinds::every_minutes(1), "* * * * *"),
        (kinds::every_minutes(15), "*/15 * * * *"),
        (kinds::hourly(5), "5 * * * *"),
        (kinds::daily("09:05"), "5 9 * * *"),
        (kinds::weekly("mon 09:00"), "0 9 * * MON"),
        (kinds::monthly("31 23:59"), "59 23 31 * *"),
        (kinds::monthly("l 00:00"), "0 0 L * *"),
    ];
    for (text, wanted) in given {
        let text = text.unwrap();
        assert_eq!(text, wanted);
        assert!(CronExpr::parse(&text).is_ok());
    }
}

#[test]
fn named_kinds_that_would_surprise_are_refused_with_a_cure() {
    let refusals = [
        (kinds::every_minutes(45), "every_minutes must be 1 to 30 and divide 60, got \"45\"; write `every: 45m`"),
        (kinds::every_minutes(60), "every_minutes must be 1 to 30 and divide 60, got \"60\"; write `hourly: 0`"),
        (kinds::every_minutes(0), "every_minutes must be 1 to 30 and divide 60, got \"0\""),
        (kinds::hourly(60), "hourly must be 0 to 59, got \"60\""),
        (kinds::daily("9:00"), "daily must be a time such as 09:00, got \"9:00\""),
        (kinds::daily("24:00"), "daily must be a time such as 09:00, got \"24:00\""),
        (kinds::weekly("1 09:00"), "weekly must be a day and a time such as MON 09:00, got \"1 09:00\""),
        (kinds::weekly("MON"), "weekly must be a day and a time such as MON 09:00, got \"MON\""),
        (
            kinds::monthly("32 09:00"),
            "monthly must be a day (1-31, or L for the last) and a time such as 1 09:00, got \"32 09:00\"",
        ),
    ];
    for (refused, message) in refusals {
        assert_eq!(refused.unwrap_err().to_string(), message);
    }
}

#[test]
fn a_calendar_lists_what_is_coming_up_to_a_bound() {
    let every = Calendar::Every(Every::new(Millis(2_000), Timestamp(500)).unwrap());
    assert_eq!(every.upcoming(Timestamp(500), 3), [Timestamp(2_500), Timestamp(4_500), Timestamp(6_500)]);
    assert_eq!(every.upcoming(Timestamp(500), usize::MAX).len(), Calendar::UPCOMING_MAX);
    assert!(cron("0 0 31 2 *", "UTC").upcoming(Timestamp(0), 3).is_empty());
}
