//! `GET /`: is all well, and what should somebody look at?

mod charts;

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::time::Timestamp;
use hookbox_store::types::{PageRequest, RunFilter};
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, chart, parts, runs};
use crate::operator::overview::{self, Concern, Overview, Verdict};
use crate::operator::{Api, Operator};
use crate::trend::{Look, Stretch};
use crate::view::run::RunView;

/// Of runs and of refusals, the latest.
const LATEST: usize = 10;

pub(super) async fn show(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let (counts, now) = (operator.store.counts(), operator.clock.now());
    let overview = overview::of(&operator).await;
    let Overview { schedules, look, lately, .. } = &overview;
    let asked = super::query(&uri).into_iter().find(|(name, _)| name == "span");
    let span = asked.and_then(|(_, span)| span.parse().ok()).unwrap_or_default();
    let page = operator.store.runs(PageRequest { before: None, limit: LATEST }, RunFilter::default()).await;
    let latest: Vec<RunView> = page.map(|page| page.runs.iter().map(RunView::of).collect()).unwrap_or_default();
    let card = |path: &str, said: &str, what: &str| {
        html! { a.card href=(path) { b { (said) } span { (what) } } }
    };
    let number = |path: &str, count: u64, what: &str| card(path, &parts::number(count), what);
    Ok(Frame::new(At::Overview, "Overview").page(html! {
        h1 { "Overview" }
        (verdict(&overview))
        div.cards {
            (rates(lately.as_ref(), look.as_ref(), &card))
            (number("/runs?state=pending", counts.pending, "runs waiting"))
            (number("/runs?state=leased", counts.leased, "runs executing"))
            (number("/runs?state=succeeded", counts.succeeded, "succeeded"))
            (number("/runs?state=dead", counts.dead, "dead letters"))
            (number("/runs?state=cancelled", counts.cancelled, "cancelled"))
            (number("/events", counts.events, "events taken in"))
            (number("/events?unrouted=true", counts.unrouted, "events without a handler"))
            (number("/providers", counts.duplicates, "duplicates"))
            (number("/schedules", schedules.all(), "schedules"))
        }
        @if let Some(look) = look { (charts::all(&operator, *look, span)) }
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

/// How fast it goes, how much of it fails, how long things wait.
fn rates(lately: Option<&Stretch>, look: Option<&Look>, card: &impl Fn(&str, &str, &str) -> Markup) -> Markup {
    let told = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let failing = lately.and_then(Stretch::failure_ratio).map(chart::percent);
    let late = lately.and_then(Stretch::mean_lateness_ms).map(chart::span);
    html! {
        (card("/events", &told(lately.map(|lately| chart::per_second(lately.accepted_per_second()))), "events, lately"))
        (card("/runs", &told(lately.map(|lately| chart::per_second(lately.attempts_per_second()))), "attempts, lately"))
        (card("/runs?state=dead", &told(failing), "of them failed"))
        (card("/runs?state=pending", &told(look.map(|look| chart::span(look.oldest.0 as f64))), "the oldest run waits"))
        (card("/schedules", &told(late), "schedules late, lately"))
    }
}

/// In one sentence, and where to look.
fn verdict(overview: &Overview) -> Markup {
    let kind = match overview.verdict {
        Verdict::Healthy => "good",
        Verdict::Attention | Verdict::Moving => "warn",
        Verdict::Unhealthy => "bad",
    };
    html! {
        div class={ "verdict " (kind) } {
            (overview.said)
            @if !overview.concerns.is_empty() {
                ul { @for Concern { text, page } in &overview.concerns { li { a href=(page) { (text) } } } }
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
