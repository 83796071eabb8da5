//! `hookbox health`: one word and an exit code, for whoever watches containers. `overview` and `system` say more.

use anyhow::Result;

use crate::client::Client;
use crate::inspect::{self, Print};
use crate::output::{self, Column, plain};

/// True where webhooks are taken and schedules are looked at.
pub(crate) fn health(client: &Client, print: Print) -> Result<bool> {
    let health = client.get("health", &[])?;
    match print {
        Print::Json => inspect::json(&health)?,
        Print::Tables => match health["reason"].as_str() {
            Some(_) => say!("{}: {}", plain(&health["status"]), plain(&health["reason"])),
            None => say!("{}", plain(&health["status"])),
        },
    }
    Ok(health["status"] == "ok")
}

const LIMITS: [Column; 3] = [("WHAT", "what"), ("LIMIT", "value"), ("IN hooks.yaml", "option")];

pub(crate) fn overview(client: &Client, span: Option<String>, print: Print) -> Result<()> {
    let query: Vec<_> = span.into_iter().map(|span| ("span", span)).collect();
    let mut overview = client.get("overview", &query)?;
    if print == Print::Json {
        return inspect::json(&overview);
    }
    say!("{}", plain(&overview["said"]));
    for concern in overview["concerns"].as_array().into_iter().flatten() {
        say!("  {} ({})", plain(&concern["text"]), plain(&concern["page"]));
    }
    if let Some(overview) = overview.as_object_mut() {
        overview.retain(|name, _| ["oldest_ms", "lately"].contains(&name.as_str()));
    }
    output::fields(&overview, 0);
    Ok(())
}

pub(crate) fn system(client: &Client, print: Print) -> Result<()> {
    let mut system = client.get("system", &[])?;
    if print == Print::Json {
        return inspect::json(&system);
    }
    let limits = system.as_object_mut().and_then(|system| system.remove("limits")).unwrap_or_default();
    output::fields(&system, 0);
    say!("");
    output::table(limits.as_array().map(Vec::as_slice).unwrap_or_default(), &LIMITS, "");
    Ok(())
}
