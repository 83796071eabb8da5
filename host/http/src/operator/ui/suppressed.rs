//! `GET /suppressed` and `GET /suppressed/ID`: deliveries that were duplicates.

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::EventId;
use hookbox_store::types::Listed;
use maud::html;

use super::frame::{At, Frame, Page};
use super::{Unshown, parts, run};
use crate::operator::Api;
use crate::operator::access::may;
use crate::operator::query::{Named, Query};
use crate::view::suppressed::{SuppressedDetailView, SuppressedView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given = super::query(&uri);
    let (page, now) = (Query::of(given.clone()).page::<EventId>()?, operator.clock.now());
    let page = operator.store.suppressed(page).await?;
    let total = operator.store.total(Listed::Suppressed).await?;
    let views: Vec<SuppressedView> = page.items.iter().map(SuppressedView::of).collect();
    Ok(Frame::new(At::Events, "Duplicates").page(html! {
        h1 { "Duplicates" }
        p { a href="/events" { "All events" } }
        p.dim { "What a provider sent again under an id that had come before. It was acknowledged, and ran nothing; each body \
            is here once." }
        @if views.is_empty() {
            (parts::empty("No duplicate is kept. What counts as one is in the settings of each provider:", Some("hookbox check")))
        } @else {
            p.total { @if !total.exact { "at least " } b { (parts::number(total.count)) } " duplicates" }
            div.scroll tabindex="0" role="region" aria-label="Duplicates" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Duplicate" }
                            th scope="col" { "Of" }
                            th scope="col" { "Source" }
                            th scope="col" { "Type" }
                            th scope="col" { "Body" }
                            th.number scope="col" { "Times" }
                            th scope="col" { "Last" }
                        }
                    }
                    tbody {
                        @for view in &views {
                            tr {
                                td { (parts::id("/suppressed", &view.event.id)) }
                                td { (parts::id("/events", &view.duplicate_of)) }
                                td { (view.event.source) }
                                td.message { (view.event.event_type) }
                                td { (body(view)) }
                                td.number { (parts::number(view.times)) }
                                td { (parts::moment(&view.last, now)) }
                            }
                        }
                    }
                }
            }
        }
        (parts::further("/suppressed", &given, page.next.map(|next| next.to_string()).as_deref()))
    }))
}

fn body(view: &SuppressedView) -> maud::Markup {
    html! { @if view.same_body { "the same" } @else { span.state.warn { "another" } } }
}

pub(super) async fn show(State(operator): Api, Named(id): Named<EventId>) -> Result<Page, Unshown> {
    let now = operator.clock.now();
    let SuppressedDetailView { suppressed, data } = SuppressedDetailView::of(&operator.store.suppressed_one(id).await?);
    let event = &suppressed.event;
    let title = format!("Duplicate {}", event.event_type);
    Ok(Frame::new(At::Events, &title).page(html! {
        h1 { (title) }
        dl {
            dt { "Id" } dd { code { (event.id) } }
            dt { "Duplicate of" } dd { (parts::id("/events", &suppressed.duplicate_of)) }
            dt { "Source" } dd { (event.source) }
            dt { "Topic" } dd { code { (event.topic) } }
            dt { "Body" } dd { (body(&suppressed)) }
            dt { "Times" } dd { (parts::number(suppressed.times)) }
            dt { "Came" } dd { (parts::exact(&event.time, now)) }
            dt { "Last" } dd { (parts::exact(&suppressed.last, now)) }
        }
        @if may("release duplicate") {
            p { "Where it was no duplicate, take it in: it becomes an event, with the runs that it would have if it came anew." }
            div.actions.scripted {
                button type="button" data-send={ "/api/v1/suppressed/" (event.id) "/release" } data-to={ "/events/" (event.id) }
                    data-ask="Its handlers will run. Go on?" { "Take it in" }
            }
        }
        h2 { "Body" }
        p.dim { (event.content_type) ", " (parts::bytes(event.data_bytes)) }
        (run::data(&data))
    }))
}
