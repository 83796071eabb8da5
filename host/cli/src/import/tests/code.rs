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

#[test]
fn what_is_done_to_a_schedule_later_is_carried_or_told() {
    const X: &str = "{'x': {'task': 'a.b', 'schedule': 60}}";
    const Y: &str = "{'task': 'a.c', 'schedule': 60}";
    for (later, carried) in [
        (format!("beat_schedule['y'] = {Y}"), 2),
        (format!("NAME = 'y'\nbeat_schedule[NAME] = {Y}"), 2),
        (format!("beat_schedule.update({{'y': {Y}}})"), 2),
        (format!("beat_schedule.update(y={Y})"), 2),
        (format!("beat_schedule.update(**{{'y': {Y}}})"), 2),
        (format!("beat_schedule |= {{'y': {Y}}}"), 2),
        (format!("app.conf.beat_schedule = beat_schedule\napp.conf.beat_schedule['y'] = {Y}"), 2),
        ("print(beat_schedule.items())".to_owned(), 1),
        ("beat_schedule.update({'x': {'task': 'a.b', 'schedule': 30}})".to_owned(), 1),
    ] {
        let made = python(&format!("beat_schedule = {X}\n{later}\n")).unwrap();
        assert_eq!((made.carried, made.left, left(&made)), (carried, 0, vec![]), "{later}\n{}", made.text);
    }
    for later in [
        format!("beat_schedule[name()] = {Y}"),
        format!("for name in NAMES:\n    beat_schedule[f'every-{{name}}'] = {Y}"),
        "beat_schedule['x']['schedule'] = 30".to_owned(),
        "beat_schedule['x']['schedule'] += 30".to_owned(),
        "beat_schedule['x'].update(schedule=30)".to_owned(),
        "app.conf.beat_schedule['x']['options'].clear()".to_owned(),
        "del beat_schedule['x']".to_owned(),
        "beat_schedule.pop('x')".to_owned(),
        "beat_schedule += more".to_owned(),
        "@periodic_task(run_every=crontab())\ndef poll():\n    pass".to_owned(),
    ] {
        let made = python(&format!("beat_schedule = {X}\n{later}\n")).unwrap();
        assert_eq!((made.carried, made.left), (1, 1), "{later}\n{}", made.text);
        assert!(left(&made)[0].starts_with("line "), "{}", made.text);
    }
}

#[test]
fn two_schedules_in_one_are_carried() {
    let made = python(
        "A = {'x': {'task': 'a.b', 'schedule': 60}}\nB = {'y': {'task': 'a.c', 'schedule': 60}}\nbeat_schedule = A | B\n",
    );
    let made = made.unwrap();
    assert_eq!((made.carried, left(&made)), (2, vec![]), "{}", made.text);
}

#[test]
fn what_is_there_only_at_times_is_told() {
    for (statement, word) in [
        ("if DEBUG:", "`if` (line 1)"),
        ("for n in range(3):", "`for` (line 1)"),
        ("if True:\n  if DEBUG:", "`if` (line 2)"),
    ] {
        let made = python(&format!("{statement}\n    beat_schedule = {{'x': {{'task': 'a.b', 'schedule': 60}}}}\n"));
        let made = made.unwrap();
        assert_eq!(made.carried, 1, "{}", made.text);
        assert!(left(&made)[0].starts_with(&format!("it stands in {word}")), "{}", made.text);
    }
    let made =
        python("if DEBUG:\n    timezone = 'Asia/Tokyo'\nbeat_schedule = {'x': {'task': 'a.b', 'schedule': 60}}\n");
    assert!(left(&made.unwrap())[0].starts_with("timezone (line 2) stands in `if` (line 1)"));
}

#[test]
fn schedules_of_which_one_may_count_are_told() {
    let one = "    beat_schedule = {'x': {'task': 'a.b', 'schedule': 60}}\n";
    let two = "    beat_schedule = {'y': {'task': 'a.c', 'schedule': 60}}\n";
    let made = python(&format!("class Dev:\n{one}class Live:\n{two}")).unwrap();
    assert_eq!((made.carried, left(&made).len()), (2, 1), "{}", made.text);
    assert!(left(&made)[0].starts_with("the schedule is set in several places (line 2, line 4)"), "{}", made.text);
}
