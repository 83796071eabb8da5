//! Schedules in JSON, to their last word.

use super::*;

/// What becomes of `x`, the only entry: its lines, or `left`; and what is told of it.
fn made(text: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beat.json");
    fs::write(&file, text).unwrap();
    let made = celery(&args(file)).unwrap();
    let lines = made.text.split_once("handler: \"b\"\n").map(|(_, lines)| lines);
    let lines = lines.map(|lines| lines.lines().map(str::trim).collect::<Vec<_>>().join("; "));
    (lines.unwrap_or_else(|| "left".to_owned()), left(&made).join("; "))
}

#[test]
fn what_stands_beside_a_schedule_counts() {
    for (schedule, lines) in [
        (r#"{"crontab": {"hour": 2, "minute": 0}, "timezone": "Asia/Tokyo"}"#, "Asia/Tokyo"),
        (r#"{"crontab": {"hour": 2, "minute": 0, "timezone": "Asia/Tokyo"}}"#, "Asia/Tokyo"),
        (r#"{"hour": 2, "minute": 0, "tz": "Asia/Tokyo"}"#, "Asia/Tokyo"),
        (r#"{"hour": 2, "minute": 0, "timezone": null}"#, "Europe/Paris"),
    ] {
        let made = made(&format!(
            r#"{{"timezone": "Europe/Paris", "beat_schedule": {{"x": {{"task": "a.b", "schedule": {schedule}}}}}}}"#
        ));
        let wanted = format!("cron: \"0 2 * * *\"; timezone: {lines:?}; day_rule: and");
        assert_eq!(made, (wanted, String::new()), "{schedule}");
    }
    for schedule in [
        r#"{"every": 1, "period": "days", "relative": true}"#,
        r#"{"timedelta": {"days": 1}, "relative": true}"#,
        r#"{"schedule": {"run_every": 86400, "relative": true}}"#,
    ] {
        let made = made(&format!(r#"{{"x": {{"task": "a.b", "schedule": {schedule}}}}}"#));
        assert_eq!(made, ("daily: \"00:00\"".to_owned(), String::new()), "{schedule}");
    }
}

#[test]
fn what_is_not_understood_to_its_last_word_is_told() {
    for (entry, why) in [
        (r#"{"task": "a.b", "schedule": {"crontab": {"minute": 0}, "jitter": 5}}"#, "its schedule is"),
        (r#"{"task": "a.b", "schedule": {"every": 1, "period": "days", "offset": 5}}"#, "its schedule is"),
        (r#"{"task": "a.b", "schedule": {"every": 1, "period": 7}}"#, "its period is 7"),
        (r#"{"task": "a.b", "schedule": 60, "args": [18446744073709551615]}"#, "args has 18446744073709551615"),
        (r#"{"task": "a.b", "schedule": "0 2 * * *", "timezone": 2}"#, "its time zone is 2"),
        (r#""every hour""#, "it is made by code"),
    ] {
        for text in [format!(r#"{{"x": {entry}}}"#), format!(r#"{{"beat_schedule": {{"x": {entry}}}}}"#)] {
            let (lines, told) = made(&text);
            assert!(lines == "left" && told.contains(why), "{text}: {lines}: {told}");
        }
    }
}

#[test]
fn another_clock_of_a_schedule_is_told() {
    for (schedule, why) in [
        ("schedule(run_every=60, nowfun=clock)", "nowfun=clock: Celery asks it"),
        ("schedule(60, False, clock)", "clock: Celery asks it"),
        ("crontab(minute=0, nowfun=clock)", "nowfun=clock: write `timezone:`"),
    ] {
        let (lines, told) = entry("", &format!("'schedule': {schedule}"));
        assert!(lines != "left" && told.contains(why), "{schedule}: {lines}: {told}");
    }
    for schedule in ["schedule(run_every=60, app=app)", "crontab(minute=0, app=app)"] {
        assert_eq!(entry("", &format!("'schedule': {schedule}")).1, "", "{schedule}");
    }
}
