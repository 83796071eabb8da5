//! `GET /runs`: those that fit, newest first.

mod fields;

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::RunId;
use hookbox_core::run::RunStatus;
use hookbox_core::time::Timestamp;
use hookbox_store::Counts;
use hookbox_store::types::{RunFilter, RunPage, Search};
use maud::{Markup, html};
use serde_json::json;

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::access::may;
use crate::operator::query::Query;
use crate::operator::{Api, Operator, filter, found};
use crate::view::run::RunView;

/// Asks for the number of all that fit, which takes a while.
const COUNT: &str = "count";

/// What the address says, without what is empty.
struct Given(Vec<(String, String)>);

impl Given {
    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// Those that say which runs are meant.
    fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| filter::NAMES.contains(name))
    }

    fn query(&self) -> String {
        parts::encoded(&self.filters().collect::<Vec<_>>())
    }

    /// The same runs, and this.
    fn and(&self, name: &str, value: &str) -> String {
        let mut pairs: Vec<_> = self.filters().filter(|(other, _)| *other != name).collect();
        pairs.push((name, value));
        format!("/runs?{}", parts::encoded(&pairs))
    }
}

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given = Given(super::query(&uri).into_iter().filter(|(_, value)| !value.is_empty()).collect());
    let query = Query::of(given.0.clone());
    let (filter, asked) = (filter::read(|name| query.text(name))?, query.page::<RunId>()?);
    let page = found::runs(&operator, asked, &filter).await?;
    let views: Vec<RunView> = page.runs.iter().map(RunView::of).collect();
    let searches = operator.store.searches().await?;
    let total = total(&operator, &given, &filter).await?;
    let dead = given.filters().eq([("state", RunStatus::Dead.code())]);
    let (at, title) = if dead { (At::Dead, "Dead letters") } else { (At::Runs, "Runs") };
    let now = operator.clock.now();
    Ok(Frame::new(at, title).page(html! {
        h1 { (title) }
        (kept(&searches, &given))
        (fields::form(&operator, &given, now))
        p.total { (total) }
        (bulk(&given))
        @if !views.is_empty() {
            (table(&views, now))
        } @else if page.next.is_some() {
            (parts::empty("No run fits among those that were looked through.", None))
        } @else if given.0.iter().any(|(name, _)| name != "cursor") {
            (parts::empty("No run fits. Runs of webhooks and schedules are listed here as they come.", None))
        } @else {
            (parts::empty("No run yet. Send a webhook that is signed as its provider would:",
                Some("hookbox send PROVIDER --type TYPE")))
        }
        (further(&given, &page, asked.limit, now))
    }))
}

/// How many there are, as far as that is known without looking through them.
async fn total(operator: &Operator, given: &Given, filter: &RunFilter) -> Result<Markup, Unshown> {
    let counts = operator.store.counts();
    let only = |names: &[&str]| given.filters().all(|(name, _)| names.contains(&name));
    if only(&[]) {
        let each = RunStatus::ALL.map(|status| (status, of(&counts, status)));
        return Ok(html! {
            b { (parts::number(each.iter().map(|(_, runs)| runs).sum())) } " runs: "
            @for (at, (status, runs)) in each.iter().enumerate() {
                @if at > 0 { ", " }
                a href={ "/runs?state=" (status.code()) } { (parts::number(*runs)) " " (status.code()) }
            }
        });
    }
    if let (true, Some(status)) = (only(&["state"]), filter.status) {
        return Ok(html! { b { (parts::number(of(&counts, status))) } " runs" });
    }
    if given.text(COUNT).is_empty() {
        return Ok(html! { a href=(given.and(COUNT, "true")) { "Count all that fit" } });
    }
    let counted = found::count(operator, filter).await?;
    Ok(match counted.next {
        None => html! { b { (parts::number(counted.runs)) } " runs fit" },
        Some(next) => html! {
            "At least " b { (parts::number(counted.runs)) } " runs fit: so many were made since "
            (next.time().show_seconds()) ", and older ones were not counted"
        },
    })
}

