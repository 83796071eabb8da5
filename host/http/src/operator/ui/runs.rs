//! `GET /runs`: those that fit, newest first.

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::id::RunId;
use hookbox_core::run::RunStatus;
use hookbox_core::time::Timestamp;
use maud::{Markup, html};
use serde_json::json;

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::query::Query;
use crate::operator::{Api, filter};
use crate::view::run::RunView;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given: Vec<(String, String)> = super::query(&uri).into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let query = Query::of(given.clone());
    let page = operator.store.runs(query.page::<RunId>()?, filter::read(|name| query.text(name))?).await?;
    let views: Vec<RunView> = page.runs.iter().map(RunView::of).collect();
    let text = |name: &str| query.text(name).ok().flatten().unwrap_or_default();
    let dead = text("state") == RunStatus::Dead.code();
    let (at, title) = if dead { (At::Dead, "Dead letters") } else { (At::Runs, "Runs") };
    let next = page.next.map(|next| next.to_string());
    Ok(Frame::new(at, title).page(html! {
        h1 { (title) }
        (fields(&text))
        (bulk(&given, text("state")))
        @if views.is_empty() {
            @if given.iter().any(|(name, _)| name != "cursor") {
                (parts::empty("No run fits. Runs of webhooks and schedules are listed here as they come.", None))
            } @else {
                (parts::empty("No run yet. Send a webhook that is signed as its provider would:",
                    Some("hookbox send PROVIDER --type TYPE")))
            }
        } @else {
            (table(&views, operator.clock.now()))
        }
        (parts::further("/runs", &given, next.as_deref()))
    }))
}

fn fields<'a>(text: &impl Fn(&str) -> &'a str) -> Markup {
    let input = |name: &'static str, label: &str, hint: &str| {
        html! { label { (label) input type="search" name=(name) value=(text(name)) placeholder=(hint); } }
    };
    html! {
        form.filter method="get" action="/runs" role="search" {
            label {
                "State"
                select name="state" {
                    option value="" { "any" }
                    @for status in RunStatus::ALL {
                        option value=(status.code()) selected[text("state") == status.code()] { (status.code()) }
                    }
                }
            }
            (input("plugin", "Plugin", "any"))
            (input("handler", "Handler", "any"))
            (input("schedule", "Schedule", "any"))
            (input("error", "Text of the error", "any"))
            (input("since", "Made since", "2026-11-29T08:00:00Z"))
            (input("until", "Made before", ""))
            button type="submit" { "Filter" }
            a href="/runs" { "Clear" }
        }
    }
}

/// What can be done with all that fit, through the API, which counts them first.
fn bulk(given: &[(String, String)], state: &str) -> Markup {
    let filter: serde_json::Map<_, _> = given
        .iter()
        .filter(|(name, _)| filter::NAMES.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let ended = RunStatus::ALL.into_iter().any(|status| status.code() == state && status.is_terminal());
    let alive = RunStatus::ALL.into_iter().any(|status| status.code() == state && !status.is_terminal());
    let filter = json!(filter).to_string();
    html! {
        div.actions.scripted {
            @if ended {
                button type="button" data-bulk="/api/v1/runs/replay" data-filter=(filter) { "Replay all that fit" }
            }
            @if alive {
                button.danger type="button" data-bulk="/api/v1/runs/cancel" data-filter=(filter) { "Cancel all that fit" }
            }
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
