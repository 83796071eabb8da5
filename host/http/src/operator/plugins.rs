use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::PluginName;

use super::Api;
use super::query::{Named, Query};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::grants::GrantsView;
use crate::view::plugin::{PluginDetailView, PluginView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<PluginView>>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(Page::whole(operator.store.catalogue().plugins().map(PluginView::of))))
}

pub(super) async fn show(
    State(operator): Api,
    Named(name): Named<PluginName>,
    uri: Uri,
) -> Result<Json<PluginDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let denied = operator.store.denials(&name).await?;
    let grants = GrantsView::of(&operator.settings.load().of(&name));
    let catalogue = operator.store.catalogue();
    let row = catalogue.plugin(&name);
    let row = row.ok_or_else(|| Problem::not_found().because(format!("there is no plugin {name}")))?;
    Ok(Json(PluginDetailView::of(row, grants, &denied)))
}
