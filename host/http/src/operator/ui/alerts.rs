//! `GET /alerts`: what is wrong, what was, and who is told.

use axum::extract::State;
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::parts;
use crate::operator::Api;
use crate::operator::access::may;
use crate::view::alert::{AlertView, AlertsView, ChannelView};

pub(super) async fn show(State(operator): Api) -> Page {
    let view = AlertsView::of(&operator.alerts.shown());
    let now = operator.clock.now();
    Frame::new(At::Alerts, "Alerts").page(html! {
        h1 { "Alerts" }
        @if view.firing.is_empty() {
            p { (parts::state("ok")) " Nothing is wrong." }
        } @else {
            (table("Firing", &view.firing, now))
        }
        h2 { "Channels" }
        @if view.channels.is_empty() {
            (parts::empty("Nobody is told. Name a channel below alerts.channels in hooks.yaml, then look what is missing:",
                Some("hookbox check")))
        } @else {
            (channels(&view.channels))
        }
        h2 { "History" }
        @if view.history.is_empty() { p.dim { "No alert has ended yet." } } @else { (table("History", &view.history, now)) }
    })
}

fn table(label: &str, alerts: &[AlertView], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                thead {
                    tr {
                        th scope="col" { "Rule" }
                        th scope="col" { "About" }
                        th scope="col" { "What" }
                        th scope="col" { "Since" }
                        th scope="col" { "Resolved" }
                    }
                }
                tbody {
                    @for alert in alerts {
                        tr {
                            td { (alert.rule) }
                            td { (alert.about) }
                            td.message { (alert.text) }
                            td { (parts::exact(&alert.since, now)) }
                            td { (parts::moment_or_none(alert.resolved.as_deref(), now)) }
                        }
                    }
                }
            }
        }
    }
}

fn channels(channels: &[ChannelView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Channels" {
            table {
                thead {
                    tr {
                        th scope="col" { "Channel" }
                        th scope="col" { "Kind" }
                        th.number scope="col" { "Delivered" }
                        th.number scope="col" { "Waiting" }
                        th.number scope="col" { "Given up" }
                        th scope="col" { "Last failure" }
                        th scope="col" { "Test" }
                    }
                }
                tbody {
                    @for channel in channels {
                        tr {
                            td { (channel.name) }
                            td { (channel.kind) }
                            td.number { (parts::number(channel.delivered)) }
                            td.number { (parts::number(channel.waiting as u64)) }
                            td.number { (parts::number(channel.lost)) }
                            td.message { (channel.failure.as_deref().unwrap_or("-")) }
                            td {
                                @if may("test alerts") { button.scripted type="button" data-send={ "/api/v1/alerts/channels/" (channel.name) "/test" }
                                    data-done="The test was delivered." aria-label={ "Send a test to " (channel.name) } { "Send a test" } }
                            }
                        }
                    }
                }
            }
        }
    }
}
