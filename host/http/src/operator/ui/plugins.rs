//! `GET /plugins` and `GET /plugins/NAME`.

mod cost;
mod reach;
mod steer;
mod upload;

use axum::extract::State;
use hookbox_core::hold::Holds;
use hookbox_core::name::PluginName;
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::Api;
use crate::operator::access::may;
use crate::operator::plugins::row;
use crate::operator::query::Named;
use crate::view::grants::GrantsView;
use crate::view::plugin::{HandlerCostView, PluginDetailView, PluginView, TriggerView};
use crate::view::reach::DenialView;
use cost::cost;
use reach::imports;
use upload::upload;

pub(super) async fn list(State(operator): Api) -> Page {
    let catalogue = operator.store.catalogue();
    let views: Vec<PluginView> = catalogue.plugins().map(PluginView::of).collect();
    let now = operator.clock.now();
    Frame::new(At::Plugins, "Plugins").page(html! {
        h1 { "Plugins" }
        @if views.is_empty() {
            (parts::empty("No plugin yet. Make one, and put what it builds in plugins/:",
                Some("hookbox new my-plugin\nhookbox build my-plugin")))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Plugins" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Plugin" }
                            th scope="col" { "State" }
                            th scope="col" { "Version" }
                            th scope="col" { "Since" }
                            th scope="col" { "Handlers" }
                        }
                    }
                    tbody {
                        @for plugin in &views {
                            tr {
                                td { a href={ "/plugins/" (plugin.name) } { (plugin.name) } }
                                td {
                                    (parts::state(plugin.state))
                                    @if plugin.on_trial { " " (parts::state("on trial")) }
                                    @if plugin.state == "active" && plugin.refused.is_some() { " " (parts::state("newer file refused")) }
                                }
                                td { (plugin.version.as_deref().unwrap_or("-")) }
                                td { (parts::moment_or_none(plugin.since.as_deref(), now)) }
                                td.message {
                                    @for (at, handler) in plugin.handlers.iter().enumerate() { @if at > 0 { ", " } (handler.name) }
                                }
                            }
                        }
                    }
                }
            }
        }
        (upload(None))
    })
}

pub(super) async fn show(State(operator): Api, Named(name): Named<PluginName>) -> Result<Page, Unshown> {
    let row = row(&operator, &name)?;
    let denied = operator.store.denials(&name).await?;
    let grants = GrantsView::of(&operator.settings.load().of(&name));
    let view = PluginDetailView::of(&row, grants, &denied, HandlerCostView::all(&operator.spending, &name));
    let (plugin, now) = (&view.plugin, operator.clock.now());
    let title = format!("Plugin {}", plugin.name);
    Ok(Frame::new(At::Plugins, &title).page(html! {
        h1 { (title) " " (parts::state(plugin.state)) }
        @if let Some(description) = &plugin.description { p { (description) } }
        dl {
            @if let Some(version) = &plugin.version { dt { "Version" } dd { (version) } }
            @if let Some(digest) = &plugin.digest { dt { "Digest" } dd { code { (digest) } } }
            @if let Some(since) = &plugin.since { dt { "Serves since" } dd { (parts::exact(since, now)) } }
            @if let Some(trust) = &plugin.trust {
                dt { "Trusted" }
                dd {
                    @if trust.pinned { "pinned in hooks.yaml " }
                    @if let Some(key) = &trust.key { "signed by " code { (key) } }
                    @if let Some(comment) = &trust.comment { ": " (comment) }
                    @if !trust.pinned && trust.key.is_none() { "unsigned, which hooks.yaml allows" }
                }
            }
            @if plugin.trial_failed { dt { "Trial" } dd { "failed, and no earlier version could serve" } }
            @if plugin.on_trial { dt { "On trial" } dd { "its first attempts are counted" } }
            @if let Some(missing) = &plugin.missing_since { dt { "Missing since" } dd { (parts::exact(missing, now)) } }
            @if let Some(refused) = &plugin.refused {
                dt { "Refused" }
                dd { (parts::exact(&refused.at, now)) ": " (refused.reason) " (" code { (refused.code) } ")" }
            }
        }
        (steer::hold(&operator.store.holds(), &name))
        h2 { "Handlers" }
        (handlers(&operator.store.holds(), plugin))
        h2 { "Grants" }
        (granted(&view.grants))
        h2 { "Imports" }
        (imports(&plugin.imports, &view.grants))
        h2 { "Cost" }
        (cost(&view.cost))
        h2 { "Denied" }
        (denials(&view.denied, now))
        h2 { "Versions" }
        (versions(plugin, now))
        (upload(Some(&plugin.name)))
    }))
}

