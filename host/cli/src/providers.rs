//! `hookbox providers`: what is known of senders, and how one brings its secret.

mod known;
mod live;
mod pair;

use anyhow::Result;

use crate::args::ProvidersCommand;
use crate::client::Client;
use crate::inspect::Print;
use pair::Consent;

/// `client` is asked for by those commands alone that speak to a host.
pub(crate) fn providers(
    client: impl FnOnce() -> Result<Client>,
    command: Option<ProvidersCommand>,
    print: Print,
) -> Result<()> {
    match command {
        None | Some(ProvidersCommand::List) => known::list(print),
        Some(ProvidersCommand::Show { name }) => known::show(&name, print),
        Some(ProvidersCommand::Live { name }) => live::live(&client()?, name.as_deref(), print),
        Some(ProvidersCommand::Pair { name, yes }) => {
            pair::pair(&client()?, &name, if yes { Consent::Given } else { Consent::Ask }, print)
        }
    }
}
