//! What an operator does with schedules.

mod reset;

use anyhow::Result;
use hookbox_core::name::ScheduleName;
use hookbox_core::time::Millis;
use serde_json::{Map, Value, json};

use crate::args::{BackfillArgs, PutArgs, SchedulesCommand};
use crate::body_file;
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;
use crate::{DONE, FAILED, MISTAKE};

const SCHEDULES: [Column; 9] = [
    ("NAME", "name"),
    ("WHEN", "when.words"),
    ("BY", "origin"),
    ("NEXT", "next"),
    ("LAST FIRED", "last_fired"),
    ("FIRED", "counts.fired"),
    ("MISSED", "counts.missed"),
    ("PAUSED", "paused.since"),
    ("ATTENTION", "attention.reason"),
];
const UPCOMING: [Column; 3] = [("SLOT", "slot"), ("ON ITS CLOCK", "local"), ("DECIDED AT", "due")];
const RECENT: [Column; 5] =
    [("SLOT", "slot"), ("VERDICT", "verdict"), ("SLOTS", "slots"), ("LATE", "late"), ("RUN", "run")];

const VERDICTS: [&str; 6] = ["fired", "buffered", "missed", "overlap_skipped", "dropped", "paused"];

/// The exit code, where what there is to say is said.
pub(crate) fn schedules(client: &Client, command: SchedulesCommand, print: Print) -> Result<u8> {
    match command {
        SchedulesCommand::Reset { all: true, yes, .. } => {
            reset::all(client, yes, print).map(|whole| if whole { DONE } else { FAILED })
        }
        SchedulesCommand::Put(args) if args.dry_run => {
            try_out(client, &args, print).map(|good| if good { DONE } else { MISTAKE })
        }
        command => one(client, command, print).map(|()| DONE),
    }
}

fn one(client: &Client, command: SchedulesCommand, print: Print) -> Result<()> {
    match command {
        SchedulesCommand::List { page } => {
            let empty = "No schedules. Declare one in a plugin with #[cron(..)], in hooks.yaml under schedules, or with `hookbox schedules put`.";
            inspect::list(&client.get("schedules", &inspect::query(&page))?, &SCHEDULES, empty, print)
        }
        SchedulesCommand::Show { name } => show(&client.get(&place(&name)?, &[])?, print),
        SchedulesCommand::Put(args) => put(client, &args, print),
        SchedulesCommand::Remove { name, once, condition } => {
            let remove = Write::delete(place(&name)?, "schedules list").once(&once)?.on_condition(&condition);
            let removed = client.write(&remove)?;
            let left = removed["origin"].as_str().map(|origin| format!("; the one of {} counts again", of(origin)));
            told(&removed, &format!("{name} is removed{}", left.unwrap_or_default()), print)
        }
        SchedulesCommand::Pause { name, note, once, condition } => {
            let pause = change(&name, "pause")?.with(&json!({ "note": note }));
            let paused = client.write(&pause.once(&once)?.on_condition(&condition))?;
            let since = output::plain(&paused["paused"]["since"]);
            told(
                &paused,
                &format!("{name} is paused since {since}: go on with `hookbox schedules resume {name}`"),
                print,
            )
        }
        SchedulesCommand::Resume { name, once, condition } => {
            let resumed = client.write(&change(&name, "resume")?.once(&once)?.on_condition(&condition))?;
            told(&resumed, &format!("{name} goes on: its next slot is {}", next(&resumed)), print)
        }
        SchedulesCommand::Run { name, once } => {
            let run = Write::post(format!("{}/run", place(&name)?), format!("runs list --schedule {name}"));
            inspect::made(&client.write(&run.once(&once)?)?, print)
        }
        SchedulesCommand::Backfill(args) => backfill(client, &args, print),
        SchedulesCommand::Reset { name, yes, once, condition, .. } => {
            let name = name.unwrap_or_default();
            let reset = change(&name, "reset")?.once(&once)?.on_condition(&condition);
            reset::one(client, &name, &reset, yes, print)
        }
    }
}

