//! The commands that look at a running host.

use anyhow::Result;
use serde_json::Value;

use crate::args::{EventsCommand, PageArgs, RunsCommand};
use crate::client::Client;
use crate::follow;
use crate::output::{self, Column};
use crate::queue::{self, bulk};
use crate::routing;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Print {
    Tables,
    Json,
}

const EVENTS: [Column; 5] =
    [("ID", "id"), ("TIME", "time"), ("TOPIC", "topic"), ("BYTES", "data_bytes"), ("RUNS", "run_ids")];
const SUPPRESSED: [Column; 7] = [
    ("ID", "id"),
    ("TIME", "time"),
    ("TOPIC", "topic"),
    ("BYTES", "data_bytes"),
    ("DUPLICATE OF", "duplicate_of"),
    ("SAME BODY", "same_body"),
    ("TIMES", "times"),
];
const RUNS: [Column; 7] = [
    ("ID", "id"),
    ("CREATED", "created"),
    ("PLUGIN", "plugin"),
    ("HANDLER", "handler"),
    ("STATE", "state"),
    ("TRIES", "attempts_begun"),
    ("LAST MESSAGE", "last_message"),
];

pub(crate) fn events(client: &Client, command: EventsCommand, print: Print) -> Result<()> {
    match command {
        EventsCommand::List { page, suppressed: true, .. } => {
            list(&client.get("suppressed", &query(&page))?, &SUPPRESSED, "No duplicates.", print)
        }
        EventsCommand::List { page, unrouted, .. } => {
            let mut query = query(&page);
            query.extend(unrouted.then(|| ("unrouted", "true".to_owned())));
            let empty = match unrouted {
                true => "No events without a handler.",
                false => "No events yet. Send one with `hookbox send PROVIDER`.",
            };
            list(&client.get("events", &query)?, &EVENTS, empty, print)
        }
        EventsCommand::Route { id: Some(id), once, .. } => routing::route(client, &id, &once, print),
        EventsCommand::Route { id: None, provider, dry_run, .. } => {
            routing::route_all(client, provider.as_deref(), dry_run, print)
        }
        EventsCommand::Show { id, suppressed } => {
            let kind = if suppressed { "suppressed" } else { "events" };
            show(&client.get(&format!("{kind}/{id}"), &[])?, print)
        }
        EventsCommand::Release { id, once } => routing::release(client, &id, &once, print),
    }
}

pub(crate) fn runs(client: &Client, command: RunsCommand, print: Print) -> Result<()> {
    match command {
        RunsCommand::List { filter, follow: true, count, .. } => follow::runs(client, &filter, count, print),
        RunsCommand::Logs { id, follow } => follow::logs(client, &id, follow, print),
        RunsCommand::List { page, filter, sort, columns, .. } => {
            let mut query = query(&page);
            query.extend(queue::filter(&filter));
            query.extend(sort.map(|sort| ("sort", sort)));
            let answer = client.get("runs", &query)?;
            list(&answer, if columns.is_empty() { &RUNS } else { &columns }, "No runs.", print)?;
            if let (Print::Tables, Some(since)) = (print, answer["sorted"]["since"].as_str()) {
                let runs = output::plain(&answer["sorted"]["runs"]);
                eprintln!("in this order are the newest {runs} that fit, made since {since}");
            }
            Ok(())
        }
        RunsCommand::Show { id } => show(&client.get(&format!("runs/{id}"), &[])?, print),
        RunsCommand::Result { id, wait } => queue::result(client, &id, wait),
        RunsCommand::Cancel { id, bulk, once } => match id {
            Some(id) => queue::cancel(client, &id, &bulk, &once, print),
            None => bulk::cancel(client, &bulk, &once, print),
        },
        RunsCommand::Replay { id, payload, bulk, again, once } => match id {
            Some(id) => queue::replay(client, &id, &payload, &bulk, &once, print),
            None => bulk::replay(client, &payload, &bulk, again, &once, print),
        },
    }
}

pub(crate) fn query(page: &PageArgs) -> Vec<(&'static str, String)> {
    let mut query = vec![("limit", page.limit.to_string())];
    query.extend(page.cursor.clone().map(|cursor| ("cursor", cursor)));
    query
}

pub(crate) fn list(answer: &Value, columns: &[Column], empty: &str, print: Print) -> Result<()> {
    if print == Print::Json {
        return json(answer);
    }
    let none = Vec::new();
    let items = answer["items"].as_array().unwrap_or(&none);
    output::table(items, columns, empty);
    if let Some(next) = answer["next"].as_str() {
        let about = if answer["total"]["exact"] == false { "at least " } else { "" };
        say!("\n{} of {about}{}. More: --cursor {next}", items.len(), output::plain(&answer["total"]["count"]));
    }
    Ok(())
}

pub(crate) fn show(answer: &Value, print: Print) -> Result<()> {
    if print == Print::Json {
        return json(answer);
    }
    output::fields(answer, 0);
    Ok(())
}

pub(crate) fn made(answer: &Value, print: Print) -> Result<()> {
    if print == Print::Json {
        return json(answer);
    }
    let id = answer["id"].as_str().or_else(|| answer["run"].as_str()).unwrap_or("?");
    say!("{id} is made: follow it with `hookbox runs show {id}`");
    Ok(())
}

pub(crate) fn json(value: &Value) -> Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
