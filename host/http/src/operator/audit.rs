//! `GET /api/v1/audit`: who did what, newest first.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::time::Timestamp;
use hookbox_store::types::AuditFilter;

use super::Api;
use super::filter::bounded;
use super::query::Query;
use crate::problem::Problem;
use crate::view::Page;
use crate::view::access::AuditView;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<AuditView>>, Problem> {
    let query = Query::read(&uri, &["cursor", "limit", "who", "text", "since", "until"])?;
    for name in ["who", "text"] {
        query.text(name)?.map(|given| bounded(name, given)).transpose()?;
    }
    let page = operator.store.audited(query.page::<u64>()?, filter(&query)?).await?;
    Ok(Json(Page::new(page.items.iter().map(AuditView::of), page.next, page.total)))
}

pub(super) fn filter(query: &Query) -> Result<AuditFilter, Problem> {
    Ok(AuditFilter {
        who: query.text("who")?.map(str::to_owned),
        text: query.text("text")?.map(str::to_owned),
        since: query.parsed::<Timestamp>("since")?,
        until: query.parsed::<Timestamp>("until")?,
    })
}