/// The path of a schedule below `/api/v1`.
fn place(name: &str) -> Result<String> {
    let name = ScheduleName::parse(name).map_err(|error| Mistakes(vec![error.to_string()]))?;
    Ok(format!("schedules/{name}"))
}

/// A change of one that is there.
fn change(name: &str, verb: &str) -> Result<Write> {
    Ok(Write::post(format!("{}/{verb}", place(name)?), format!("schedules show {name}")))
}

fn told(answer: &Value, text: &str, print: Print) -> Result<()> {
    if print == Print::Json {
        return inspect::json(answer);
    }
    say!("{text}");
    Ok(())
}

fn next(schedule: &Value) -> String {
    match schedule["next"].as_str() {
        Some(next) => next.to_owned(),
        None if is_dry(schedule) => "none: its rule gives no later time".to_owned(),
        None => "none: it has ended".to_owned(),
    }
}

/// No slot will come, though no bound says so.
fn is_dry(schedule: &Value) -> bool {
    schedule["attention"]["reason"] == "no-next-slot"
}

/// Who declares a schedule, in words.
fn of(origin: &str) -> &str {
    match origin {
        "config" => "hooks.yaml",
        "plugin" => "a plugin",
        "operator" => "an operator",
        other => other,
    }
}

fn backfill(client: &Client, args: &BackfillArgs, print: Print) -> Result<()> {
    let BackfillArgs { name, from, to, dry_run, once } = args;
    let asked = json!({ "from": from, "to": to, "dry_run": dry_run });
    let backfill = Write::post(format!("{}/backfill", place(name)?), format!("runs list --schedule {name}"));
    let answer = client.write(&backfill.with(&asked).patiently().once(once)?)?;
    let number = |member: &str| answer[member].as_u64().unwrap_or_default();
    if print == Print::Json {
        return inspect::json(&answer);
    }
    let slots = number("slots");
    if slots == 0 {
        say!("{name} has no slot from {from} to before {to}");
        return Ok(());
    }
    let (first, last) = (output::plain(&answer["first"]), output::plain(&answer["last"]));
    if *dry_run {
        say!("{slots} slots would be run, from {first} to {last}");
        return Ok(());
    }
    say!("{} runs are made for {slots} slots, from {first} to {last}", number("made"));
    if number("left_out") > 0 {
        say!(
            "{} are left out: a backfill has run them before, or their handler lets one run be alive",
            number("left_out")
        );
    }
    say!("follow them with `hookbox runs list --schedule {name}`");
    Ok(())
}

fn put(client: &Client, args: &PutArgs, print: Print) -> Result<()> {
    let put = Write::put(place(&args.name)?, format!("schedules show {}", args.name)).with(&asked(args)?);
    let made = client.write(&put.once(&args.once)?.on_condition(&args.condition))?;
    if print == Print::Json {
        return inspect::json(&made);
    }
    warned(&made);
    say!("{} fires {}; its next slot is {}", args.name, output::plain(&made["when"]["words"]), next(&made));
    Ok(())
}

/// False where it would not be made.
fn try_out(client: &Client, args: &PutArgs, print: Print) -> Result<bool> {
    place(&args.name)?;
    preview(&client.ask(&format!("schedules/preview?name={}", args.name), &asked(args)?)?, print)
}

/// The schedule with the keys of hooks.yaml.
fn asked(args: &PutArgs) -> Result<Value> {
    let PutArgs { plugin, handler, when, rules, .. } = args;
    let texts = [
        ("cron", &when.cron),
        ("every", &when.every),
        ("every_minutes", &when.every_minutes),
        ("hourly", &when.hourly),
        ("daily", &when.daily),
        ("weekly", &when.weekly),
        ("monthly", &when.monthly),
        ("at", &when.at),
        ("timezone", &when.timezone),
        ("day_rule", &when.day_rule),
        ("phase", &when.phase),
        ("start", &rules.start),
        ("end", &rules.end),
        ("count", &rules.count),
        ("jitter", &rules.jitter),
        ("overlap", &rules.overlap),
        ("missed", &rules.missed),
        ("missed_within", &rules.missed_within),
        ("pause_after", &rules.pause_after),
        ("timeout", &rules.timeout),
        ("attempts", &rules.attempts),
        ("backoff", &rules.backoff),
        ("backoff_curve", &rules.backoff_curve),
        ("backoff_max", &rules.backoff_max),
    ];
    let given = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
    let mut asked: Map<String, Value> = given.collect();
    asked.insert("plugin".to_owned(), json!(plugin));
    asked.insert("handler".to_owned(), json!(handler));
    let payload = match (&args.payload, &args.payload_file) {
        (Some(text), _) => Some(text.clone().into_bytes()),
        (None, Some(file)) => Some(body_file::read(file)?),
        (None, None) => None,
    };
    if let Some(payload) = payload {
        let no_json = |error| Mistakes(vec![format!("the payload is no JSON: {error}")]);
        asked.insert("payload".to_owned(), serde_json::from_slice(&payload).map_err(no_json)?);
    }
    Ok(Value::Object(asked))
}

