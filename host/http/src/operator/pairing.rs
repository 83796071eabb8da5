//! The window in which a sender brings its secret: opened, looked at, confirmed and closed by an operator.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use hookbox_core::name::ProviderName;

use super::query::{Named, Query};
use super::{Api, Operator, audited, created, nothing_in};
use crate::pairing::NotPaired;
use crate::problem::Problem;
use crate::view::pairing::{ClosedView, PairedView, PairingView};

pub(super) async fn open(
    State(operator): Api,
    Named(name): Named<ProviderName>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let view = audited("open pairing of", &name, begin(&operator, &name))?;
    Ok(created(&format!("/api/v1/providers/{}/pairing", view.provider), view))
}

fn begin(operator: &Operator, name: &ProviderName) -> Result<PairingView, Problem> {
    let providers = operator.providers.load();
    let unknown =
        || Problem::not_found().because(format!("there is no provider {name} in hooks.yaml that brings its secret"));
    let (name, pairable) = providers.pairable(name.as_str()).ok_or_else(unknown)?;
    let now = (operator.clock.monotonic(), operator.clock.now());
    Ok(PairingView::of(operator.pairing.open(name, pairable, now)?))
}

pub(super) async fn look(
    State(operator): Api,
    Named(name): Named<ProviderName>,
    uri: Uri,
) -> Result<Json<PairingView>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(PairingView::of(operator.pairing.look(&name, operator.clock.monotonic())?)))
}

pub(super) async fn confirm(
    State(operator): Api,
    Named(name): Named<ProviderName>,
    uri: Uri,
    body: Body,
) -> Result<Json<PairedView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let (of, at) = (Arc::clone(&operator), name.clone());
    // It writes a file.
    let kept = tokio::task::spawn_blocking(move || of.pairing.confirm(&at, of.clock.monotonic())).await;
    let kept = kept.map_err(|_| Problem::for_now()).and_then(|kept| Ok(kept?));
    let file = audited("confirm pairing of", &name, kept)?;
    Ok(Json(PairedView { provider: name.to_string(), file: file.display().to_string() }))
}

pub(super) async fn close(
    State(operator): Api,
    Named(name): Named<ProviderName>,
    uri: Uri,
    body: Body,
) -> Result<Json<ClosedView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let closed = operator.pairing.close(&name, operator.clock.monotonic()).map_err(Problem::from);
    audited("close pairing of", &name, closed)?;
    Ok(Json(ClosedView { provider: name.to_string() }))
}

impl From<NotPaired> for Problem {
    fn from(not: NotPaired) -> Problem {
        let told = not.to_string();
        match not {
            NotPaired::Closed(_) => Problem::not_found().because(told),
            NotPaired::Open(_) | NotPaired::Nothing(_) | NotPaired::NoFile(_) => Problem::conflict().because(told),
            NotPaired::Unwritten { .. } => Problem::for_now().because(told),
        }
    }
}
