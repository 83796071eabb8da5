//! `GET /api/v1/openapi.json`: the API as OpenAPI 3.1, made from the types that the handlers read and write.
//!
//! Schemas come from those types, by `schemars`; what only the router and the handlers know (paths, parameters, statuses)
//! stands here, a file for each noun. A test walks the router and asks every operation for the parameters that it knows,
//! so that neither can say what the other does not.

mod access;
mod document;
mod events;
mod host;
mod plugins;
mod providers;
mod runs;
mod schedules;

use std::sync::LazyLock;

use axum::Json;
use axum::http::Uri;
use serde_json::Value;

use super::query::Query;
use crate::problem::Problem;
use document::Document;

/// It says the same as long as the process lives.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = Document::new();
    events::describe(&mut document);
    runs::describe(&mut document);
    schedules::describe(&mut document);
    plugins::describe(&mut document);
    providers::describe(&mut document);
    access::describe(&mut document);
    host::describe(&mut document);
    document.whole()
});

pub(super) async fn show(uri: Uri) -> Result<Json<&'static Value>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(&*DOCUMENT))
}