fn warned(answer: &Value) {
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        eprintln!("warning: {}", output::plain(warning));
    }
}

/// JSON has the mistakes in the answer itself: nothing may come behind it.
fn preview(answer: &Value, print: Print) -> Result<bool> {
    let mistakes: Vec<String> = answer["mistakes"].as_array().into_iter().flatten().map(mistake).collect();
    if print == Print::Json {
        return inspect::json(answer).map(|()| mistakes.is_empty());
    }
    if answer["when"].is_object() {
        warned(answer);
        say!("It would fire {}.", output::plain(&answer["when"]["words"]));
        upcoming(answer);
    }
    for mistake in &mistakes {
        eprintln!("{mistake}");
    }
    Ok(mistakes.is_empty())
}

fn mistake(mistake: &Value) -> String {
    let (path, message) = (output::plain(&mistake["path"]), output::plain(&mistake["message"]));
    if path.is_empty() { message } else { format!("{path}: {message}") }
}

fn upcoming(answer: &Value) {
    let rows = answer["upcoming"].as_array().cloned().unwrap_or_default();
    let jitter = answer["rules"]["put_off_ms"] != 0;
    output::table(&rows, if jitter { &UPCOMING } else { &UPCOMING[..2] }, "No slot will come.");
}

fn show(row: &Value, print: Print) -> Result<()> {
    if print == Print::Json {
        return inspect::json(row);
    }
    let text = |value: &Value| output::plain(value);
    let line = |head: &str, text: String| say!("{head:<12} {text}");
    line("name", text(&row["name"]));
    line("runs", format!("{}/{}", text(&row["plugin"]), text(&row["handler"])));
    line("fires", text(&row["when"]["words"]));
    if row["when"]["text"] != row["when"]["words"] {
        line("written as", text(&row["when"]["text"]));
    }
    line("declared by", of(row["origin"].as_str().unwrap_or("?")).to_owned());
    for other in row["shadowed"].as_array().into_iter().flatten() {
        line("", format!("not by {}: {}", of(other["origin"].as_str().unwrap_or("?")), text(&other["why"])));
    }
    line("state", state(row));
    line("etag", text(&row["etag"]));
    if row["attention"].is_object() {
        line("attention", attention(&row["attention"]));
    }
    line("rules", rules(row));
    let counts = VERDICTS.map(|verdict| format!("{} {}", row["counts"][verdict], verdict.replace('_', "-")));
    line("slots", counts.join(", "));
    let late = |member: &str| span(&row["lateness"][member]);
    line("lateness", format!("{} at the last one that fired, {} at most", late("last_ms"), late("longest_ms")));
    if row["open"].as_array().is_some_and(|open| !open.is_empty()) {
        line("alive", text(&row["open"]));
    }
    if row["payload"].is_object() {
        line("payload", text(&row["payload"]["data"]));
    }
    say!("\nNext slots");
    upcoming(row);
    say!("\nLast slots");
    let recent = row["recent"].as_array().into_iter().flatten();
    let rows: Vec<Value> = recent
        .map(|slot| {
            let mut slot = slot.clone();
            slot["late"] = json!(span(&slot["late_ms"]));
            if let Some(why) = slot["why"].as_str() {
                slot["verdict"] = json!(format!("{}, {why}", output::plain(&slot["verdict"])));
            }
            slot
        })
        .collect();
    output::table(&rows, &RECENT, "None has its verdict yet.");
    Ok(())
}

