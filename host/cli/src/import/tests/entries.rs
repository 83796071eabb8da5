//! What an entry has beside its schedule.

use super::*;

#[test]
fn tasks_that_become_one_handler_are_told() {
    let of = |one: &str, other: &str| {
        python(&format!(
            "beat_schedule = {{'x': {{'task': '{one}', 'schedule': 60}}, 'y': {{'task': '{other}', 'schedule': 60}}}}\n"
        ))
        .unwrap()
    };
    for (one, other) in [("shop.tasks.report", "app.shop.report"), ("a.Report", "a.report"), ("a._report", "a.report")]
    {
        let made = of(one, other);
        assert_eq!((made.carried, left(&made).len()), (2, 1), "{}", made.text);
        assert!(left(&made)[0].starts_with(&format!("{other} and {one} are both ")), "{}", made.text);
    }
    for (one, other) in [("shop.tasks.report", "shop.tasks.report"), ("shop.report", "app.report")] {
        assert_eq!(left(&of(one, other)), Vec::<&str>::new(), "{one} {other}");
    }
}

#[test]
fn entries_with_one_name_here_are_two() {
    let made =
        python("beat_schedule = {'a b': {'task': 'a.b', 'schedule': 60}, 'A-b': {'task': 'a.b', 'schedule': 30}}\n");
    let made = made.unwrap();
    let schedules = schedules(&made);
    let names: Vec<_> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    assert_eq!(names, ["a-b", "a-b-2"], "{}", made.text);
}

#[test]
fn arguments_that_are_no_list_and_no_dict_are_left() {
    for (members, why) in [
        ("'args': ('all')", "args is \"all\", which is no list"),
        ("'args': 7", "args is 7, which is no list"),
        ("'args': {'a': 1}", "which is no list"),
        ("'kwargs': [1]", "kwargs is [1], which is no dict"),
        ("'args': [b'x']", "args has b'x'"),
        ("'args': [1e999]", "which is made by code"),
        ("'args': list(range(2000))", "which is made by code"),
        ("'args': [-7 // -2]", "which is made by code"),
        ("'kwargs': {'day': date.today()}", "kwargs has date.today()"),
    ] {
        let (lines, told) = entry("", &format!("'schedule': 60, {members}"));
        assert!(lines == "left" && told.contains(why), "{members}: {lines}: {told}");
    }
    for members in ["'args': (), 'kwargs': None", "'args': None, 'kwargs': {}", "'args': [], 'kwargs': ()"] {
        assert_eq!(entry("", &format!("'schedule': 60, {members}")), ("every: 1m".to_owned(), String::new()));
    }
}

#[test]
fn what_only_code_knows_of_an_entry_is_told() {
    for (members, why) in [
        ("'enabled': IS_ON", "enabled is IS_ON"),
        ("'start': begin()", "start is begin(): write `start:`"),
        ("'count': '3'", "count is \"3\": write `count:`"),
        ("'options': OPTIONS", "options are OPTIONS"),
        ("'options': {'expires': later()}", "expires=later(): write `plugins.a.handlers.b.expires:`"),
        ("'options': {'countdown': 5}", "countdown=5: write `plugins.a.handlers.b.delay: 5s`"),
        ("'options': {'soft_time_limit': 5}", "soft_time_limit=5: write `timeout:`"),
        ("'options': {'time_limit': 7200}", "time_limit=7200: write `timeout:`"),
        ("'options': {'priority': 3}", "priority=3: write `plugins.a.handlers.b.priority:`"),
        ("'options': {'eta': 3}", "option eta=3: hookbox knows nothing like it"),
    ] {
        let (lines, told) = entry("", &format!("'schedule': 60, {members}"));
        assert!(lines == "every: 1m" && told.contains(why), "{members}: {lines}: {told}");
    }
    let (lines, told) = entry("", "'schedule': 60, 'timezone': zone()");
    assert!(lines == "every: 1m" && told.is_empty(), "an interval has no zone: {lines}: {told}");
    let (lines, told) = entry("", "'schedule': crontab(), 'timezone': zone()");
    assert!(lines == "left" && told.contains("its time zone is zone()"), "{lines}: {told}");
}

#[test]
fn the_last_of_an_option_counts() {
    let (lines, told) = entry(
        "COMMON = {'queue': 'slow', 'time_limit': 5}",
        "'schedule': 60, 'options': {**COMMON, 'queue': 'fast', 'time_limit': 9}",
    );
    assert_eq!(lines, "every: 1m; timeout: 9s");
    assert!(told.starts_with("queue=\"fast\"") && !told.contains("slow"), "{told}");
    assert_eq!(entry("", "'schedule': 60, 'options': None").1, "");
}

#[test]
fn a_scheduler_that_keeps_schedules_elsewhere_is_told() {
    let (lines, told) =
        entry("CELERY_BEAT_SCHEDULER = 'django_celery_beat.schedulers:DatabaseScheduler'", "'schedule': 60");
    assert!(lines == "every: 1m" && told.starts_with("CELERY_BEAT_SCHEDULER is"), "{lines}: {told}");
}

#[test]
fn arguments_are_what_they_were_or_are_left() {
    for (args, wanted) in [
        ("[1, 1.0, -0.5, 1e-7, 1e22, 100000.0]", json!([1, 1.0, -0.5, 1e-7, 1e22, 100_000.0])),
        (
            "['no', '09:00', '1e5', '~', 'null', '<<', '- a', '# b', '\\x7f\\u2028', 'é']",
            json!(["no", "09:00", "1e5", "~", "null", "<<", "- a", "# b", "\u{7f}\u{2028}", "é"]),
        ),
        ("[{'<<': {'a': 1}, 'b': None, '1': True}]", json!([{"<<": {"a": 1}, "b": null, "1": true}])),
        ("[{'y': '*x', 'n': '&x', '': [[]]}]", json!([{"y": "*x", "n": "&x", "": [[]]}])),
    ] {
        let text = format!("beat_schedule = {{'x': {{'task': 'a.b', 'schedule': 60, 'args': {args}}}}}\n");
        let made = python(&text).unwrap();
        for schedule in schedules(&made) {
            let read: serde_json::Value = serde_json::from_slice(&schedule.payload.unwrap().data).unwrap();
            assert_eq!(read, json!({ "args": wanted, "kwargs": {} }), "{}", made.text);
        }
        assert_eq!(made.carried + made.left, 1, "{}", made.text);
    }
}
