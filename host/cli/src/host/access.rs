//! Who may use the operator's listener.

use std::net::SocketAddr;

use anyhow::Result;
use hookbox_core::config::Login;
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_http::operator::{self, Access};
use hookbox_store::Store;

use super::random_seed;
use crate::project::{Mistakes, Project};

/// Fails where nobody could ever log in.
pub(super) fn of(
    project: &Project,
    listens_on: SocketAddr,
    token: Option<&Secret>,
    store: &dyn Store,
    now: Timestamp,
) -> Result<Access> {
    let config = &project.config.operator;
    let random = || random_seed().map_err(std::io::Error::other);
    let access = Access::new(listens_on, &config.hosts, token, Box::new(random)).with_login(match config.login {
        Login::Elsewhere => operator::Login::Elsewhere,
        Login::Everybody => operator::Login::Everybody,
    });
    let access = if config.tls.is_some() { access.over_tls() } else { access };
    let somebody = access.must_let_somebody_in(&store.access(), now);
    somebody.map_err(|error| Mistakes(vec![format!("operator.listen: {error}")]))?;
    Ok(access)
}
