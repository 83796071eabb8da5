//! `GET /`: is all well, and what should somebody look at?

mod charts;

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{PageRequest, RunFilter, ScheduleCounts};
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, chart, parts, runs};
use crate::lifecycle::Phase;
use crate::operator::{Api, Operator};
use crate::trend::{Look, Stretch};
use crate::view::run::RunView;

/// What counts as lately.
const LATELY: Millis = Millis(5 * Millis::MINUTE.0);
/// A run that could begin and has waited for so long waits too long.
const OLDEST_MAX: Millis = Millis::MINUTE;
/// Of the attempts that ended lately, so many may fail.
const FAILURES_MAX: f64 = 0.5;
/// Fewer attempts say nothing.
const ATTEMPTS_MIN: u64 = 10;

/// Of runs and of refusals, the latest.
const LATEST: usize = 10;

pub(super) async fn show(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let (counts, now) = (operator.store.counts(), operator.clock.now());
    let schedules = operator.store.schedule_counts(now);
    // While the store is away, the page says so all the same.
    let look = operator.sources().look().await.ok();
    let lately = look.and_then(|look| operator.trend.lately(look, LATELY));
    let page = operator.store.runs(PageRequest { before: None, limit: LATEST }, RunFilter::default()).await;
    let latest: Vec<RunView> = page.map(|page| page.runs.iter().map(RunView::of).collect()).unwrap_or_default();
    let card = |path: &str, said: &str, what: &str| {
        html! { a.card href=(path) { b { (said) } span { (what) } } }
    };
    let number = |path: &str, count: u64, what: &str| card(path, &parts::number(count), what);
    Ok(Frame::new(At::Overview, "Overview").page(html! {
        h1 { "Overview" }
        (verdict(&operator, &schedules, look.as_ref(), lately.as_ref()))
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
        @if let Some(look) = look { (charts::all(&operator, look, charts::Span::of(&super::query(&uri)))) }
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
fn verdict(operator: &Operator, schedules: &ScheduleCounts, look: Option<&Look>, lately: Option<&Stretch>) -> Markup {
    if let Some(reason) = operator.store.failure() {
        return html! { div.verdict.bad { "Not healthy: the store takes nothing at this moment: " (reason) } };
    }
    if operator.lifecycle.phase() != Phase::Serving {
        return html! { div.verdict.warn { "The host is starting or stopping." } };
    }
    if let Some(reason) = operator.standing().reason {
        return html! { div.verdict.bad { "Not healthy: " (reason) } };
    }
    let (bad, notes) = concerns(operator, schedules, look, lately);
    let list = |items: &[Markup]| html! { ul { @for item in items { li { (item) } } } };
    match (bad.is_empty(), notes.is_empty()) {
        (true, true) => html! { div.verdict.good { "Healthy: all is well." } },
        (true, false) => html! { div.verdict.warn { "Healthy; somebody should look at this:" (list(&notes)) } },
        (false, _) => html! { div.verdict.bad { "Not healthy:" (list(&[bad, notes].concat())) } },
    }
}

/// What makes the host unhealthy, and what waits for somebody.
fn concerns(
    operator: &Operator,
    schedules: &ScheduleCounts,
    look: Option<&Look>,
    lately: Option<&Stretch>,
) -> (Vec<Markup>, Vec<Markup>) {
    let (counts, catalogue) = (operator.store.counts(), operator.store.catalogue());
    let (mut bad, mut notes) = (Vec::new(), Vec::new());
    if let Some(look) = look.filter(|look| look.oldest > OLDEST_MAX) {
        let waits = chart::span(look.oldest.0 as f64);
        bad.push(html! { "a run that could begin waits since " (waits) ": " a href="/runs?state=pending" { "the queue" } " is behind" });
    }
    let failing = lately.filter(|lately| lately.took.attempts() >= ATTEMPTS_MIN).and_then(Stretch::failure_ratio);
    if let Some(ratio) = failing.filter(|ratio| *ratio > FAILURES_MAX) {
        bad.push(html! { (chart::percent(ratio)) " of the latest attempts failed: " a href="/runs?state=pending" { "runs that try again" } });
    }
    let holds = operator.store.holds();
    let alerts = operator.alerts.shown().book.alerts.iter().filter(|alert| alert.resolved.is_none()).count() as u64;
    if alerts > 0 {
        notes.push(html! { a href="/alerts" { (parts::number(alerts)) " alerts" } " fire" });
    }
    if counts.dead > 0 {
        notes.push(html! { a href="/runs?state=dead" { (parts::number(counts.dead)) " dead letters" } " wait for an operator" });
    }
    if counts.unrouted > 0 {
        notes.push(html! { a href="/events?unrouted=true" { (parts::number(counts.unrouted)) " events" } " reached no handler" });
    }
    for row in catalogue.plugins().filter(|row| row.refused.is_some()) {
        notes.push(html! { "the latest file of " a href={ "/plugins/" (row.name) } { (row.name) } " was refused" });
    }
    if !holds.0.is_empty() {
        notes.push(html! { a href="/system" { (holds.0.len()) " targets are held" } ": their runs wait" });
    }
    let attention: u64 = schedules.attention.iter().sum();
    if attention > 0 {
        notes.push(html! { a href="/schedules" { (parts::number(attention)) " schedules" } " want a look" });
    }
    (bad, notes)
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
