//! `hookbox searches`: what operators look for again and again.

use anyhow::Result;
use serde_json::json;

use crate::args::SearchesCommand;
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::Column;
use crate::queue;

const SEARCHES: [Column; 2] = [("NAME", "name"), ("QUERY", "query")];
/// The command that shows what became of one.
const LOOK: &str = "searches list";

pub(crate) fn searches(client: &Client, command: SearchesCommand, print: Print) -> Result<()> {
    match command {
        SearchesCommand::List => {
            let empty = "No searches. Keep one with `hookbox searches keep NAME --state dead`.";
            inspect::list(&client.get("searches", &[])?, &SEARCHES, empty, print)
        }
        SearchesCommand::Show { name } => inspect::show(&client.get(&place(&name), &[])?, print),
        SearchesCommand::Keep { name, filter, sort, columns, once, condition } => {
            let shown =
                [("sort", sort), ("columns", columns)].into_iter().filter_map(|(name, value)| Some((name, value?)));
            let pairs = queue::filter(&filter)
                .into_iter()
                .chain(shown)
                .map(|(name, value)| format!("{name}={}", escaped(&value)));
            let query = pairs.collect::<Vec<_>>().join("&");
            let write = Write::put(place(&name), LOOK).with(&json!({ "query": query }));
            inspect::show(&client.write(&write.once(&once)?.on_condition(&condition))?, print)
        }
        SearchesCommand::Drop { name, once, condition } => {
            client.write(&Write::delete(place(&name), LOOK).once(&once)?.on_condition(&condition))?;
            match print {
                Print::Json => inspect::json(&json!({ "dropped": name }))?,
                Print::Tables => say!("{name} is forgotten"),
            }
            Ok(())
        }
    }
}

/// The path of a search below `/api/v1`.
fn place(name: &str) -> String {
    format!("searches/{}", escaped(name))
}

/// As a part of an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
