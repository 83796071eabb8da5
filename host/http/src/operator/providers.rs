//! Providers: what they sent, and why some of it was refused.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::ProviderName;

use super::Api;
use super::query::{Named, Query};
use crate::problem::Problem;
use crate::view::provider::{CountsView, ProviderView, ProvidersView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<ProvidersView>, Problem> {
    Query::read(&uri, &[])?;
    let live = operator.providers.load();
    let view =
        |(name, live): (&ProviderName, _)| ProviderView::of(name, live, operator.tally.of(name), CountsView::brief);
    let strangers = CountsView::full(operator.tally.strangers());
    Ok(Json(ProvidersView { providers: live.all().map(view).collect(), strangers }))
}

pub(super) async fn show(
    State(operator): Api,
    Named(name): Named<ProviderName>,
    uri: Uri,
) -> Result<Json<ProviderView>, Problem> {
    Query::read(&uri, &[])?;
    let live = operator.providers.load();
    let unknown = || Problem::not_found().because(format!("there is no live provider {name}: hookbox check says why"));
    let (name, provider) = live.find(name.as_str()).ok_or_else(unknown)?;
    Ok(Json(ProviderView::of(name, provider, operator.tally.of(name), CountsView::full)))
}
