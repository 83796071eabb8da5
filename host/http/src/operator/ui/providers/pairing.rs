//! Of the page of all providers: those whose sender brings the secret, and the window in which one is waited for.

use hookbox_core::name::ProviderName;
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use crate::operator::Operator;
use crate::operator::access::may;
use crate::operator::ui::parts;
use crate::providers::Providers;
use crate::view::pairing::PairingView;

/// Nothing where no sender brings one.
pub(super) fn section(operator: &Operator, providers: &Providers, now: Timestamp) -> Markup {
    let monotonic = operator.clock.monotonic();
    let window = |name: &ProviderName| operator.pairing.look(name, monotonic).ok().map(PairingView::of);
    let all: Vec<_> = providers.pairables().map(|name| (name, window(name))).collect();
    if all.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Senders that bring their secret" }
        p.dim { "Such a sender puts its secret into its first webhook, which nothing vouches for. It is taken while a window is \
            open, and counts once somebody has compared it with what the sender shows." }
        @for (name, window) in &all {
            h3 { (name) }
            @match window {
                None => (closed(name)),
                Some(window) => (open(name, window, now)),
            }
        }
    }
}

fn closed(name: &ProviderName) -> Markup {
    html! {
        p { "No window is open." }
        @if may("open pairing") {
            div.actions.scripted {
                button type="button" data-send={ "/api/v1/providers/" (name) "/pairing" }
                    data-done="The window is open: let the sender send its first webhook." {
                    "Wait for the secret of " (name)
                }
            }
        }
    }
}

fn open(name: &ProviderName, window: &PairingView, now: Timestamp) -> Markup {
    let path = format!("/api/v1/providers/{name}/pairing");
    html! {
        dl {
            dt { "Opened" } dd { (parts::moment(&window.opened, now)) }
            dt { "Closes" } dd { (parts::moment(&window.closes, now)) }
            @match &window.caught {
                None => { dt { "Secret" } dd { "nothing has come yet" } },
                Some(caught) => {
                    dt { "Secret" } dd { "begins with " code { (caught.begins) } ", " (caught.bytes) " bytes" }
                    dt { "From" } dd { (caught.from.as_deref().unwrap_or("an address that is not known")) }
                },
            }
        }
        @if may("confirm pairing") {
            div.actions.scripted {
                @if window.caught.is_some() {
                    button type="button" data-send={ (path) "/confirm" } data-done="It is the secret from here on."
                        data-ask={ "Is it what the sender of " (name) " shows? Whoever sent it can send webhooks from here on." } {
                        "It is the one of " (name)
                    }
                }
                button.danger type="button" data-send={ (path) "/close" } data-done="The window is closed." { "Close the window" }
            }
        }
    }
}