fn handlers(holds: &Holds, plugin: &PluginView) -> Markup {
    html! {
        @if plugin.handlers.is_empty() { p.dim { "None." } }
        dl {
            @for handler in &plugin.handlers {
                dt { a href={ "/runs?plugin=" (plugin.name) "&handler=" (handler.name) } { (handler.name) } }
                dd {
                    @match &handler.trigger {
                        TriggerView::Events { patterns } => {
                            "on " @for (at, pattern) in patterns.iter().enumerate() { @if at > 0 { ", " } code { (pattern) } }
                        },
                        TriggerView::Schedule { schedule, when } => {
                            "by " a href={ "/schedules/" (schedule) } { (schedule) } ": " (when)
                        },
                        TriggerView::Manual => "by operators and other plugins",
                    }
                    @if let Some(filter) = &handler.filter { ", where " code { (filter) } }
                    @if let Some(description) = &handler.description { span.dim { ". " (description) } }
                    (steer::handler(holds, plugin, handler))
                }
            }
        }
    }
}

fn granted(grants: &GrantsView) -> Markup {
    let list = |name: &str, items: &[String]| {
        html! {
            dt { (name) }
            dd { @if items.is_empty() { span.none { "none" } } @else { code { (items.join(", ")) } } }
        }
    };
    let http: Vec<String> = grants.http.iter().map(|grant| grant.to.clone()).collect();
    html! {
        dl {
            (list("HTTP to", &http))
            (list("Networks", &grants.networks))
            (list("Secrets", &grants.secrets))
            (list("Events", &grants.emit))
            (list("Jobs of", &grants.enqueue))
            (list("Config", &grants.config))
            dt { "Keys and values" } dd { (parts::bytes(grants.kv_bytes)) }
        }
    }
}

fn denials(denied: &[DenialView], now: Timestamp) -> Markup {
    if denied.is_empty() {
        return html! { p.dim { "It tried nothing that it may not do." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Denied" {
            table {
                thead {
                    tr {
                        th scope="col" { "What" }
                        th scope="col" { "Why, and the cure" }
                        th.number scope="col" { "Attempts" }
                        th scope="col" { "Last" }
                    }
                }
                tbody {
                    @for denial in denied {
                        tr {
                            td { (denial.denied.kind) " " code { (denial.denied.what) } }
                            td.message { (denial.denied.reason) }
                            td.number { (parts::number(denial.attempts)) }
                            td { (parts::moment(&denial.last, now)) " " a href={ "/runs/" (denial.run) } { "run" } }
                        }
                    }
                }
            }
        }
    }
}

fn versions(plugin: &PluginView, now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Versions" {
            table {
                thead {
                    tr {
                        th scope="col" { "Digest" }
                        th scope="col" { "Version" }
                        th scope="col" { "Since" }
                        th scope="col" { "Until" }
                        th scope="col" { "Roll back" }
                    }
                }
                tbody {
                    @for past in &plugin.history {
                        tr {
                            td { a href={ "/runs?version=" (past.digest) } { code { (past.digest) } } }
                            td { (past.version.as_deref().unwrap_or("-")) }
                            td { (parts::moment(&past.since, now)) }
                            td {
                                (parts::moment_or_none(past.ended.as_deref(), now))
                                @if let Some(how) = past.how { " " span.dim { (how) } }
                            }
                            td {
                                @if may("roll back plugin") && past.ended.is_some() && Some(&past.digest) != plugin.digest.as_ref() {
                                    button.scripted type="button"
                                        data-send={ "/api/v1/plugins/" (plugin.name) "/rollback" }
                                        data-body=(serde_json::json!({ "version": past.digest }))
                                        data-ask={ "Serve " (past.digest) " again?" }
                                        data-done="It serves again." { "Roll back to it" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
