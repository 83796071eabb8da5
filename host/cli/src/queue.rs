//! What an operator does with runs: cancel, replay, hold, and make jobs by hand.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::args::{BulkArgs, EnqueueArgs, HoldsCommand, PayloadArgs, RunFilterArgs};
use crate::body_file;
use crate::client::Client;
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const HOLDS: [Column; 5] =
    [("TARGET", "target"), ("SINCE", "since"), ("PENDING", "pending"), ("KNOWN", "known"), ("NOTE", "note")];

pub(crate) fn cancel(client: &Client, id: Option<&str>, bulk: &BulkArgs, print: Print) -> Result<()> {
    match id {
        None => change_all(
            client,
            &Change { path: "runs/cancel", verb: "cancel", done: "cancelled", again: None },
            bulk,
            print,
        ),
        Some(id) => {
            one(bulk)?;
            let run = client.post(&format!("runs/{id}/cancel"))?;
            if print == Print::Json {
                return inspect::json(&run);
            }
            say!("{id} is cancelled");
            Ok(())
        }
    }
}

pub(crate) fn replay(
    client: &Client,
    id: Option<&str>,
    payload: &PayloadArgs,
    bulk: &BulkArgs,
    again: Option<bool>,
    print: Print,
) -> Result<()> {
    let payload = read(payload)?;
    match id {
        Some(id) => {
            one(bulk)?;
            inspect::made(&client.post_json(&format!("runs/{id}/replay"), &Value::Object(payload))?, print)
        }
        None if payload.is_empty() => {
            let change = Change { path: "runs/replay", verb: "replay", done: "replayed", again };
            change_all(client, &change, bulk, print)
        }
        None => bail!(mistake("one payload cannot stand for many runs: name the run whose payload it replaces")),
    }
}

/// The bytes of a result, to the standard output.
pub(crate) fn result(client: &Client, id: &str, wait: Option<u64>) -> Result<()> {
    let bytes = client.bytes(&format!("runs/{id}/result{}", waiting(wait)), wait)?;
    let mut out = std::io::stdout().lock();
    // Whoever reads may have gone, as `head` does.
    let _ = out.write_all(&bytes).and_then(|()| out.flush());
    Ok(())
}

pub(crate) fn holds(client: &Client, command: HoldsCommand, print: Print) -> Result<()> {
    match command {
        HoldsCommand::List => inspect::list(&client.get("holds", &[])?, &HOLDS, "Nothing is held.", print),
        HoldsCommand::Show { target } => inspect::show(&client.get(&place(&target)?, &[])?, print),
        HoldsCommand::Add { target, note } => {
            let held = client.put_json(&place(&target)?, &json!({ "note": note }))?;
            if held["known"] == false {
                eprintln!("there is no {target} yet: its runs will be held when it comes");
            }
            told(&held, "is held", print)
        }
        HoldsCommand::Remove { target } => told(&client.delete(&place(&target)?)?, "is released", print),
    }
}

fn told(held: &Value, what: &str, print: Print) -> Result<()> {
    if print == Print::Json {
        return inspect::json(held);
    }
    let runs = held["pending"].as_u64().unwrap_or_default();
    say!("{} {what}: {runs} of its runs wait", output::plain(&held["target"]));
    Ok(())
}

