//! `hookbox alerts`: what is wrong, what was, and whether somebody is told.

use anyhow::Result;
use serde_json::Value;

use crate::args::AlertsCommand;
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::{self, Column};

const ALERTS: [Column; 5] =
    [("RULE", "rule"), ("ABOUT", "about"), ("SINCE", "since"), ("RESOLVED", "resolved"), ("WHAT", "text")];
const CHANNELS: [Column; 6] = [
    ("CHANNEL", "name"),
    ("KIND", "kind"),
    ("DELIVERED", "delivered"),
    ("WAITING", "waiting"),
    ("LOST", "lost"),
    ("FAILURE", "failure"),
];

pub(crate) fn alerts(client: &Client, command: AlertsCommand, print: Print) -> Result<()> {
    match command {
        AlertsCommand::List { history } => list(&client.get("alerts", &[])?, history, print),
        AlertsCommand::Test { channel, once } => {
            let told =
                client.write(&Write::post(format!("alerts/channels/{channel}/test"), "alerts list").once(&once)?)?;
            if print == Print::Json {
                return inspect::json(&told);
            }
            say!("{channel} has taken a test");
            Ok(())
        }
    }
}

fn list(told: &Value, history: bool, print: Print) -> Result<()> {
    if print == Print::Json {
        return inspect::json(told);
    }
    let rows = |key: &str| told[key].as_array().cloned().unwrap_or_default();
    output::table(&rows("firing"), &ALERTS, "nothing is wrong");
    if history {
        say!();
        output::table(&rows("history"), &ALERTS, "no alert has ended yet");
    }
    say!();
    let nobody = "nobody is told: name a channel below alerts.channels in hooks.yaml";
    output::table(&rows("channels"), &CHANNELS, nobody);
    Ok(())
}
