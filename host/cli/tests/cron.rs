//! `hookbox cron` as it is called: the vectors of tests/fixtures/cron.json, and what is told of mistakes.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const FIELDS: [&str; 11] = [
    "second",
    "minute",
    "hour",
    "day-of-month",
    "month",
    "day-of-week",
    "expression",
    "timezone",
    "from",
    "count",
    "day-rule",
];

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

fn hookbox(arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_hookbox")).args(arguments).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn next(arguments: &[&str]) -> Said {
    hookbox(&[&["cron", "next", "--json"], arguments].concat())
}

/// What is said of `arguments` as JSON: the field at fault, and what is wrong.
fn mistake(arguments: &[&str]) -> (String, String) {
    let said = next(arguments);
    let error = said.json()["error"].clone();
    assert_eq!((said.code, said.err.as_str()), (2, ""), "{arguments:?}: {}", said.out);
    let text = |key: &str| error[key].as_str().unwrap().to_owned();
    (text("field"), text("message"))
}

/// `Err` says what is wrong with the vector or with us.
fn check(vector: &Value) -> Result<(), String> {
    let text = |key: &str| vector[key].as_str().unwrap();
    let (expr, zone, from) = (text("expr"), text("tz"), text("from"));
    let said =
        hookbox(&["cron", "next", expr, "--tz", zone, "--from", from, "--count", "5", "--day-rule", "or", "--json"]);
    let Some(expected) = vector["expected"].as_array() else {
        let field = said.json()["error"]["field"].clone();
        let good = said.code == 2 && FIELDS.iter().any(|known| field == *known);
        return if good { Ok(()) } else { Err(format!("must be refused, got {} {}", said.code, said.out)) };
    };
    // The vectors have offsets, we print UTC.
    let in_utc = |text: &str| text.parse::<hookbox_core::time::Timestamp>().unwrap().show_seconds();
    let expected: Vec<String> = expected.iter().map(|time| in_utc(time.as_str().unwrap())).collect();
    let wanted = format!("{}\n", json!({ "next": expected }));
    if said.code == 0 && said.out == wanted {
        Ok(())
    } else {
        Err(format!("got {} {}{}", said.code, said.out, said.err))
    }
}

#[test]
fn every_vector_is_printed_or_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/cron.json");
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let failures: Vec<String> = vectors
        .iter()
        .filter_map(|vector| check(vector).err().map(|why| format!("{} {}: {why}", vector["id"], vector["expr"])))
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), vectors.len(), failures.join("\n"));
    assert_eq!(vectors.len(), 208);
}

#[test]
fn the_next_times_are_one_line_of_json_in_utc() {
    let said =
        next(&["0 9 13 * FRI", "--tz", "America/New_York", "--from", "2026-11-10T12:00:00-05:00", "--count", "2"]);
    assert_eq!(said.out, "{\"next\":[\"2026-11-13T14:00:00Z\",\"2026-11-20T14:00:00Z\"]}\n");
    let said = next(&["0 9 13 * FRI", "--from", "2026-11-10T12:00:00Z", "--count", "2", "--day-rule", "and"]);
    assert_eq!(said.out, "{\"next\":[\"2026-11-13T09:00:00Z\",\"2027-08-13T09:00:00Z\"]}\n");
}

#[test]
fn what_is_not_given_is_utc_from_now_on_and_five_times() {
    let said = next(&["* * * * *"]);
    assert_eq!((said.code, said.json()["next"].as_array().unwrap().len()), (0, 5));
    assert_eq!(hookbox(&["cron", "next", "@hourly", "--count", "1000"]).out.lines().count(), 1000);
}

#[test]
fn an_expression_may_begin_with_a_star_or_a_hyphen() {
    for arguments in [["* * * * *", "--json"], ["--json", "* * * * *"]] {
        assert_eq!(hookbox(&[&["cron", "next"], &arguments[..]].concat()).code, 0, "{arguments:?}");
    }
    for arguments in [["-5 * * * *", "--json"], ["--json", "-5 * * * *"], ["--json", "--5 * * * *"]] {
        let said = hookbox(&[&["cron", "next"], &arguments[..]].concat());
        assert_eq!((said.code, &said.json()["error"]["field"]), (2, &json!("minute")), "{arguments:?} {}", said.out);
    }
    assert_eq!(hookbox(&["--json", "cron", "next", "-5 * * * *"]).json()["error"]["field"], "minute");
}

