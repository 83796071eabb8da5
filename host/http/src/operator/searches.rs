//! Searches that operators keep, for the list of runs.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use hookbox_store::types::{SEARCH_NAME_BYTES_MAX, Search};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query::{Named, Query};
use super::sort::Sort;
use super::ui::{Columns, SHOWN_BY};
use super::{Api, BODY_BYTES_MAX, asked_in, audited, filter, nothing_in};
use crate::problem::Problem;
use crate::view::Page;

/// Longest query of one.
const QUERY_BYTES_MAX: usize = 2048;

#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct SearchView {
    name: String,
    /// As in `GET /api/v1/runs?`.
    query: String,
}

impl SearchView {
    fn of(search: Search) -> SearchView {
        SearchView { name: search.name, query: search.query }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SearchRequest")]
pub(super) struct Asked {
    /// As in `GET /api/v1/runs?`, and `columns` of the page with commas between them.
    query: String,
}

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<SearchView>>, Problem> {
    Query::read(&uri, &[])?;
    let searches = operator.store.searches().await?;
    Ok(Json(Page::whole(searches.into_iter().map(SearchView::of))))
}

pub(super) async fn show(
    State(operator): Api,
    Named(name): Named<String>,
    uri: Uri,
) -> Result<Json<SearchView>, Problem> {
    Query::read(&uri, &[])?;
    let found = operator.store.searches().await?.into_iter().find(|search| search.name == name);
    found.map(|search| Json(SearchView::of(search))).ok_or_else(|| missing(&name))
}

fn missing(name: &str) -> Problem {
    Problem::not_found().because(format!("no search has the name {name:?}"))
}

/// In place of one that has the name.
pub(super) async fn keep(
    State(operator): Api,
    Named(name): Named<String>,
    uri: Uri,
    body: Body,
) -> Result<Json<SearchView>, Problem> {
    Query::read(&uri, &[])?;
    let Asked { query } = asked_in(body, BODY_BYTES_MAX).await?;
    let search = checked(&name, &query)?;
    let kept = operator.store.keep_search(search.clone()).await.map_err(Problem::from);
    audited("keep search", format!("{name:?}"), kept)?;
    Ok(Json(SearchView::of(search)))
}

pub(super) async fn drop(
    State(operator): Api,
    Named(name): Named<String>,
    uri: Uri,
    body: Body,
) -> Result<StatusCode, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    let dropped = operator.store.drop_search(&name).await.map_err(Problem::from);
    match audited("drop search", format!("{name:?}"), dropped)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(missing(&name)),
    }
}

/// What would not be read as a search must not be kept as one.
fn checked(name: &str, query: &str) -> Result<Search, Problem> {
    if name.trim() != name || !(1..=SEARCH_NAME_BYTES_MAX).contains(&name.len()) || name.chars().any(char::is_control) {
        let cure = format!("name: must be 1 to {SEARCH_NAME_BYTES_MAX} bytes of text without spaces around it");
        return Err(Problem::bad_parameter().because(cure));
    }
    if query.len() > QUERY_BYTES_MAX {
        return Err(Problem::bad_parameter().because(format!("query: must have at most {QUERY_BYTES_MAX} bytes")));
    }
    let uri: Uri = format!("/runs?{query}")
        .parse()
        .map_err(|_| Problem::bad_parameter().because("query: must be as in an address: state=dead&error=timeout"))?;
    let read = Query::read(&uri, &[&filter::NAMES[..], &SHOWN_BY].concat())?;
    filter::read(|name| read.texts(name))?;
    read.parsed::<Sort>("sort")?;
    read.texts("columns").into_iter().try_for_each(Columns::check)?;
    Ok(Search { name: name.to_owned(), query: query.to_owned() })
}