/// The rest is the host's to check.
fn place(target: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_/*".contains(c);
    match !target.is_empty() && target.chars().all(plain) {
        true => Ok(format!("holds/{target}")),
        false => bail!(mistake(&format!("{target:?}: name '*', PLUGIN or PLUGIN/HANDLER"))),
    }
}

/// False where it was waited for, and has not succeeded.
pub(crate) fn enqueue(client: &Client, args: &EnqueueArgs, print: Print) -> Result<bool> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let handler = args.handler.split_once('/');
    let Some((plugin, handler)) = handler.filter(|(plugin, handler)| plugin.chars().chain(handler.chars()).all(plain))
    else {
        bail!(mistake(&format!("{:?}: name a handler as PLUGIN/HANDLER", args.handler)));
    };
    let mut asked = read(&args.payload)?;
    if args.payload.content_type.is_none() && asked.get("text").and_then(Value::as_str).is_some_and(is_json) {
        asked.insert("content_type".to_owned(), json!("application/json"));
    }
    asked.extend(args.delay.clone().map(|delay| ("delay".to_owned(), json!(delay))));
    asked.extend(args.unique_key.clone().map(|key| ("unique_key".to_owned(), json!(key))));
    let path = format!("handlers/{plugin}/{handler}/run{}", waiting(args.wait));
    let made = client.post_json_waiting(&path, &Value::Object(asked), args.wait)?;
    if print == Print::Tables && made["new"] == false {
        say!("none is made: {} has this key and was alive", output::plain(&made["run"]));
    }
    match (args.wait, made["waited"].is_null()) {
        (Some(_), false) => ended(&made, print),
        (Some(_), true) => {
            inspect::made(&made, print)?;
            let id = output::plain(&made["run"]);
            eprintln!("nobody has waited for {id}: do so with `hookbox runs result {id} --wait 60`");
            Ok(false)
        }
        (None, _) if print == Print::Tables && made["new"] == false => Ok(true),
        (None, _) => inspect::made(&made, print).map(|()| true),
    }
}

fn waiting(wait: Option<u64>) -> String {
    wait.map(|seconds| format!("?wait={seconds}")).unwrap_or_default()
}

/// How a run is that was waited for. One that failed is a failure here, too, and told beside the answer, not behind it.
fn ended(made: &Value, print: Print) -> Result<bool> {
    let (waited, id) = (&made["waited"], output::plain(&made["run"]));
    match print {
        Print::Json => inspect::json(made)?,
        Print::Tables => {
            say!("{id}");
            output::fields(waited, 0);
        }
    }
    match waited["state"].as_str() {
        Some("succeeded") => return Ok(true),
        Some("pending" | "leased") => {
            eprintln!("{id} has not ended: wait on with `hookbox runs result {id} --wait 60`");
        }
        _ => eprintln!("{id} is {}", output::plain(&waited["state"])),
    }
    Ok(false)
}

/// A payload as the API takes it: text where it is text.
fn read(args: &PayloadArgs) -> Result<Map<String, Value>> {
    let mut payload = Map::new();
    let bytes = match (&args.data, &args.text) {
        (Some(file), _) => body_file::read(file)?,
        (None, Some(text)) => text.clone().into_bytes(),
        (None, None) if args.content_type.is_some() => {
            bail!(mistake("--content-type says nothing without --data or --text"));
        }
        (None, None) => return Ok(payload),
    };
    payload.extend(args.content_type.clone().map(|content_type| ("content_type".to_owned(), json!(content_type))));
    match String::from_utf8(bytes) {
        Ok(text) => payload.insert("text".to_owned(), json!(text)),
        Err(no_text) => payload.insert("base64".to_owned(), json!(STANDARD.encode(no_text.as_bytes()))),
    };
    Ok(payload)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Filters are for many runs.
fn one(bulk: &BulkArgs) -> Result<()> {
    match filter(&bulk.filter).is_empty() && !bulk.all && !bulk.dry_run {
        true => Ok(()),
        false => bail!(mistake("name one run, or say which runs are meant: not both")),
    }
}

pub(crate) fn filter(args: &RunFilterArgs) -> Vec<(&'static str, String)> {
    let RunFilterArgs {
        state,
        plugin,
        handler,
        event,
        schedule,
        made_by,
        since,
        until,
        error,
        provider,
        version,
        result,
        in_payload,
        not,
    } = args;
    let several = [
        ("state", state),
        ("plugin", plugin),
        ("handler", handler),
        ("event", event),
        ("schedule", schedule),
        ("error", error),
        ("provider", provider),
        ("version", version),
        ("result", result),
        ("payload", in_payload),
    ];
    let once = [("made_by", made_by), ("since", since), ("until", until)];
    let several = several.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
    let once = once.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    several.chain(once).chain(not.iter().cloned()).collect()
}

/// As a member of a request's body: of a name that is given once its value, else all of them.
fn filter_body(args: &RunFilterArgs) -> Map<String, Value> {
    let mut body = Map::new();
    for (name, value) in filter(args) {
        match body.get_mut(name) {
            None => {
                body.insert(name.to_owned(), json!(value));
            }
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    body
}

/// What is done with many runs.
struct Change {
    path: &'static str,
    verb: &'static str,
    done: &'static str,
    /// Only where it says something.
    again: Option<bool>,
}

/// What became of them, over all requests.
#[derive(Default)]
struct Sum {
    matched: u64,
    done: u64,
    left_out: u64,
    /// Where the first request has begun; null of a host that does not tell.
    start: Value,
}

/// Counts, asks, and does it with those that were counted: runs that come while somebody is asked are not meant.
fn change_all(client: &Client, change: &Change, bulk: &BulkArgs, print: Print) -> Result<()> {
    let filter = filter_body(&bulk.filter);
    if filter.is_empty() && !bulk.all && !bulk.dry_run {
        bail!(mistake("which runs? Name one, give a filter such as --plugin NAME, or say --all"));
    }
    if !bulk.dry_run && !bulk.yes && !std::io::stdin().is_terminal() {
        bail!(mistake("nobody can be asked here: say --yes, or count with --dry-run"));
    }
    let mut asked = Map::from_iter([("filter".to_owned(), Value::Object(filter))]);
    asked.extend(change.again.map(|again| ("again".to_owned(), json!(again))));
    asked.insert("dry_run".to_owned(), json!(true));
    let counted = sweep(client, change, asked.clone())?;
    let runs = counted.matched - counted.left_out.min(counted.matched);
    if bulk.dry_run {
        return tell(&counted, &format!("would be {}", change.done), runs, print);
    }
    if runs > 0 && !bulk.yes && !agreed(&format!("{} {runs} runs?", change.verb))? {
        bail!("nothing is done");
    }
    asked.insert("dry_run".to_owned(), json!(false));
    asked.insert("all".to_owned(), json!(bulk.all));
    if counted.start.is_string() {
        asked.insert("cursor".to_owned(), counted.start.clone());
    }
    let sum = if runs > 0 { sweep(client, change, asked)? } else { counted };
    let (done, word) = (sum.done, format!("are {}", change.done));
    tell(&sum, &word, done, print)
}

/// Asks request by request until every run was looked at.
fn sweep(client: &Client, change: &Change, mut asked: Map<String, Value>) -> Result<Sum> {
    let mut sum = Sum::default();
    loop {
        let part = client.post_json(change.path, &Value::Object(asked.clone()))?;
        let number = |name: &str| part[name].as_u64().unwrap_or_default();
        sum.matched += number("matched");
        sum.done += number("done");
        sum.left_out += number("left_out");
        if !asked.contains_key("cursor") {
            sum.start = part["cursor"].clone();
        }
        if part["next"].is_null() {
            return Ok(sum);
        }
        asked.insert("cursor".to_owned(), part["next"].clone());
    }
}

fn tell(sum: &Sum, what: &str, runs: u64, print: Print) -> Result<()> {
    let Sum { matched, done, left_out, .. } = *sum;
    if print == Print::Json {
        return inspect::json(&json!({ "matched": matched, "done": done, "left_out": left_out }));
    }
    say!("{runs} runs {what}");
    if left_out > 0 {
        say!("{left_out} are left out: it cannot be done with them, or was done before");
    }
    Ok(())
}

pub(crate) fn agreed(question: &str) -> Result<bool> {
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

fn mistake(cure: &str) -> Mistakes {
    Mistakes(vec![cure.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::scripted::{Scripted, in_json};

    /// The bodies of what is asked to cancel all runs, where the first count is answered so.
    fn asked_after(counted: Value) -> Vec<Value> {
        let more = json!({ "matched": 2, "done": 2, "left_out": 0, "next": "run_3" });
        let rest = json!({ "matched": 1, "done": 1, "left_out": 0, "next": null });
        let host = Scripted::answering([counted, rest.clone(), more, rest].iter().map(in_json).collect());
        let bulk = BulkArgs { all: true, yes: true, ..BulkArgs::default() };
        cancel(&host.client(), None, &bulk, Print::Json).unwrap();
        let body = |asked: &String| serde_json::from_str(asked.rsplit("\r\n").next().unwrap()).unwrap();
        host.asked().iter().map(body).collect()
    }

    #[test]
    fn what_is_done_to_many_begins_where_they_were_counted() {
        let counted = json!({ "matched": 2, "done": 0, "left_out": 0, "cursor": "run_9", "next": "run_5" });
        let asked = asked_after(counted);
        let cursors: Vec<_> = asked.iter().map(|asked| (&asked["dry_run"], &asked["cursor"])).collect();
        let (yes, no) = (&json!(true), &json!(false));
        let [first, second, third] = &["run_5", "run_9", "run_3"].map(Value::from);
        assert_eq!(cursors, [(yes, &Value::Null), (yes, first), (no, second), (no, third)]);
    }

    #[test]
    fn of_a_host_that_does_not_tell_it_begins_with_the_newest() {
        let asked = asked_after(json!({ "matched": 2, "done": 0, "left_out": 0, "next": "run_5" }));
        assert_eq!((&asked[2]["dry_run"], &asked[2]["cursor"]), (&json!(false), &Value::Null));
    }

    #[test]
    fn a_run_that_was_waited_for_and_failed_is_an_answer_and_no_error_behind_it() {
        for (state, done) in [("succeeded", true), ("dead", false), ("cancelled", false), ("leased", false)] {
            let made = json!({ "run": "run_1", "waited": { "state": state } });
            for print in [Print::Json, Print::Tables] {
                assert_eq!(ended(&made, print).unwrap(), done, "{state}");
            }
        }
    }
}
