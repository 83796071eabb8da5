//! Files as people have them, and what becomes of them.

use std::path::{Path, PathBuf};

use hookbox_core::cron::DayRule;
use hookbox_core::schedule::{Schedule, When};
use proptest::prelude::*;

use super::*;

mod code;
mod entries;
mod intervals;
mod json;
mod periodic;
mod zones;

const NOW: Timestamp = Timestamp(1_796_000_000_000);
const FILES: [&str; 7] =
    ["documentation.py", "settings.py", "config.py", "kinds.py", "kinds.json", "plain.json", "dumpdata.json"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/fixtures").join(name)
}

fn args(file: PathBuf) -> CeleryArgs {
    CeleryArgs { file, out: None, plugin: None }
}

fn import(name: &str) -> Carried {
    celery(&args(fixture(name))).unwrap()
}

/// Of a text in Python.
fn python(text: &str) -> Result<Carried> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("celeryconfig.py");
    fs::write(&file, text).unwrap();
    celery(&args(file))
}

fn schedules(made: &Carried) -> Vec<Schedule> {
    Config::parse(&made.text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{}", made.text)).schedules
}

/// What is told, without the line that says so.
fn left(made: &Carried) -> Vec<&str> {
    made.text.lines().filter_map(|line| line.trim().strip_prefix("# LEFT: ")).skip(1).collect()
}

/// What becomes of an entry of the task `a.b`: its lines, or `left`; and what is told of it.
fn entry(settings: &str, members: &str) -> (String, String) {
    let made = python(&format!("{settings}\nbeat_schedule = {{'x': {{'task': 'a.b', {members}}}}}\n")).unwrap();
    let lines = made.text.split_once("handler: \"b\"\n").map(|(_, lines)| lines);
    let lines = lines.map(|lines| lines.lines().map(str::trim).collect::<Vec<_>>().join("; "));
    (lines.unwrap_or_else(|| "left".to_owned()), left(&made).join("; "))
}

#[test]
fn files_as_people_have_them_become_what_hookbox_reads() {
    for name in FILES {
        let made = import(name);
        assert_eq!(schedules(&made).len(), made.carried, "{name}");
        assert_eq!(
            made.text.matches("# LEFT: \"").count() + made.text.matches("\n# LEFT: line").count(),
            made.left,
            "{name}"
        );
        insta::assert_snapshot!(name, made.text);
    }
    assert!(!Path::new("this-file-was-run").exists());
}

#[test]
fn a_crontab_has_the_day_rule_of_celery_and_its_zone() {
    for schedule in schedules(&import("documentation.py")) {
        if let When::Cron { timezone, day_rule, .. } = schedule.when {
            assert_eq!((timezone.as_str(), day_rule), ("Europe/London", DayRule::And), "{}", schedule.name);
        }
    }
}

#[test]
fn a_plugin_that_is_named_takes_all_tasks() {
    let plugin = Some(PluginName::parse("shop").unwrap());
    let made = celery(&CeleryArgs { plugin, ..args(fixture("documentation.py")) }).unwrap();
    assert!(schedules(&made).iter().all(|schedule| schedule.target.plugin.as_str() == "shop"));
}

#[test]
fn what_is_there_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("hooks.yaml");
    let command = || ImportCommand::Celery(CeleryArgs { out: Some(out.clone()), ..args(fixture("config.py")) });
    super::import(&command(), Print::Tables).unwrap();
    assert_eq!(fs::read_to_string(&out).unwrap(), import("config.py").text);
    fs::write(&out, "mine").unwrap();
    let refused = super::import(&command(), Print::Tables).unwrap_err();
    assert!(refused.to_string().contains("name a file that is not there"), "{refused}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
}

#[test]
fn a_file_without_a_schedule_or_with_mistakes_is_told() {
    for (text, why) in [
        ("x = 1\n", "has no entries"),
        ("beat_schedule = {\n  'a': {,}\n}\n", "line 2 is no Python"),
        ("", "has no entries"),
    ] {
        let refused = python(text).unwrap_err();
        assert!(refused.is::<Mistakes>() && refused.to_string().contains(why), "{refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    for text in ["[]", "{", "[{\"model\": \"x\"}]", "7"] {
        let file = folder.path().join("beat.json");
        fs::write(&file, text).unwrap();
        assert!(celery(&args(file)).unwrap_err().is::<Mistakes>(), "{text}");
    }
}

#[test]
fn what_code_makes_stands_as_a_comment_with_a_cure() {
    let made = python("beat_schedule = make()\n").unwrap();
    assert_eq!((made.carried, made.left), (0, 1));
    assert!(made.text.contains("# LEFT: line 1") && made.text.contains("write the entries out"), "{}", made.text);
    let made = python("beat_schedule = {'a\\nschedules: x': {'task': 'b\\n  c: d', 'schedule': 5}}\n").unwrap();
    assert_eq!(schedules(&made).len(), 1, "{}", made.text);
    // Names that stand for each other, and depth without end.
    python("a = b\nb = a\nbeat_schedule = {'x': {'task': 't', 'schedule': a}, 'y': a}\n").unwrap();
    python(&format!("beat_schedule = {{'x': {{'task': 't', 'schedule': {}1{}}}}}\n", "(".repeat(60), ")".repeat(60)))
        .unwrap();
    let deep = python(&format!("beat_schedule = {}", "[".repeat(100_000)));
    assert!(deep.unwrap_err().to_string().contains("too deep"));
    python(&format!("x = 1{}\nbeat_schedule = {{'x': {{'task': 't', 'schedule': x}}}}\n", "+1".repeat(20_000)))
        .unwrap();
}

#[test]
fn what_check_would_refuse_is_left() {
    let long = format!("LONG = '{}'\n", "x".repeat(300_000));
    let entries = concat!(
        "beat_schedule = {'feb': {'task': 't', 'schedule': crontab(day_of_month=30, month_of_year=2)},\n",
        "'big': {'task': 't', 'schedule': 5, 'args': [LONG]},\n",
        "'five': {'task': 't', 'schedule': crontab(month_of_year=13)}, 'year': {'task': 't', 'schedule': 400 * 86400}}\n",
    );
    let made = python(&(long + entries)).unwrap();
    assert_eq!((made.carried, made.left), (0, 4), "{}", made.text);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beat.json");
    fs::write(&file, r#"{ "past": { "task": "t", "schedule": { "clocked": { "at": "2020-01-01T00:00:00Z" } } } }"#)
        .unwrap();
    let made = celery(&args(file)).unwrap();
    assert!(made.left == 1 && made.text.contains("is past"), "{}", made.text);
}

/// A field as Celery takes it, and the values that it means there.
fn field(first: u32, last: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let value = first..=last;
    let one = value.clone().prop_map(|n| (n.to_string(), vec![n]));
    let star =
        (1..=last + 3).prop_map(move |step| (format!("*/{step}"), (first..=last).step_by(step as usize).collect()));
    let range = (value.clone(), value, 1..=6u32).prop_map(move |(a, b, step)| {
        let all: Vec<u32> = if a <= b { (a..=b).collect() } else { (a..=last).chain(first..=b).collect() };
        (format!("{a}-{b}/{step}"), all.into_iter().step_by(step as usize).collect())
    });
    let any = prop_oneof![Just(("*".to_owned(), (first..=last).collect::<Vec<_>>())), one, star, range];
    prop::collection::vec(any, 1..4).prop_map(|parts| {
        let text = parts.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(",");
        let mut values: Vec<u32> = parts.into_iter().flat_map(|(_, values)| values).collect();
        values.sort_unstable();
        values.dedup();
        (text, values)
    })
}

/// The values of a field of an expression that was made here.
fn values(text: &str, first: u32, last: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse().unwrap();
        let (a, b) = match range.split_once('-') {
            Some((a, b)) => (a.parse().unwrap(), b.parse().unwrap()),
            None if range == "*" => (first, last),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        all.extend((a..=b).step_by(step));
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn what_celery_takes_for_no_crontab_is_left() {
    for field in ["5/15", "*/0", "1-5/0", "60", "1-", "*,", " */2 3"] {
        let (made, told) = entry("", &format!("'schedule': crontab(minute='{field}')"));
        assert!(made == "left" && told.contains("minute has"), "{field}: {made}: {told}");
    }
    assert_eq!(entry("", "'schedule': crontab(minute='22-2/20')").0, "cron: \"22-42/20,2 * * * *\"; day_rule: and");
    let long = "'schedule': crontab(minute='54-47,17-8,9-7', hour='12-11')";
    assert_eq!(entry("", long).0, "cron: \"54-59,0-47,17-59,0-8,9-59,0-7 12-23,0-11 * * *\"; day_rule: and");
}

proptest! {
    #[test]
    fn a_crontab_means_what_it_means_to_celery(
        minute in field(0, 59),
        hour in field(0, 23),
        day in field(1, 31),
        month in field(1, 12),
        weekday in field(0, 6),
    ) {
        let text = format!("{} {} {} {} {}", minute.0, hour.0, day.0, month.0, weekday.0);
        let made = crontab::of_text(&text).unwrap();
        hookbox_core::cron::CronExpr::parse(&made).unwrap();
        let fields: Vec<&str> = made.split(' ').collect();
        let wanted = [(minute, 0, 59), (hour, 0, 23), (day, 1, 31), (month, 1, 12), (weekday, 0, 6)];
        for (field, ((_, wanted), first, last)) in fields.iter().zip(wanted) {
            prop_assert_eq!(values(field, first, last), wanted, "{}", made);
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_write_what_does_not_read(
        text in "[a-z0-9 ={}\\[\\]()'\",:.*/\\n#-]{0,80}",
        key in "\\PC{0,30}",
        task in "\\PC{0,30}",
    ) {
        let quoted = |text: &str| format!("'{}'", text.replace(['\\', '\''], ""));
        let (key, task, other) = (quoted(&key), quoted(&task), quoted(&text));
        let whole = format!("beat_schedule = {{{key}: {{'task': {task}, 'schedule': 60, 'x': {other}}}}}\n");
        if let Ok(found) = python::read(&whole) {
            let made = write(&found, NOW, "f", None);
            prop_assert!(Config::parse(&made.text).is_ok(), "{}", made.text);
        }
        let _ = python::read(&format!("beat_schedule = {text}"));
    }
}

#[test]
fn a_named_schedule_is_carried_to_its_last_word_or_left() {
    let made = |schedule: &str| {
        let made = python(&format!("beat_schedule = {{'x': {{'task': 'a.b', 'schedule': {schedule}}}}}\n")).unwrap();
        match made.carried {
            1 => made
                .text
                .rsplit_once("handler: \"b\"\n")
                .unwrap()
                .1
                .lines()
                .map(str::trim)
                .collect::<Vec<_>>()
                .join("; "),
            _ => "left".to_owned(),
        }
    };
    for (schedule, carried) in [
        (r#"daily("09:00", tz="Asia/Tokyo")"#, r#"daily: "09:00"; timezone: "Asia/Tokyo""#),
        (r#"daily(hour=9, minute=5)"#, r#"daily: "09:05""#),
        (r#"daily(9, 5)"#, r#"daily: "09:05""#),
        (r#"weekly("Sunday", 9)"#, r#"weekly: "SUN 09:00""#),
        (r#"weekly("sun 09:30")"#, r#"weekly: "SUN 09:30""#),
        (r#"weekly(hour=9, day="tue")"#, r#"weekly: "TUE 09:00""#),
        (r#"monthly(1, 6, 30)"#, r#"monthly: "1 06:30""#),
        (r#"monthly(hour=6, day=31)"#, r#"monthly: "31 06:00""#),
        (
            r#"{"kind": "cron", "expression": "0 2 * * *", "timezone": "Asia/Tokyo"}"#,
            r#"cron: "0 2 * * *"; timezone: "Asia/Tokyo"; day_rule: and"#,
        ),
        (r#"{"kind": "cron", "hour": 5, "minute": 0}"#, r#"cron: "0 5 * * *"; day_rule: and"#),
        (r#"{"every_minutes": 20}"#, "every_minutes: 20"),
        (r#"weekly("mon-fri", 9)"#, "left"),
        (r#"weekly(day_of_week="mon,wed,fri", hour=9)"#, "left"),
        (r#"weekly("monthly", 9)"#, "left"),
        (r#"weekly(1, 9)"#, "left"),
        (r#"hourly(minute=30, hours="9-17")"#, "left"),
        (r#"hourly(30, 5)"#, "left"),
        (r#"hourly(60)"#, "left"),
        (r#"daily(hour=9, second=30)"#, "left"),
        (r#"daily(24)"#, "left"),
        (r#"daily("09:00", tz=zone())"#, "left"),
        (r#"daily()"#, "left"),
        (r#"monthly(32, 6)"#, "left"),
        (r#"{"kind": "cron", "minutes": 5}"#, "left"),
        (r#"{"daily": "09:00", "weekday": "mon"}"#, "left"),
        (r#"{"kind": "yearly", "day": 1}"#, "left"),
    ] {
        assert_eq!(made(schedule), carried, "{schedule}");
    }
}
