//! `hookbox health`: one word and an exit code, for whoever watches containers.

use anyhow::Result;

use crate::client::Client;
use crate::inspect::{self, Print};
use crate::output::plain;

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
