//! Of the page of a plugin: a job by hand for a handler that takes one, and holding back what runs.

use hookbox_core::hold::{Held, Holds};
use hookbox_core::name::{HandlerRef, PluginName};
use maud::{Markup, html};

use crate::operator::access::may;
use crate::view::plugin::{HandlerView, PluginView, TriggerView};

/// Whether its runs wait, and the button that changes it.
pub(super) fn hold(holds: &Holds, name: &PluginName) -> Markup {
    held(holds, &Held::Plugin(name.clone()), "The runs of all its handlers wait.")
}

/// As for the whole plugin, and a job where the handler takes none from events.
pub(super) fn handler(holds: &Holds, plugin: &PluginView, handler: &HandlerView) -> Markup {
    let target: Option<HandlerRef> = format!("{}/{}", plugin.name, handler.name).parse().ok();
    html! {
        @if let Some(target) = target {
            (held(holds, &Held::Handler(target), "Its runs wait."))
        }
        @if !matches!(handler.trigger, TriggerView::Events { .. }) && may("make job") { (job(plugin, handler)) }
    }
}

fn held(holds: &Holds, target: &Held, told: &str) -> Markup {
    let path = format!("/api/v1/holds/{target}");
    html! {
        @match holds.0.get(target) {
            Some(hold) => {
                p.dim { (told) @if let Some(note) = &hold.note { " " (note) } }
                @if may("release") {
                    button.scripted type="button" data-method="DELETE" data-send=(path) data-done="Its runs go on." {
                        "Release " (target)
                    }
                }
            },
            None => @if may("hold") {
                button.scripted type="button" data-method="PUT" data-send=(path) data-done="Its runs wait."
                    data-ask={ "The runs of " (target) " will wait until it is released. Go on?" } { "Hold " (target) }
            },
        }
    }
}

fn job(plugin: &PluginView, handler: &HandlerView) -> Markup {
    html! {
        details.edit.scripted id={ "job-" (handler.name) } {
            summary { "Run " (handler.name) " by hand" }
            form data-send={ "/api/v1/handlers/" (plugin.name) "/" (handler.name) "/run" } data-goto="/runs/" {
                input type="hidden" name="content_type" value="application/json";
                label { "Payload, in JSON; none where it is left empty" textarea name="text" spellcheck="false" {} }
                label { "Not before, such as 5m" input name="delay" autocomplete="off"; }
                button type="submit" { "Run it" }
            }
        }
    }
}
