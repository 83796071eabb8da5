//! Intervals, beside what Celery 5.7 made of the same ones.

use super::*;

const TOKYO: &str = "timezone = 'Asia/Tokyo'";

#[test]
fn a_relative_interval_ends_where_celery_cuts_it() {
    for (settings, schedule, lines) in [
        ("", "timedelta(days=1)", "daily: \"00:00\""),
        (TOKYO, "timedelta(days=1)", "daily: \"00:00\"; timezone: \"Asia/Tokyo\""),
        (TOKYO, "timedelta(hours=30)", "daily: \"00:00\"; timezone: \"Asia/Tokyo\""),
        ("", "3600", "every: 1h; phase: 0s"),
        (TOKYO, "3600", "hourly: 0; timezone: \"Asia/Tokyo\""),
        (TOKYO, "5400", "hourly: 0; timezone: \"Asia/Tokyo\""),
        ("", "timedelta(hours=6)", "every: 6h; phase: 0s"),
        (TOKYO, "timedelta(hours=6)", "cron: \"0 */6 * * *\"; timezone: \"Asia/Tokyo\"; day_rule: and"),
        (TOKYO, "timedelta(minutes=5)", "every: 5m; phase: 0s"),
        ("", "90", "every: 1m; phase: 0s"),
        ("", "2.5", "every: 2s; phase: 0s"),
    ] {
        let made = entry(settings, &format!("'schedule': {schedule}, 'relative': True"));
        assert_eq!(made, (lines.to_owned(), String::new()), "{schedule}");
    }
}

#[test]
fn a_relative_interval_that_no_schedule_has_is_told() {
    for (settings, schedule, lines, why) in [
        ("", "timedelta(days=2)", "every: 2d; phase: 0s", "to midnight in UTC; here"),
        (TOKYO, "timedelta(hours=60)", "every: 2d; phase: 0s", "to midnight in Asia/Tokyo; here"),
        (TOKYO, "timedelta(hours=5)", "every: 5h; phase: 0s", "whole hours in Asia/Tokyo, here"),
        ("", "0.5", "left", "every must be 1s to 365d"),
    ] {
        let (made, told) = entry(settings, &format!("'schedule': {schedule}, 'relative': True"));
        assert!(made == lines && told.contains(why), "{schedule}: {made}: {told}");
    }
    let (made, told) = entry("", "'schedule': 86400, 'relative': IS_RELATIVE");
    assert!(made == "left" && told.contains("relative is IS_RELATIVE"), "{made}: {told}");
}

#[test]
fn relative_beside_a_schedule_that_celery_asks_for_it_itself_says_nothing() {
    for (members, lines) in [
        ("'schedule': 86400, 'relative': False", "every: 1d"),
        ("'schedule': schedule(run_every=86400), 'relative': True", "every: 1d"),
        ("'schedule': schedule(86400, True)", "daily: \"00:00\""),
        ("'schedule': schedule(timedelta(days=1), relative=True), 'relative': False", "daily: \"00:00\""),
        ("'schedule': crontab(minute=0), 'relative': True", "cron: \"0 * * * *\"; day_rule: and"),
    ] {
        assert_eq!(entry("", members), (lines.to_owned(), String::new()), "{members}");
    }
}

#[test]
fn what_is_less_than_a_millisecond_of_an_interval_is_told() {
    for schedule in
        ["timedelta(hours=1) / 3", "timedelta(minutes=1/3)", "1.5", "1.001", "timedelta(days=364, milliseconds=1)"]
    {
        assert_eq!(entry("", &format!("'schedule': {schedule}")).1, "", "{schedule}");
    }
    let (lines, told) = entry("", "'schedule': timedelta(days=1) / 7");
    assert!(lines == "every: 12342857ms" && told.contains("12342.857142857143s"), "{lines}: {told}");
}
