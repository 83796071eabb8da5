//! `GET /system`: the host itself.

use axum::extract::State;
use maud::html;

use super::frame::{At, Frame, Page};
use super::parts;
use crate::lifecycle::Phase;
use crate::operator::Api;

pub(super) async fn show(State(operator): Api) -> Page {
    let (counts, phase) = (operator.store.counts(), operator.lifecycle.phase());
    let failure = operator.store.failure();
    let state = match (&failure, phase) {
        (Some(_), _) => "degraded",
        (None, Phase::Starting) => "starting",
        (None, Phase::Serving) => "ok",
        (None, Phase::Draining) => "draining",
    };
    let holds = operator.store.holds();
    Frame::new(At::System, "System").page(html! {
        h1 { "System " (parts::state(state)) }
        @if let Some(reason) = &failure { p { (reason) } }
        dl {
            dt { "Release" } dd { (env!("CARGO_PKG_VERSION")) }
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
