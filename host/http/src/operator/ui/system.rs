//! `GET /system`: the host itself.

use axum::extract::State;
use hookbox_core::config::{Config, StoreLocation};
use hookbox_core::hold::Held;
use hookbox_core::time::Millis;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{chart, parts};
use crate::disk::Disk;
use crate::operator::access::may;
use crate::operator::{Api, Operator};

pub(super) async fn show(State(operator): Api) -> Page {
    let (counts, standing) = (operator.store.counts(), operator.standing());
    let disk = Disk::of(&operator.data);
    Frame::new(At::System, "System").page(html! {
        h1 { "System " (parts::state(standing.status)) }
        @if let Some(reason) = &standing.reason { p { (reason) } }
        dl {
            dt { "Release" } dd { (env!("CARGO_PKG_VERSION")) " for " (std::env::consts::OS) " on " (std::env::consts::ARCH) }
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
        }
        h2 { "Held" }
        (held(&operator))
        h2 { "Limits" }
        (limits(&operator.config.load()))
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

/// What hooks.yaml says, or leaves to the defaults. There is no secret in any of it.
fn limits(config: &Config) -> Markup {
    let Config { server, engine, retention: keep, alerts, rollback, .. } = config;
    let StoreLocation::Sled(store) = &config.store;
    let kept = |span: Millis, most: u64| format!("{span}, {} at most", parts::number(most));
    let proxies = server.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let rows: [(&str, &str, String); 17] = [
        ("server.listen", "Webhooks come to", server.listen.to_string()),
        ("server.limits.body", "Longest body", parts::bytes(server.body_bytes_max)),
        ("server.limits.bodies", "All bodies together", parts::bytes(server.bodies_bytes_max)),
        ("server.limits.connections", "Connections", parts::number(u64::from(server.connections_max))),
        ("server.limits.in_flight", "Webhooks at one time", parts::number(u64::from(server.in_flight_max))),
        ("server.limits.queue", "Runs that may wait", parts::number(server.queue_max)),
        ("server.limits.per_source", "From one address", server.per_source.to_string()),
        ("server.trusted_proxies", "Believed proxies", if proxies.is_empty() { "none".to_owned() } else { proxies }),
        ("store", "Store", store.display().to_string()),
        ("engine.slots", "Attempts at one time", engine.slots.to_string()),
        ("keep.succeeded", "Runs that succeeded are kept", kept(keep.succeeded_for, keep.succeeded_max)),
        ("keep.dead", "Dead letters", kept(keep.dead_for, keep.dead_max)),
        ("keep.cancelled", "Cancelled runs", kept(keep.cancelled_for, keep.cancelled_max)),
        ("keep.events", "Events without a handler", keep.events_for.to_string()),
        ("keep.audit", "The audit log", kept(keep.audit_for, keep.audit_max)),
        ("alerts.channels", "Alerts go to", parts::number(alerts.channels.len() as u64) + " channels"),
        ("rollback", "New versions", if rollback.is_some() { "are on trial" } else { "are not on trial" }.to_owned()),
    ];
    html! {
        p.dim { "As they count now, by hooks.yaml and its defaults. Those of the server, the engine and the store count from the next \
            start where they are changed, the others at once." }
        div.scroll tabindex="0" role="region" aria-label="Limits" {
            table {
                thead { tr { th scope="col" { "What" } th scope="col" { "Limit" } th scope="col" { "In hooks.yaml" } } }
                tbody {
                    @for (key, what, value) in &rows { tr { td { (what) } td { (value) } td { code { (key) } } } }
                }
            }
        }
    }
}
