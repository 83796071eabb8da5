//! `GET /events` and `GET /events/ID`.

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::EventId;
use hookbox_store::StoreError;
use maud::html;

use super::frame::{At, Frame, Page};
use super::{Unshown, parts, run, runs};
use crate::operator::Api;
use crate::operator::access::may;
use crate::operator::events::RUNS_MAX;
use crate::operator::query::{Named, Query};
use crate::view::event::{EventDetailView, EventView};
use crate::view::run::RunView;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given = super::query(&uri);
    let query = Query::of(given.clone());
    let (page, now) = (query.page::<EventId>()?, operator.clock.now());
    let unrouted = query.parsed::<bool>("unrouted")? == Some(true);
    let page = match unrouted {
        true => operator.store.unrouted(page).await?,
        false => operator.store.events(page).await?,
    };
    let views: Vec<EventView> = page.events.iter().map(EventView::of).collect();
    let title = if unrouted { "Events without a handler" } else { "Events" };
    Ok(Frame::new(At::Events, title).page(html! {
        h1 { (title) }
        p {
            @if unrouted { a href="/events" { "All events" } }
            @else { a href="/events?unrouted=true" { "Only those without a handler" } }
            " \u{b7} " a href="/suppressed" { "Duplicates" }
        }
        @if views.is_empty() && unrouted {
            (parts::empty("Every event has reached a handler. What leads where is told by", Some("hookbox routes list")))
        } @else if views.is_empty() {
            (parts::empty("No event here. Send one that is signed as its provider would:",
                Some("hookbox send PROVIDER --type TYPE")))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Events" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Event" }
                            th scope="col" { "Source" }
                            th scope="col" { "Type" }
                            th scope="col" { "Subject" }
                            th scope="col" { "Time" }
                            th.number scope="col" { "Bytes" }
                            th.number scope="col" { "Runs" }
                        }
                    }
                    tbody {
                        @for event in &views {
                            tr {
                                td { (parts::id("/events", &event.id)) }
                                td { (event.source) }
                                td.message { (event.event_type) }
                                td.message { (event.subject.as_deref().unwrap_or_default()) }
                                td { (parts::moment(&event.time, now)) }
                                td.number { (parts::number(event.data_bytes)) }
                                td.number { (event.run_ids.len()) }
                            }
                        }
                    }
                }
            }
        }
        (parts::further("/events", &given, page.next.map(|next| next.to_string()).as_deref()))
    }))
}

pub(super) async fn show(State(operator): Api, Named(id): Named<EventId>) -> Result<Page, Unshown> {
    let record = operator.store.event(id).await?;
    let now = operator.clock.now();
    let mut of_it = Vec::new();
    for id in record.runs.iter().take(RUNS_MAX) {
        match operator.store.run(*id).await {
            Ok(run) => of_it.push(RunView::of(&run)),
            // Pruned before its event.
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let EventDetailView { event, data, .. } = EventDetailView::of(&record, Vec::new());
    let title = format!("Event {}", event.event_type);
    Ok(Frame::new(At::Events, &title).page(html! {
        h1 { (title) }
        dl {
            dt { "Id" } dd { code { (event.id) } }
            dt { "Source" } dd { (event.source) }
            dt { "Topic" } dd { code { (event.topic) } }
            @if let Some(subject) = &event.subject { dt { "Subject" } dd { (subject) } }
            dt { "Time" } dd { (parts::exact(&event.time, now)) }
            @for (name, value) in &event.attributes { dt { (name) } dd { (value) } }
        }
        h2 { "Runs" }
        @if of_it.is_empty() {
            p.dim { "It has reached no handler." }
            @if may("route event") {
                div.actions.scripted {
                    button type="button" data-send={ "/api/v1/events/" (event.id) "/route" } data-done="It has runs now." { "Route it again" }
                }
            }
        } @else {
            (runs::table(&of_it, now))
        }
        h2 { "Body" }
        p.dim { (event.content_type) ", " (parts::bytes(event.data_bytes)) }
        (run::data(&data))
    }))
}
