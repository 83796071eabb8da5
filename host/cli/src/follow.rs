//! What happens to runs, a line each as it happens, and what one of them logs.

use std::ops::ControlFlow;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::args::RunFilterArgs;
use crate::client::Client;
use crate::client::events::Event;
use crate::inspect::Print;
use crate::output::plain;
use crate::project::Mistakes;
use crate::queue;

/// What a run itself does not tell: a stream of runs cannot be narrowed by it.
const NOT_NARROWED_BY: [&str; 6] = ["provider", "result", "payload", "not_provider", "not_result", "not_payload"];

/// Each run that changes, until so many were told or it is interrupted.
pub(crate) fn runs(client: &Client, filter: &RunFilterArgs, count: Option<u64>, print: Print) -> Result<()> {
    let filter = queue::filter(filter);
    if let Some((name, _)) = filter.iter().find(|(name, _)| NOT_NARROWED_BY.contains(name)) {
        let told = format!("--{name} is for what has been, not for --follow: leave it out");
        bail!(Mistakes(vec![told]));
    }
    let mut left = count.unwrap_or(u64::MAX);
    if print == Print::Tables {
        eprintln!("following the runs: end it with ctrl-c");
    }
    client.follow("runs/stream", &filter, |Event { kind, data, .. }| {
        match kind.as_str() {
            "run" => say!("{}", if print == Print::Json { data.to_string() } else { line(&data) }),
            "missed" => {
                eprintln!("some changes are left out: `hookbox runs list` has them");
                return Ok(ControlFlow::Continue(()));
            }
            _ => return Ok(ControlFlow::Continue(())),
        }
        left -= 1;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
}

fn line(run: &Value) -> String {
    let text = |name: &str| plain(&run[name]);
    let handler = format!("{}/{}", text("plugin"), text("handler"));
    let more = run["last_message"].as_str().map(|_| text("last_message")).unwrap_or_default();
    let tries = text("attempts_begun");
    format!("{}  {:<10} {handler:<32} try {tries:<3} {more}", text("id"), text("state")).trim_end().to_owned()
}

/// What a run has logged; with `to_its_end` also what it will have.
pub(crate) fn logs(client: &Client, id: &str, to_its_end: bool, print: Print) -> Result<()> {
    if to_its_end {
        return client.follow(&format!("runs/{id}/logs/stream"), &[], |Event { kind, data, .. }| {
            tell(&kind, &data, print);
            Ok(if kind == "end" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
    }
    let run = client.get(&format!("runs/{id}"), &[])?;
    for attempt in run["attempts"].as_array().into_iter().flatten() {
        for line in attempt["log"]["lines"].as_array().into_iter().flatten() {
            let mut line = line.clone();
            line["attempt"] = attempt["number"].clone();
            tell("log", &line, print);
        }
        let mut end = attempt.clone();
        end["attempt"] = attempt["number"].clone();
        if print == Print::Tables {
            tell("attempt", &end, print);
        }
    }
    Ok(())
}

/// Of JSON, the lines of the log alone.
fn tell(kind: &str, data: &Value, print: Print) {
    let text = |name: &str| plain(&data[name]);
    match (print, kind) {
        (Print::Json, "log") => say!("{data}"),
        (Print::Json, _) => {}
        (Print::Tables, "log") => {
            let fields = data["fields"].as_object().into_iter().flatten();
            let fields: String = fields.map(|(name, value)| format!(" {name}={}", plain(value))).collect();
            say!("{}  {:<5} {}{fields}", text("at"), text("level"), text("message"));
        }
        (Print::Tables, "attempt") => {
            let message = data["message"].as_str().map(|_| format!(": {}", text("message"))).unwrap_or_default();
            say!("{}  attempt {} ended: {}{message}", text("finished"), text("attempt"), text("outcome"));
        }
        (Print::Tables, "end") => say!("the run is {}", text("state")),
        (Print::Tables, _) => {}
    }
}
