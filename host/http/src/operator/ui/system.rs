//! `GET /system`: the host itself.

use axum::extract::State;
use hookbox_core::hold::Held;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{chart, parts};
use crate::operator::access::may;
use crate::operator::{Api, Operator, system};
use crate::view::system::LimitView;

pub(super) async fn show(State(operator): Api) -> Page {
    let system = system::of(&operator);
    Frame::new(At::System, "System").page(html! {
        h1 { "System " (parts::state(system.status)) }
        @if let Some(reason) = &system.reason { p { (reason) } }
        dl {
            dt { "Release" } dd { (system.release) " for " (system.os) " on " (system.arch) }
            dt { "Scheduler" }
            dd { @match system.scheduler_pass_ms_ago {
                Some(age) => { "looked " (chart::span(age as f64)) " ago" }
                None => { "has not begun" }
            } }
            dt { "Store" } dd { (parts::bytes(system.store_bytes)) " in " code { (system.store) } }
            @if let (Some(free), Some(size)) = (system.disk_free_bytes, system.disk_size_bytes) {
                dt { "Disk of the store" }
                dd { (parts::bytes(free)) " free of " (parts::bytes(size)) " (" (chart::percent(free as f64 / size.max(1) as f64)) ")" }
            }
            @if let Some([one, five, fifteen]) = system.load_average {
                dt { "Load of the machine" }
                dd { (one) ", " (five) ", " (fifteen) " over 1, 5 and 15 minutes, with " (system.cpus) " processors" }
            }
            dt { "Queue" } dd { (parts::number(system.queue)) " of at most " (parts::number(system.queue_max)) " runs wait" }
            dt { "Attempts" } dd { (parts::number(system.attempts)) }
            dt { "Runs pruned" } dd { (parts::number(system.runs_pruned)) }
        }
        h2 { "Held" }
        (held(&operator))
        h2 { "Limits" }
        (limits(&system.limits))
        h2 { "For machines" }
        ul {
            li { a href="/api/v1/health" { "Health" } }
            li { a href="/metrics" { "Metrics for Prometheus" } }
            li { a href="/api/v1/openapi.json" { "The API, as OpenAPI" } }
        }
    })
}

/// Whose runs wait until they are released.
fn held(operator: &Operator) -> Markup {
    let (holds, now) = (operator.store.holds(), operator.clock.now());
    let is_whole = holds.0.contains_key(&Held::Host);
    html! {
        @if holds.0.is_empty() { p.dim { "Nothing is held." } }
        @else {
            div.scroll tabindex="0" role="region" aria-label="Held" {
                table {
                    thead { tr { th scope="col" { "Target" } th scope="col" { "Since" } th scope="col" { "Note" } th scope="col" { "" } } }
                    tbody {
                        @for (target, hold) in &holds.0 {
                            tr {
                                td { @if *target == Held::Host { "the whole host" } @else { code { (target) } } }
                                td { (parts::moment(&hold.since.to_string(), now)) }
                                td.message { (hold.note.as_deref().unwrap_or_default()) }
                                td {
                                    @if may("release") {
                                        button.scripted type="button" data-method="DELETE" data-send={ "/api/v1/holds/" (target) }
                                            data-done="Its runs go on." { "Release " (target) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if may("hold") && !is_whole {
            div.actions.scripted {
                button.danger type="button" data-method="PUT" data-send={ "/api/v1/holds/" (Held::Host) }
                    data-ask="Every run of every plugin will wait; webhooks are taken in as before. Go on?"
                    data-done="All runs wait." { "Hold the whole host" }
            }
        }
    }
}

fn limits(limits: &[LimitView]) -> Markup {
    html! {
        p.dim { "As they count now, by hooks.yaml, its defaults and the command line. Those of the server, the engine and the store count from the next \
            start where they are changed, the others at once." }
        div.scroll tabindex="0" role="region" aria-label="Limits" {
            table {
                thead { tr { th scope="col" { "What" } th scope="col" { "Limit" } th scope="col" { "In hooks.yaml" } } }
                tbody {
                    @for limit in limits { tr { td { (limit.what) } td { (limit.value) } td { code { (limit.option) } } } }
                }
            }
        }
    }
}