fn of(counts: &Counts, status: RunStatus) -> u64 {
    match status {
        RunStatus::Pending => counts.pending,
        RunStatus::Leased => counts.leased,
        RunStatus::Succeeded => counts.succeeded,
        RunStatus::Dead => counts.dead,
        RunStatus::Cancelled => counts.cancelled,
    }
}

/// Searches that are kept, and keeping this one.
fn kept(searches: &[Search], given: &Given) -> Markup {
    html! {
        @if !searches.is_empty() {
            nav.searches aria-label="Kept searches" {
                @for search in searches {
                    span.search {
                        a href={ "/runs?" (search.query) } { (search.name) }
                        @if may("drop search") {
                            button.scripted type="button" data-method="DELETE"
                                data-send={ "/api/v1/searches/" (parts::escaped(&search.name)) }
                                data-ask={ "Drop the search " (search.name) "?" } data-done="It is dropped."
                                aria-label={ "Drop the search " (search.name) } { "\u{d7}" }
                        }
                    }
                }
            }
        }
        @if given.filters().next().is_some() && may("keep search") {
            details.edit.scripted #keep {
                summary { "Keep this search" }
                form.filter data-keep=(given.query()) {
                    label { "Name" input name="name" required maxlength="64" placeholder="failed payments" autocomplete="off"; }
                    button type="submit" { "Keep" }
                }
            }
        }
    }
}

/// What can be done with all that fit, through the API, which counts them first.
fn bulk(given: &Given) -> Markup {
    let state = given.text("state");
    let filter: serde_json::Map<_, _> = given.filters().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let is = |terminal: bool| {
        RunStatus::ALL.into_iter().any(|status| status.code() == state && status.is_terminal() == terminal)
    };
    let filter = json!(filter).to_string();
    html! {
        div.actions.scripted {
            @if is(true) && may("replay runs") {
                button type="button" data-bulk="/api/v1/runs/replay" data-filter=(filter) { "Replay all that fit" }
            }
            @if is(false) && may("cancel runs") {
                button.danger type="button" data-bulk="/api/v1/runs/cancel" data-filter=(filter) { "Cancel all that fit" }
            }
        }
    }
}

/// Where this page is not the last; and where it gave up, that it did.
fn further(given: &Given, page: &RunPage, limit: usize, now: Timestamp) -> Markup {
    let Some(next) = page.next else { return html! {} };
    let path = given.and("cursor", &next.to_string());
    html! {
        @if page.runs.len() < limit {
            p.further {
                "The time for one page is over: runs were looked through back to "
                (parts::moment(&next.time().to_string(), now)) ". "
                a href=(path) rel="next" { "Search further" }
            }
        } @else {
            p.further { a href=(path) rel="next" { "Older" } }
        }
    }
}

pub(super) fn table(runs: &[RunView], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table {
                thead {
                    tr {
                        th scope="col" { "Run" }
                        th scope="col" { "Handler" }
                        th scope="col" { "State" }
                        th scope="col" { "Made" }
                        th scope="col" { "Ended or due" }
                        th.number scope="col" { "Attempts" }
                        th scope="col" { "Last message" }
                    }
                }
                tbody {
                    @for run in runs {
                        tr {
                            td { (parts::id("/runs", &run.id)) }
                            td { (run.plugin) "/" (run.handler) }
                            td { (parts::state(run.state)) @if let Some(cause) = run.cause { " " span.dim { (cause) } } }
                            td { (parts::moment(&run.created, now)) }
                            td { (parts::moment_or_none(run.finished.as_deref().or(run.due.as_deref()), now)) }
                            td.number { (run.attempts_begun) }
                            td.message { (run.last_message.as_deref().unwrap_or_default()) }
                        }
                    }
                }
            }
        }
    }
}
