//! What leads to the handlers: trying it, and routing again what reached none.

use std::fs;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::args::{OnceArgs, RoutesCommand};
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const ROUTES: [Column; 6] = [
    ("PLUGIN", "plugin"),
    ("HANDLER", "handler"),
    ("PATTERNS", "patterns"),
    ("FILTER", "filter"),
    ("PASSED OVER", "passed_over"),
    ("FAULTS", "faults"),
];
const VERDICTS: [Column; 4] = [("PLUGIN", "plugin"), ("HANDLER", "handler"), ("WHY", "why"), ("DETAIL", "detail")];

/// True unless a delivery was tried that reaches no handler.
pub(crate) fn routes(client: &Client, command: RoutesCommand, print: Print) -> Result<bool> {
    match command {
        RoutesCommand::List => {
            let empty = "No handler takes events. Drop a plugin with #[on(..)] into plugins/.";
            inspect::list(&client.get("routes", &[])?, &ROUTES, empty, print).map(|()| true)
        }
        RoutesCommand::Test { file, provider, event_type, headers } => {
            let body = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let asked = json!({
                "provider": provider,
                "type": event_type,
                "headers": pairs(&headers)?,
                "body_base64": STANDARD.encode(body),
            });
            test(&client.ask("routes/test", &asked)?, print)
        }
    }
}

/// As JSON is what most senders send, a delivery is JSON unless a header says otherwise.
fn pairs(headers: &[String]) -> Result<Vec<(String, String)>> {
    let split = |header: &String| {
        let (name, value) = header.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned())).filter(|(name, _)| !name.is_empty())
    };
    let cure = |header: &String| Mistakes(vec![format!("-H {header:?}: write it as \"Name: value\"")]);
    let pairs: Result<Vec<_>, Mistakes> =
        headers.iter().map(|header| split(header).ok_or_else(|| cure(header))).collect();
    let mut pairs = pairs?;
    if !pairs.iter().any(|(name, _)| name == "content-type") {
        pairs.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    Ok(pairs)
}

fn test(answer: &Value, print: Print) -> Result<bool> {
    let reached =
        answer["reached"].as_u64().filter(|_| answer["schema_fault"]["outcome"] != "refused").unwrap_or_default();
    if print == Print::Json {
        inspect::json(answer)?;
        return Ok(reached > 0);
    }
    let none = Vec::new();
    let handlers = answer["handlers"].as_array().unwrap_or(&none);
    let topic = answer["topic"].as_str().unwrap_or("?");
    say!("{topic} reaches {reached} of {} handlers", handlers.iter().filter(|row| !row["handler"].is_null()).count());
    let fault = &answer["schema_fault"];
    if let (Some(pointer), Some(message)) = (fault["pointer"].as_str(), fault["message"].as_str()) {
        let outcome = if fault["outcome"] == "refused" { "is refused with 422" } else { "becomes dead letters" };
        say!("it {outcome}: the schema finds at {pointer:?}: {message}");
    }
    say!();
    output::table(handlers, &VERDICTS, "No plugins. Drop a .wasm into plugins/, or make one with `hookbox new NAME`.");
    Ok(reached > 0)
}

pub(crate) fn route(client: &Client, id: &str, once: &OnceArgs, print: Print) -> Result<()> {
    let route = Write::post(format!("events/{id}/route"), format!("events show {id}")).once(once)?;
    made(&client.write(&route)?, print)
}

/// Makes an event of a delivery that was a duplicate.
pub(crate) fn release(client: &Client, id: &str, once: &OnceArgs, print: Print) -> Result<()> {
    let release = Write::post(format!("suppressed/{id}/release"), format!("events show {id}")).once(once)?;
    let answer = client.write(&release)?;
    let unrouted = answer["runs"].as_array().is_none_or(Vec::is_empty);
    if unrouted && print == Print::Tables {
        say!("{id} is an event that reaches no handler: hookbox events list --unrouted");
    }
    made(&answer, print)
}

fn made(answer: &Value, print: Print) -> Result<()> {
    if print == Print::Json {
        return inspect::json(answer);
    }
    for run in answer["runs"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        say!("{run} is made: follow it with `hookbox runs show {run}`");
    }
    Ok(())
}

/// Asks page by page until every unrouted event was looked at.
pub(crate) fn route_all(client: &Client, provider: Option<&str>, dry_run: bool, print: Print) -> Result<()> {
    let (mut routed, mut unmatched, mut handlers) = (0, 0, Map::new());
    let mut after = Value::Null;
    loop {
        let asked = json!({ "provider": provider, "dry_run": dry_run, "after": after });
        let route = Write::post("events/route", "events list --unrouted").with(&asked).patiently();
        let page = client.write(&route)?;
        routed += page["routed"].as_u64().unwrap_or_default();
        unmatched += page["unmatched"].as_u64().unwrap_or_default();
        for (handler, runs) in page["handlers"].as_object().into_iter().flatten() {
            let sum = handlers.get(handler).and_then(Value::as_u64).unwrap_or_default();
            handlers.insert(handler.clone(), json!(sum + runs.as_u64().unwrap_or_default()));
        }
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    if print == Print::Json {
        let all = json!({ "dry_run": dry_run, "routed": routed, "unmatched": unmatched, "handlers": handlers });
        return inspect::json(&all);
    }
    let done = if dry_run { "would be routed" } else { "are routed" };
    say!("{routed} events {done}, {unmatched} find no handler");
    for (handler, runs) in &handlers {
        say!("  {handler}: {runs} runs");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_curl_takes_them() {
        let read = pairs(&["X-Shop: eu:1".to_owned(), "content-type:text/plain".to_owned()]).unwrap();
        let expected = [("x-shop", "eu:1"), ("content-type", "text/plain")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs(&[]).unwrap(), [("content-type".to_owned(), "application/json".to_owned())]);
        for bad in ["X-Shop", ": eu"] {
            let error = pairs(&[bad.to_owned()]).unwrap_err();
            assert!(error.is::<Mistakes>() && error.to_string().contains("Name: value"), "{error}");
        }
    }
}
