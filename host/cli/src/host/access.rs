//! Who may use the operator's listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use hookbox_core::config::{self, Login};
use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_http::operator::{self, Access, FetchError, Oidc, OidcParts};
use hookbox_store::Store;
use ureq::Agent;
use ureq::http::{Request, Response};

use super::random_seed;
use crate::client;
use crate::project::{Mistakes, Project};

/// An identity provider answers at once, or is not there.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);
/// What it says of itself and of somebody is short.
const PROVIDER_BYTES_MAX: u64 = 1 << 20;

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
    let access = access.behind(config.trusted_proxies.clone());
    let access = if config.tls.is_some() { access.over_tls() } else { access };
    let access = match &config.oidc {
        Some(oidc) => access.with_oidc(provider(project, oidc)?),
        None => access,
    };
    let somebody = access.must_let_somebody_in(&store.access(), now);
    somebody.map_err(|error| Mistakes(vec![format!("operator.listen: {error}")]))?;
    Ok(access)
}

fn provider(project: &Project, config: &config::Oidc) -> Result<Oidc> {
    let wrong = |why: String| Mistakes(vec![format!("operator.oidc.{why}")]);
    let agent = client::agent()?;
    let parts = OidcParts {
        issuer: config.issuer.clone(),
        client_id: config.client_id.clone(),
        client_secret: project.oidc_secret()?,
        url: config.url.clone(),
        scopes: config.scopes.clone(),
        roles: config.roles.clone(),
        fetch: Arc::new(move |request| fetch(&agent, request).map_err(|error| FetchError(error.to_string()))),
    };
    Ok(Oidc::new(parts).map_err(wrong)?)
}

/// A redirect could lead the secret of the client elsewhere: none is followed.
fn fetch(agent: &Agent, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, ureq::Error> {
    let request = agent.configure_request(request).max_redirects(0).timeout_global(Some(PROVIDER_TIMEOUT)).build();
    let (head, mut body) = agent.run(request)?.into_parts();
    let bytes = body.with_config().limit(PROVIDER_BYTES_MAX).read_to_vec()?;
    Ok(Response::from_parts(head, bytes))
}
