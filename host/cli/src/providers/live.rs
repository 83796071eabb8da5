//! `hookbox providers live`: what came from the senders of a running host.

use anyhow::Result;
use hookbox_core::name::ProviderName;

use crate::client::Client;
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const PROVIDERS: [Column; 6] = [
    ("NAME", "name"),
    ("SCHEME", "scheme"),
    ("ACCEPTED", "accepted"),
    ("DUPLICATES", "duplicates"),
    ("REFUSED", "refused"),
    ("LAST", "last_accepted"),
];

pub(super) fn live(client: &Client, name: Option<&str>, print: Print) -> Result<()> {
    if let Some(name) = name {
        let name = ProviderName::parse(name).map_err(|error| Mistakes(vec![error.to_string()]))?;
        return inspect::show(&client.get(&format!("providers/{name}"), &[])?, print);
    }
    let answer = client.get("providers", &[])?;
    if print == Print::Json {
        return inspect::json(&answer);
    }
    let none = Vec::new();
    let rows = answer["providers"].as_array().unwrap_or(&none);
    output::table(rows, &PROVIDERS, "No provider is live: give one a secret, see `hookbox check`.");
    Ok(())
}
