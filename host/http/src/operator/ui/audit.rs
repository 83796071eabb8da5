//! `GET /audit`: who did what.

use axum::extract::State;
use axum::http::Uri;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::query::Query;
use crate::operator::{Api, audit};
use crate::view::access::AuditView;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given: Vec<(String, String)> = super::query(&uri).into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let query = Query::of(given.clone());
    let page = operator.store.audited(query.page::<u64>()?, audit::filter(&query)?).await?;
    let views: Vec<AuditView> = page.items.iter().map(AuditView::of).collect();
    let next = page.next.map(|next| next.to_string());
    let now = operator.clock.now();
    Ok(Frame::new(At::Audit, "Audit").page(html! {
        h1 { "Audit" }
        (fields(&query))
        @if views.is_empty() {
            (parts::empty("Nothing was done that fits. Whatever operators change is listed here, with its result; who it was is told \
                where each has a token:", Some("hookbox tokens create NAME --role operator")))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Audit" {
                table {
                    thead {
                        tr {
                            th scope="col" { "When" }
                            th scope="col" { "Who" }
                            th scope="col" { "What" }
                            th scope="col" { "To which" }
                            th scope="col" { "Result" }
                            th scope="col" { "From" }
                        }
                    }
                    tbody {
                        @for view in &views {
                            tr {
                                td { (parts::exact(&view.at, now)) }
                                td { (view.who) " " span.dim { (view.via) @if let Some(role) = view.role { ", " (role) } } }
                                td { (view.what) }
                                td.message {
                                    (view.object)
                                    @if let Some(detail) = view.detail.as_deref().filter(|detail| **detail != view.object) { " " span.dim { (detail) } }
                                }
                                td { (result(view.result.as_deref())) }
                                td { (view.address) }
                            }
                        }
                    }
                }
            }
        }
        (parts::further("/audit", &given, next.as_deref()))
    }))
}

fn result(result: Option<&str>) -> Markup {
    html! {
        @match result {
            Some("done") => span.state.good { "done" },
            Some(refused) => span.state.bad { (refused) },
            None => span.state.warn { "begun" },
        }
    }
}

fn fields(query: &Query) -> Markup {
    let text = |name: &str| query.text(name).ok().flatten().unwrap_or_default();
    html! {
        form.filter method="get" action="/audit" {
            label { "Who" input name="who" value=(text("who")); }
            label { "What" input name="text" value=(text("text")); }
            label { "Since" input name="since" value=(text("since")) placeholder="2026-11-20T09:00:00Z"; }
            label { "Until" input name="until" value=(text("until")) placeholder="2026-11-21T09:00:00Z"; }
            button type="submit" { "Show" }
        }
    }
}