#[test]
fn each_mistake_names_its_field() {
    let refusals: [(&[&str], &str); 16] = [
        (&["60 * * * * *"], "second"),
        (&["60 * * * *"], "minute"),
        (&["0 24 * * *"], "hour"),
        (&["0 0 32 * *"], "day-of-month"),
        (&["0 0 * foo *"], "month"),
        (&["0 0 * * 5#6"], "day-of-week"),
        (&["0 0 * *"], "expression"),
        (&[""], "expression"),
        (&["0 0 30 2 *"], "expression"),
        (&["@daily", "--tz", "Europe/Londn"], "timezone"),
        (&["@daily", "--tz", "-5"], "timezone"),
        (&["@daily", "--from", "yesterday"], "from"),
        (&["@daily", "--from", "1960-01-01T00:00:00Z"], "from"),
        (&["@daily", "--count", "0"], "count"),
        (&["@daily", "--count", "-1"], "count"),
        (&["@daily", "--day-rule", "xor"], "day-rule"),
    ];
    for (arguments, field) in refusals {
        assert_eq!(mistake(arguments).0, field, "{arguments:?}");
    }
    assert_eq!(mistake(&["0 24 * * *"]).1, "24 is out of range; write 0-23");
    assert_eq!(mistake(&["0 0 30 2 *"]).1, "\"0 0 30 2 *\" can never fire: no such day exists");
    let gap = mistake(&["* 2 * 3 sun#2", "--tz", "America/New_York", "--from", "2026-11-20T00:00:00Z"]);
    assert_eq!(gap, ("expression".to_owned(), "\"* 2 * 3 sun#2\" does not fire within 41 years".to_owned()));
}

#[test]
fn what_is_not_typed_right_is_json_too_where_json_is_asked_for() {
    let refusals: [(&[&str], &str); 7] = [
        (&[], "expression"),
        (&["@daily", "@daily"], "expression"),
        (&["@daily", "--tz"], "timezone"),
        (&["@daily", "--from"], "from"),
        (&["@daily", "--count", "1", "--count", "2"], "count"),
        (&["@daily", "--day-rule"], "day-rule"),
        (&["@daily", "--tz", "UTC", "--tz", "UTC"], "timezone"),
    ];
    for (arguments, field) in refusals {
        let (told, message) = mistake(arguments);
        assert!(
            told == field && !message.is_empty() && !message.starts_with("error"),
            "{arguments:?}: {told}: {message}"
        );
    }
    assert!(mistake(&[]).1.contains("<EXPRESSION>"));
    let said = hookbox(&["cron", "next"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("<EXPRESSION>"), "{}", said.err);
    assert_eq!(hookbox(&["cron", "next", "--json", "--help"]).code, 0);
}

#[test]
fn without_json_times_are_lines_and_mistakes_words() {
    let from = ["--from", "2026-11-10T12:00:00Z", "--count", "2"];
    let said = hookbox(&[&["cron", "next", "0 9 * * FRI"], &from[..]].concat());
    assert_eq!(said.out, "2026-11-13T09:00:00Z\n2026-11-20T09:00:00Z\n");
    let said = hookbox(&[&["cron", "next", "0 9 * * FRI", "--tz", "Asia/Kathmandu"], &from[..]].concat());
    assert_eq!(
        said.out,
        "2026-11-13T09:00:00+05:45  2026-11-13T03:15:00Z\n2026-11-20T09:00:00+05:45  2026-11-20T03:15:00Z\n"
    );
    let said = hookbox(&["cron", "next", "0 24 * * *"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert_eq!(said.err, "hour: 24 is out of range; write 0-23\n");
}

#[test]
fn an_expression_is_explained() {
    let from = ["--from", "2026-11-23T00:00:00Z"];
    let explain = |arguments: &[&str]| hookbox(&[&["cron", "explain"], arguments, &from[..]].concat());
    insta::assert_snapshot!("cron-explain", explain(&["0 9 13 * FRI", "--tz", "America/New_York"]).out);
    insta::assert_snapshot!("cron-explain-night", explain(&["*/20 1-2 * * *", "--tz", "Europe/London"]).out);
    let json = explain(&["30 2 * * *", "--tz", "America/New_York", "--json"]).json();
    insta::assert_json_snapshot!("cron-explain-json", json);
    let utc = explain(&["@daily"]).out;
    assert!(utc.ends_with("\nNo change of the clocks in UTC is known for the next ten years.\n"), "{utc}");
    let rare = explain(&["0 0 29 2 MON", "--day-rule", "and"]).out;
    let refused = "No schedule can be made of it: it does not fire within 10 years: its next time is 2044-02-29";
    assert!(rare.contains(refused), "{rare}");
    let said = explain(&["0 0 31 2 *", "--json"]);
    assert_eq!((said.code, &said.json()["error"]["field"]), (2, &json!("expression")));
}

#[test]
fn a_schedule_whose_first_time_is_too_far_away_is_a_mistake_of_hooks_yaml() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hooks.yaml");
    let schedules = "schedules:\n  gap: { plugin: p, handler: h, cron: '*/15 2 * 3 sun#2', timezone: America/New_York }\n  \
                     leap: { plugin: p, handler: h, cron: '0 0 29 2 *' }\n";
    std::fs::write(&config, schedules).unwrap();
    let plugins = folder.path().join("plugins");
    let said =
        hookbox(&["check", "--json", "--config", config.to_str().unwrap(), "--plugins", plugins.to_str().unwrap()]);
    let mistakes = said.json()["mistakes"].clone();
    let wanted = "schedules.gap: */15 2 * 3 sun#2 (America/New_York) does not fire within 41 years";
    assert_eq!((said.code, mistakes), (2, json!([wanted])), "{}", said.out);
}
