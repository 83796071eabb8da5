//! What an operator does with runs: cancel, replay, hold, and make jobs by hand.

pub(crate) mod bulk;

use std::io::{self, BufRead, Write as _};

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::args::{BulkArgs, EnqueueArgs, HoldsCommand, OnceArgs, PayloadArgs, RunFilterArgs};
use crate::body_file;
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const HOLDS: [Column; 5] =
    [("TARGET", "target"), ("SINCE", "since"), ("PENDING", "pending"), ("KNOWN", "known"), ("NOTE", "note")];
/// The command that shows what became of a hold.
const LOOK: &str = "holds list";

pub(crate) fn cancel(client: &Client, id: &str, bulk: &BulkArgs, once: &OnceArgs, print: Print) -> Result<()> {
    one(bulk)?;
    let run = client.write(&Write::post(format!("runs/{id}/cancel"), format!("runs show {id}")).once(once)?)?;
    if print == Print::Json {
        return inspect::json(&run);
    }
    say!("{id} is cancelled");
    Ok(())
}

pub(crate) fn replay(
    client: &Client,
    id: &str,
    payload: &PayloadArgs,
    bulk: &BulkArgs,
    once: &OnceArgs,
    print: Print,
) -> Result<()> {
    let payload = read(payload)?;
    one(bulk)?;
    let replay = Write::post(format!("runs/{id}/replay"), "runs list").with(&Value::Object(payload)).once(once)?;
    inspect::made(&client.write(&replay)?, print)
}

/// The bytes of a result, to the standard output.
pub(crate) fn result(client: &Client, id: &str, wait: Option<u64>) -> Result<()> {
    let bytes = client.bytes(&format!("runs/{id}/result{}", waiting(wait)), wait)?;
    let mut out = io::stdout().lock();
    // Whoever reads may have gone, as `head` does.
    let _ = out.write_all(&bytes).and_then(|()| out.flush());
    Ok(())
}

pub(crate) fn holds(client: &Client, command: HoldsCommand, print: Print) -> Result<()> {
    match command {
        HoldsCommand::List => inspect::list(&client.get("holds", &[])?, &HOLDS, "Nothing is held.", print),
        HoldsCommand::Show { target } => inspect::show(&client.get(&place(&target)?, &[])?, print),
        HoldsCommand::Add { target, note, once, condition } => {
            let hold = Write::put(place(&target)?, LOOK).with(&json!({ "note": note }));
            let held = client.write(&hold.once(&once)?.on_condition(&condition))?;
            if held["known"] == false {
                eprintln!("there is no {target} yet: its runs will be held when it comes");
            }
            told(&held, "is held", print)
        }
        HoldsCommand::Remove { target, once, condition } => {
            let release = Write::delete(place(&target)?, LOOK).once(&once)?.on_condition(&condition);
            told(&client.write(&release)?, "is released", print)
        }
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
    let make =
        Write::post(path, format!("runs list --plugin {plugin} --handler {handler}")).with(&Value::Object(asked));
    let made = client.write(&make.waiting(args.wait).once(&args.once)?)?;
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
        replayed,
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
    let replayed = replayed.map(|replayed| replayed.to_string());
    let once = [("made_by", made_by), ("replayed", &replayed), ("since", since), ("until", until)];
    let several = several.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
    let once = once.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
    several.chain(once).chain(not.iter().cloned()).collect()
}

pub(crate) fn agreed(question: &str) -> Result<bool> {
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

fn mistake(cure: &str) -> Mistakes {
    Mistakes(vec![cure.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

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
