//! Schedules of hooks.yaml and of operators: every key, and what is wrong with one.

use hookbox_core::config::schedule_of_operator;
use hookbox_core::cron::DayRule;
use hookbox_core::name::ScheduleName;
use hookbox_core::policy::Curve;
use hookbox_core::run::RunPolicy;
use hookbox_core::schedule::{Missed, Origin, Overlap, Rules, When};
use hookbox_core::time::{Millis, Timestamp};

use crate::{good, wrong};

#[test]
fn a_schedule_fires_by_any_kind() {
    for (kind, expected) in [
        ("cron: '0 2 * * *', timezone: europe/london", "0 2 * * * (Europe/London)"),
        ("cron: '@daily'", "@daily (UTC)"),
        ("every: 45m", "every 45m"),
        ("every_minutes: 15", "*/15 * * * * (UTC)"),
        ("hourly: 05", "5 * * * * (UTC)"),
        ("daily: 09:00", "0 9 * * * (UTC)"),
        ("weekly: mon 09:30", "30 9 * * MON (UTC)"),
        ("monthly: L 23:59", "59 23 L * * (UTC)"),
    ] {
        let config = good(&format!("schedules: {{ nightly: {{ plugin: a, handler: b, {kind} }} }}"));
        let [schedule] = config.schedules.as_slice() else { panic!("{config:?}") };
        assert_eq!(schedule.when.to_string(), expected);
        assert_eq!((schedule.name.as_str(), schedule.target.to_string()), ("nightly", "a/b".to_owned()));
        assert_eq!((schedule.origin, &schedule.payload), (Origin::Config, &None));
    }
}

#[test]
fn a_schedule_has_rules() {
    let all = "plugin: a, handler: b, every: 1h, phase: 5m, start: 2026-12-01T00:00:00Z, end: 2026-12-24T18:00:00+01:00, \
               count: 3, jitter: 30s, overlap: buffer-all:5, missed: all:10, missed_within: 2h, pause_after: 4, timeout: 5s, \
               attempts: 2, backoff: 1s, backoff_curve: constant, backoff_max: 9s";
    let config = good(&format!("schedules: {{ n: {{ {all} }} }}"));
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let rules = Rules {
        start: Some(at("2026-12-01T00:00:00Z")),
        end: Some(at("2026-12-24T17:00:00Z")),
        count: Some(3),
        jitter: Millis(30_000),
        overlap: Overlap::BufferAll(5),
        missed: Missed::All(10),
        missed_within: Some(Millis(7_200_000)),
        pause_after: Some(4),
        policy: RunPolicy {
            timeout: Some(Millis(5000)),
            attempts: Some(2),
            backoff: Some(Millis(1000)),
            backoff_curve: Some(Curve::Constant),
            backoff_max: Some(Millis(9000)),
        },
    };
    assert_eq!(config.schedules[0].rules, rules);
    assert_eq!(config.schedules[0].when, When::every_with(Millis::HOUR, Millis(300_000)).unwrap());
    let once = good("schedules: { n: { plugin: a, handler: b, at: 2026-12-24T18:00:00+01:00 } }");
    assert_eq!(once.schedules[0].when, When::Once { at: at("2026-12-24T17:00:00Z") });
}

#[test]
fn a_rule_of_a_schedule_that_is_none_is_refused_with_its_cure() {
    for (rule, path, cure) in [
        ("every: 1h, phase: 1h", "phase", "less than the period"),
        ("daily: 09:00, phase: 5m", "phase", "for every only"),
        ("every: 1h, day_rule: and", "day_rule", "for cron only"),
        ("every: 1h, timezone: UTC", "timezone", "no time zone"),
        ("at: 2026-12-24T18:00:00Z, timezone: UTC", "timezone", "its own offset"),
        ("at: tomorrow", "at", "RFC 3339"),
        ("at: 2026-12-24T18:00:00Z, every: 1h", "n", "in one way, has every and at"),
        ("cron: '0 9 13 * fri', day_rule: xor", "day_rule", "or"),
        ("every: 1h, start: now", "start", "RFC 3339"),
        ("every: 1h, start: 2026-12-02T00:00:00Z, end: 2026-12-01T00:00:00Z", "end", "not after the start"),
        ("every: 1h, count: 0", "count", "1..="),
        ("every: 1h, jitter: 2d", "jitter", "0ms..=1d"),
        ("every: 1h, overlap: buffer-all:101", "overlap", "1..=100"),
        ("every: 1h, missed: most", "missed", "latest"),
        ("every: 1h, missed_within: 31d", "missed_within", "0ms..=30d"),
        ("every: 1h, pause_after: 0", "pause_after", "1..=1000"),
        ("every: 1h, attempts: 101", "attempts", "1..=100"),
        ("every: 1h, overlaps: skip", "overlaps", "did you mean \"overlap\""),
    ] {
        let told = wrong(&format!("schedules: {{ n: {{ plugin: a, handler: b, {rule} }} }}"));
        let place = if path == "n" { "schedules.n: ".to_owned() } else { format!("schedules.n.{path}: ") };
        assert!(told.contains(&place) && told.contains(cure), "{rule}: {told}");
    }
}

#[test]
fn an_operators_schedule_has_the_keys_of_hooks_yaml() {
    let name = || ScheduleName::parse("nightly").unwrap();
    let payload = serde_json::json!({ "to": "\u{1F600}", "list": [1, null] });
    let asked = serde_json::json!({ "plugin": "a", "handler": "b", "daily": "09:00", "count": 3, "payload": payload });
    let made = schedule_of_operator(name(), asked).unwrap();
    assert_eq!((made.origin, made.when.to_string()), (Origin::Operator, "0 9 * * * (UTC)".to_owned()));
    assert_eq!(made.rules.count, Some(3));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&made.payload.unwrap().data).unwrap(), payload);
    let bad = serde_json::json!({ "plugin": "A", "every": ["1h"], "colour": 1, "payload": "x".repeat(256 << 10) });
    let mut paths: Vec<_> =
        schedule_of_operator(name(), bad).unwrap_err().0.into_iter().map(|m| (m.path, m.line)).collect();
    paths.sort();
    assert_eq!(paths, ["colour", "every", "handler", "payload", "plugin"].map(|path| (path.to_owned(), None)));
    for none in [serde_json::json!([]), serde_json::json!("nightly"), serde_json::json!(null)] {
        assert!(schedule_of_operator(name(), none).is_err());
    }
}

#[test]
fn a_schedule_carries_its_payload_as_json() {
    let config = good(
        "schedules: { a.b: { plugin: a, handler: b, cron: '0 0 13 * fri', day_rule: and, overlap: skip, missed: latest, \
         payload: { z: [ 1, 2.5, no ], a: yes } } }",
    );
    let schedule = &config.schedules[0];
    let payload = schedule.payload.as_ref().unwrap();
    assert_eq!(payload.content_type, "application/json");
    assert_eq!(std::str::from_utf8(&payload.data).unwrap(), r#"{"z":[1,2.5,"no"],"a":"yes"}"#);
    assert!(matches!(&schedule.when, When::Cron { day_rule: DayRule::And, .. }));
}
