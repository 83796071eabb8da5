//! `GET /`: is all well, and what should somebody look at?

use axum::extract::State;
use hookbox_core::time::Timestamp;
use hookbox_store::types::{PageRequest, RunFilter};
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, parts, runs};
use crate::lifecycle::Phase;
use crate::operator::{Api, Operator};
use crate::view::run::RunView;

/// Of runs and of refusals, the latest.
const LATEST: usize = 10;

pub(super) async fn show(State(operator): Api) -> Result<Page, Unshown> {
    let (counts, now) = (operator.store.counts(), operator.clock.now());
    let schedules = operator.store.schedule_counts(now);
    let page = operator.store.runs(PageRequest { before: None, limit: LATEST }, RunFilter::default()).await?;
    let latest: Vec<RunView> = page.runs.iter().map(RunView::of).collect();
    let card = |path: &str, count: u64, what: &str| {
        html! { a.card href=(path) { b { (parts::number(count)) } span { (what) } } }
    };
    Ok(Frame::new(At::Overview, "Overview").page(html! {
        h1 { "Overview" }
        (verdict(&operator))
        div.cards {
            (card("/events", counts.events, "events taken in"))
            (card("/runs?state=pending", counts.pending, "runs waiting"))
            (card("/runs?state=leased", counts.leased, "runs executing"))
            (card("/runs?state=succeeded", counts.succeeded, "succeeded"))
            (card("/runs?state=dead", counts.dead, "dead letters"))
            (card("/runs?state=cancelled", counts.cancelled, "cancelled"))
            (card("/events?unrouted=true", counts.unrouted, "events without a handler"))
            (card("/providers", counts.duplicates, "duplicates"))
            (card("/schedules", schedules.all(), "schedules"))
        }
        h2 { "Latest runs" }
        @if latest.is_empty() {
            (parts::empty("No run yet. Send a webhook that is signed as its provider would:",
                Some("hookbox send PROVIDER --type TYPE")))
        } @else {
            (runs::table(&latest, now))
        }
        h2 { "Latest refusals" }
        (refusals(&operator, now))
    }))
}

/// In one sentence, and where to look.
fn verdict(operator: &Operator) -> Markup {
    if let Some(reason) = operator.store.failure() {
        return html! { div.verdict.bad { "The store takes nothing at this moment: " (reason) } };
    }
    if operator.lifecycle.phase() != Phase::Serving {
        return html! { div.verdict.warn { "The host is starting or stopping." } };
    }
    let counts = operator.store.counts();
    let catalogue = operator.store.catalogue();
    let refused: Vec<_> = catalogue.plugins().filter(|row| row.refused.is_some()).map(|row| row.name.clone()).collect();
    let held = operator.store.holds().0.len();
    let well = counts.dead == 0 && counts.unrouted == 0 && refused.is_empty() && held == 0;
    if well {
        return html! { div.verdict.good { "All is well." } };
    }
    html! {
        div.verdict.warn {
            "The host works; somebody should look at this:"
            ul {
                @if counts.dead > 0 {
                    li { a href="/runs?state=dead" { (parts::number(counts.dead)) " dead letters" } " wait for an operator" }
                }
                @if counts.unrouted > 0 {
                    li { a href="/events?unrouted=true" { (parts::number(counts.unrouted)) " events" } " reached no handler" }
                }
                @for name in &refused {
                    li { "the latest file of " a href={ "/plugins/" (name) } { (name) } " was refused" }
                }
                @if held > 0 { li { (held) " targets are held: their runs wait" } }
            }
        }
    }
}

fn refusals(operator: &Operator, now: Timestamp) -> Markup {
    let live = operator.providers.load();
    let named = live.all().map(|(name, _)| (name.to_string(), operator.tally.of(name)));
    let strangers = std::iter::once(("(no such provider)".to_owned(), operator.tally.strangers()));
    let mut latest: Vec<_> = named
        .chain(strangers)
        .flat_map(|(name, counted)| counted.recent.into_iter().take(LATEST).map(move |turned| (name.clone(), turned)))
        .collect();
    latest.sort_by_key(|(_, turned)| std::cmp::Reverse(turned.at));
    latest.truncate(LATEST);
    if latest.is_empty() {
        return html! { p.dim { "No delivery was refused since the start." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Refusals" {
            table {
                thead {
                    tr { th scope="col" { "When" } th scope="col" { "Provider" } th scope="col" { "Cause" } th scope="col" { "Message" } th scope="col" { "From" } }
                }
                tbody {
                    @for (name, turned) in &latest {
                        tr {
                            td { (parts::moment(&turned.at.to_string(), now)) }
                            td { (name) }
                            td { (parts::state(turned.cause)) }
                            td.message { (turned.message) }
                            td { (turned.source) }
                        }
                    }
                }
            }
        }
    }
}
