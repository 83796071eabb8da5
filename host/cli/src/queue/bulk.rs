//! What is done with many runs: counted, agreed to, and done request by request.

use std::io::{self, IsTerminal};

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use super::{agreed, filter, mistake};
use crate::args::{BulkArgs, OnceArgs, PayloadArgs, RunFilterArgs};
use crate::client::{Client, Write};
use crate::inspect::{self, Print};

pub(crate) fn cancel(client: &Client, bulk: &BulkArgs, once: &OnceArgs, print: Print) -> Result<()> {
    without_key(once)?;
    let change = Change { path: "runs/cancel", verb: "cancel", done: "cancelled", again: None };
    change_all(client, &change, bulk, print)
}

pub(crate) fn replay(
    client: &Client,
    payload: &PayloadArgs,
    bulk: &BulkArgs,
    again: bool,
    once: &OnceArgs,
    print: Print,
) -> Result<()> {
    without_key(once)?;
    if payload.data.is_some() || payload.text.is_some() || payload.content_type.is_some() {
        bail!(mistake("one payload cannot stand for many runs: name the run whose payload it replaces"));
    }
    let change = Change { path: "runs/replay", verb: "replay", done: "replayed", again: Some(again) };
    change_all(client, &change, bulk, print)
}

/// Many runs are many requests, and a key is for one.
fn without_key(once: &OnceArgs) -> Result<()> {
    match once.idempotency_key {
        None => Ok(()),
        Some(_) => bail!(mistake("--idempotency-key is for one run: many runs are many requests")),
    }
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

/// Counts, asks, and does it: runs that are made while somebody is asked are not meant.
fn change_all(client: &Client, change: &Change, bulk: &BulkArgs, print: Print) -> Result<()> {
    let filter = filter_body(&bulk.filter);
    if filter.is_empty() && !bulk.all && !bulk.dry_run {
        bail!(mistake("which runs? Name one, give a filter such as --plugin NAME, or say --all"));
    }
    if !bulk.dry_run && !bulk.yes && !io::stdin().is_terminal() {
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
        let write = Write::post(change.path, "runs list").with(&Value::Object(asked.clone())).patiently();
        let part = client.write(&write).map_err(|error| match sum.done {
            0 => error,
            done => error.context(format!("{done} runs are {} already", change.done)),
        })?;
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
        cancel(&host.client(), &bulk, &OnceArgs::default(), Print::Json).unwrap();
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
}
