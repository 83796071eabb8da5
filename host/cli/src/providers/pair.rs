//! `hookbox providers pair`: waits for a sender that brings the secret itself, and asks whether it is the right one.

use std::io::{BufRead, IsTerminal, Write as _};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output;

/// Between two looks at the window.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether the operator has said beforehand that any token is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Ask,
    Given,
}

/// Returns once the token is written, or the window is closed.
pub(crate) fn pair(client: &Client, name: &str, consent: Consent, print: Print) -> Result<()> {
    if consent == Consent::Ask && !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here: run it in a terminal, or say --yes beforehand");
    }
    let path = format!("providers/{name}/pairing");
    let look = format!("providers live {name}");
    let opened = client.write(&Write::post(&path, &look))?;
    let name = opened["provider"].as_str().unwrap_or(name);
    eprintln!(
        "{name} may bring its secret until {}: have it post to /api/v1/webhooks/webhook/{name} at your public address.",
        output::plain(&opened["closes"])
    );
    let caught = wait(client, &path)?;
    eprintln!("{}", told(name, &caught));
    if consent == Consent::Ask && !asked()? {
        client.write(&Write::post(format!("{path}/close"), &look))?;
        bail!("the token is forgotten, and {name} has the secret that it had");
    }
    let paired = client.write(&Write::post(format!("{path}/confirm"), &look))?;
    if print == Print::Json {
        return inspect::json(&paired);
    }
    say!("{} has the secret of {name}: the host reads it within a second", output::plain(&paired["file"]));
    Ok(())
}

/// What came, as soon as something has.
fn wait(client: &Client, path: &str) -> Result<Value> {
    loop {
        let seen = client.get(path, &[]).context("the window is closed")?;
        if !seen["caught"].is_null() {
            return Ok(seen["caught"].clone());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn told(name: &str, caught: &Value) -> String {
    let from = caught["from"].as_str().unwrap_or("an address that is not known");
    let (begins, bytes) = (output::plain(&caught["begins"]), &caught["bytes"]);
    format!(
        "A token of {bytes} bytes that begins with {begins} came from {from}. It must be the one that {name} shows."
    )
}

fn asked() -> Result<bool> {
    eprint!("Is it the right one? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
