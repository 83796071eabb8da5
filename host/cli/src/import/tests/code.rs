//! What code does to a schedule, which is told since it is not run.

use super::*;

#[test]
fn a_name_with_several_values_is_no_constant() {
    for (settings, schedule) in [
        ("HOUR = 2\nif NIGHT:\n    HOUR = 3", "crontab(hour=HOUR, minute=0)"),
        ("EVERY = 60\nEVERY *= 2", "EVERY"),
        ("def start(sender, EVERY):\n    pass\nEVERY = 60", "EVERY"),
        ("try:\n    from local import EVERY\nexcept ImportError:\n    pass\nEVERY = 60", "EVERY"),
        ("for EVERY in [1, 2]:\n    pass\nEVERY = 60", "EVERY"),
        ("HOURS = [2]\nHOURS.append(3)", "crontab(hour=HOURS, minute=0)"),
        ("HOURS = [2]\nHOURS[0] = 3", "crontab(hour=HOURS, minute=0)"),
    ] {
        let (made, told) = entry(settings, &format!("'schedule': {schedule}"));
        assert!(made == "left" && told.contains("made by code"), "{settings}: {made}: {told}");
    }
    let once = entry("HOUR = 2\nHOURS = [HOUR, 3]", "'schedule': crontab(hour=HOURS, minute=0)");
    assert_eq!(once, ("cron: \"0 2,3 * * *\"; day_rule: and".to_owned(), String::new()));
}

#[test]
fn a_schedule_that_is_made_from_itself_is_told() {
    for text in [
        "from base import *\nbeat_schedule = {**beat_schedule, 'x': {'task': 'a.b', 'schedule': 60}}\n",
        "a = {}\na = {**a, 'y': {'task': 'a.c', 'schedule': 60}}\nbeat_schedule = {**a, 'x': {'task': 'a.b', 'schedule': 60}}\n",
    ] {
        let made = python(text).unwrap();
        assert_eq!((made.carried, made.left), (1, 1), "{}", made.text);
        assert!(made.text.contains("a part of the schedule is made by code"), "{}", made.text);
    }
}
