//! `GET /system`: the host itself.

use axum::extract::State;
use maud::html;

use super::frame::{At, Frame, Page};
use super::{chart, parts};
use crate::disk::Disk;
use crate::operator::Api;

pub(super) async fn show(State(operator): Api) -> Page {
    let (counts, standing) = (operator.store.counts(), operator.standing());
    let disk = Disk::of(&operator.data);
    let holds = operator.store.holds();
    Frame::new(At::System, "System").page(html! {
        h1 { "System " (parts::state(standing.status)) }
        @if let Some(reason) = &standing.reason { p { (reason) } }
        dl {
            dt { "Release" } dd { (env!("CARGO_PKG_VERSION")) }
            dt { "Scheduler" }
            dd { @match operator.pass_age() {
                Some(age) => { "looked " (chart::span(age.0 as f64)) " ago" }
                None => { "has not begun" }
            } }
            @if let Some(disk) = &disk {
                dt { "Disk of the store" }
                dd { (parts::bytes(disk.free_bytes)) " free of " (parts::bytes(disk.size_bytes)) " (" (chart::percent(disk.free_percent() / 100.0)) ")" }
            }
            dt { "Queue" } dd { (parts::number(counts.pending)) " of at most " (parts::number(operator.queue_max)) " runs wait" }
            dt { "Attempts" } dd { (parts::number(counts.attempts)) }
            dt { "Runs pruned" } dd { (parts::number(counts.runs_pruned)) }
            dt { "Longest body" } dd { (parts::bytes(operator.body_bytes_max as u64)) }
        }
        h2 { "Held" }
        @if holds.0.is_empty() { p.dim { "Nothing is held." } }
        ul { @for target in holds.0.keys() { li { code { (target) } } } }
        h2 { "For machines" }
        ul {
            li { a href="/api/v1/health" { "Health" } }
            li { a href="/metrics" { "Metrics for Prometheus" } }
        }
    })
}
