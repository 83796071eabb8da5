//! `GET /runs`: those that fit, in an order that can be chosen.

mod columns;
mod fields;

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::run::RunStatus;
use hookbox_core::time::Timestamp;
use hookbox_store::Counts;
use hookbox_store::types::{RunFilter, Search};
use maud::{Markup, html};
use serde_json::json;

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::access::may;
use crate::operator::etag;
use crate::operator::query::Query;
use crate::operator::sort::{self, Among, Cursor, Sort, Sorted};
use crate::operator::{Api, Operator, filter, found};
use columns::Rows;

pub(in crate::operator) use columns::Columns;
pub(super) use columns::plain_table as table;

/// Asks for the number of all that fit, which takes a while.
const COUNT: &str = "count";
/// How runs are shown, not which.
pub(in crate::operator) const SHOWN_BY: [&str; 2] = ["sort", "columns"];

/// What the address says, without what is empty.
struct Given(Vec<(String, String)>);

impl Given {
    fn text(&self, name: &str) -> &str {
        self.texts(name).next().unwrap_or_default()
    }

    /// Each time that it is given.
    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Those that say which runs are meant.
    fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| filter::NAMES.contains(name))
    }

    /// And those that say how they are shown.
    fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| filter::NAMES.contains(name) || SHOWN_BY.contains(name))
    }

    fn query(&self) -> String {
        parts::encoded(&self.kept().collect::<Vec<_>>())
    }

    /// The same runs, and this.
    fn and(&self, name: &str, value: &str) -> String {
        let mut pairs: Vec<_> = self.kept().filter(|(other, _)| *other != name).collect();
        pairs.push((name, value));
        format!("/runs?{}", parts::encoded(&pairs))
    }
}

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given = Given(super::query(&uri).into_iter().filter(|(_, value)| !value.is_empty()).collect());
    let query = Query::of(given.0.clone());
    let (filter, asked) = (filter::read(|name| query.texts(name))?, query.page::<Cursor>()?);
    let order = query.parsed::<Sort>("sort")?.unwrap_or_default();
    let limit = asked.limit;
    let Sorted { runs, next, among } = sort::runs(&operator, asked, filter.clone(), order).await?;
    let columns = Columns::of(given.texts("columns"));
    let rows = Rows::of(&operator, &runs, &columns).await?;
    let searches = operator.store.searches().await?;
    let total = total(&operator, &given, &filter).await?;
    let dead = given.filters().eq([("state", RunStatus::Dead.code())]);
    let (at, title) = if dead { (At::Dead, "Dead letters") } else { (At::Runs, "Runs") };
    let now = operator.clock.now();
    Ok(Frame::new(at, title).page(html! {
        h1 { (title) }
        (kept(&searches, &given))
        (fields::form(&operator, &given, now))
        (columns::form(&columns, &given))
        p.total { (total) }
        @if let Some(among) = among { (in_order(among, order, &given, now)) }
        (bulk(&given, &filter))
        @if !rows.is_empty() {
            (columns::sortable_table(&rows, &columns, &given, order, now))
        } @else if next.is_some() {
            (parts::empty("No run fits among those that were looked through: search further, or by", Some("hookbox runs list")))
        } @else if given.0.iter().any(|(name, _)| name != "cursor") {
            (parts::empty("No run fits. Those of webhooks and schedules are listed here as they come, and by", Some("hookbox runs list --follow")))
        } @else {
            (parts::empty("No run yet. Send a webhook that is signed as its provider would:",
                Some("hookbox send PROVIDER --type TYPE")))
        }
        (further(&given, next.as_ref(), runs.len() < limit, order, now))
    }))
}

/// Of what the order is: what was not looked at is not in it.
fn in_order(among: Among, order: Sort, given: &Given, now: Timestamp) -> Markup {
    html! {
        p.dim {
            "Sorted by " (order.by.code()) ": "
            @match among.oldest {
                None => { "all " (parts::number(among.runs)) " runs that fit. " },
                Some(oldest) => {
                    "the newest " (parts::number(among.runs)) " runs that fit, made since "
                    (parts::moment(&oldest.time().to_string(), now)) "; older ones are not in this order. "
                },
            }
            a href=(given.and("sort", "-created")) { "Newest first" }
        }
    }
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
    if only(&["state"]) {
        let runs = RunStatus::ALL.into_iter().filter(|status| filter.status.contains(status));
        return Ok(html! { b { (parts::number(runs.map(|status| of(&counts, status)).sum())) } " runs" });
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
                        a href={ "/runs?" (search.query) } data-over=(etag::of_search(search)) { (search.name) }
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
        @if given.kept().next().is_some() && may("keep search") {
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
fn bulk(given: &Given, filter: &RunFilter) -> Markup {
    let mut body: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in given.filters() {
        body.entry(name).or_default().push(value);
    }
    if body.is_empty() {
        return html! {};
    }
    // Where no state is chosen, dead letters are replayed, and what is alive is cancelled.
    let (is_open, are) = (filter.status.is_empty(), |terminal: bool| {
        filter.status.iter().all(|status| status.is_terminal() == terminal)
    });
    let one_or_all = |values: Vec<&str>| if let [value] = values[..] { json!(value) } else { json!(values) };
    let body: BTreeMap<&str, _> = body.into_iter().map(|(name, values)| (name, one_or_all(values))).collect();
    let body = json!(body).to_string();
    html! {
        div.actions.scripted {
            @if are(true) && may("replay runs") {
                button type="button" data-bulk="/api/v1/runs/replay" data-filter=(body) {
                    @if is_open { "Replay the dead letters that fit" } @else { "Replay all that fit" }
                }
            }
            @if are(false) && may("cancel runs") {
                button.danger type="button" data-bulk="/api/v1/runs/cancel" data-filter=(body) {
                    @if is_open { "Cancel those that wait or run" } @else { "Cancel all that fit" }
                }
            }
        }
    }
}

/// Where this page is not the last; and where it gave up, that it did.
fn further(given: &Given, next: Option<&Cursor>, is_short: bool, order: Sort, now: Timestamp) -> Markup {
    let Some(next) = next else { return html! {} };
    let path = given.and("cursor", &next.to_string());
    html! {
        @if let Cursor::Created(id) = next && is_short {
            p.further {
                "The time for one page is over: runs were looked through "
                @if order.is_descending { "back to " } @else { "up to " }
                (parts::moment(&id.time().to_string(), now)) ". "
                a href=(path) rel="next" { "Search further" }
            }
        } @else {
            p.further { a href=(path) rel="next" { @if order == Sort::default() { "Older" } @else { "Next" } } }
        }
    }
}