fn span(ms: &Value) -> String {
    Millis(ms.as_u64().unwrap_or_default()).to_string()
}

fn state(row: &Value) -> String {
    let paused = &row["paused"];
    let since = output::plain(&paused["since"]);
    match (paused["failures"].as_u64(), paused["note"].as_str()) {
        _ if is_dry(row) => "stopped: its rule gives no later time".to_owned(),
        _ if paused.is_null() && row["next"].is_null() => "ended: no slot will come".to_owned(),
        _ if paused.is_null() => "active".to_owned(),
        (Some(failures), _) => format!("paused since {since}, after {failures} runs in a row that failed for good"),
        (None, Some(_)) => format!("paused since {since}: {}", output::plain(&paused["note"])),
        (None, None) => format!("paused since {since}"),
    }
}

fn attention(attention: &Value) -> String {
    let since = attention["since"].as_str().map(|since| format!(" since {since}"));
    let (reason, cure) = (output::plain(&attention["reason"]), output::plain(&attention["cure"]));
    format!("{reason}{}: {cure}", since.unwrap_or_default())
}

/// Those that are not said are as the handler has them, or do not exist.
fn rules(row: &Value) -> String {
    let rules = &row["rules"];
    let text = |name: &str| output::plain(&rules[name]);
    let number = |name: &str| rules[name].as_u64();
    let mut all = vec![format!("overlap {}", text("overlap"))];
    all.push(match rules["missed"].as_str() {
        Some("none") => "missed none".to_owned(),
        _ => format!("missed {} within {}", text("missed"), span(&rules["missed_within_ms"])),
    });
    all.extend(
        number("count").map(|count| format!("count {count}, of which {} are left", output::plain(&row["left"]))),
    );
    for bound in ["start", "end"] {
        all.extend(rules[bound].as_str().map(|at| format!("{bound} {at}")));
    }
    let jitter = number("jitter_ms").filter(|jitter| *jitter > 0);
    let put_off = span(&rules["put_off_ms"]);
    all.extend(jitter.map(|jitter| format!("jitter {}, which puts it off by {put_off}", Millis(jitter))));
    let failures = output::plain(&row["failures"]);
    all.extend(number("pause_after").map(|most| format!("pause after {most} failures, {failures} so far")));
    all.extend(number("timeout_ms").map(|ms| format!("timeout {}", Millis(ms))));
    all.extend(number("attempts").map(|most| format!("attempts {most}")));
    all.extend(number("backoff_ms").map(|ms| format!("backoff {}", Millis(ms))));
    all.extend(rules["backoff_curve"].as_str().map(|curve| format!("backoff curve {curve}")));
    all.extend(number("backoff_max_ms").map(|ms| format!("backoff at most {}", Millis(ms))));
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_with_a_mistake_is_an_answer_and_no_error_behind_it() {
        let mistake = json!({ "path": "cron", "message": "has no such day" });
        for print in [Print::Json, Print::Tables] {
            assert!(!preview(&json!({ "mistakes": [mistake] }), print).unwrap());
            assert!(preview(&json!({ "mistakes": [] }), print).unwrap());
        }
    }

    #[test]
    fn one_that_has_ended_and_one_whose_rule_gives_no_later_time_are_told_apart() {
        let row = |next: Value, attention: Value| json!({ "next": next, "paused": null, "attention": attention });
        let told = |row: &Value| [state(row), next(row)];
        let at = "2026-11-25T09:00:00.000Z";
        assert_eq!(told(&row(json!(at), Value::Null)), ["active", at]);
        assert_eq!(told(&row(Value::Null, Value::Null)), ["ended: no slot will come", "none: it has ended"]);
        let dry = json!({ "reason": "no-next-slot", "since": at, "cure": "change its rule" });
        let why = "its rule gives no later time";
        assert_eq!(told(&row(Value::Null, dry)), [format!("stopped: {why}"), format!("none: {why}")]);
    }
}
