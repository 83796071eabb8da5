//! What stands around every page.

use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use hookbox_core::access::{Role, Via};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use crate::operator::access::{self, Caller};

/// Scripts, styles and pictures of this host alone, nothing inline, and no form that leads elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Elsewhere, and asked for only by who follows the link.
const DOCS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "#readme");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Overview,
    Runs,
    Dead,
    Events,
    Schedules,
    Plugins,
    Providers,
    Alerts,
    System,
    Audit,
    Tokens,
    Nowhere,
    /// Before the door.
    Outside,
}

const PLACES: [(At, &str, &str); 9] = [
    (At::Overview, "/", "Overview"),
    (At::Runs, "/runs", "Runs"),
    (At::Dead, "/runs?state=dead", "Dead letters"),
    (At::Events, "/events", "Events"),
    (At::Schedules, "/schedules", "Schedules"),
    (At::Plugins, "/plugins", "Plugins"),
    (At::Providers, "/providers", "Providers"),
    (At::Alerts, "/alerts", "Alerts"),
    (At::System, "/system", "System"),
];
/// For those who may look at them.
const ADMIN_PLACES: [(At, &str, &str); 2] = [(At::Audit, "/audit", "Audit"), (At::Tokens, "/tokens", "Tokens")];

pub(super) struct Frame<'a> {
    at: At,
    title: &'a str,
    next: Option<&'a str>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(at: At, title: &'a str) -> Frame<'a> {
        Frame { at, title, next: None }
    }

    /// A path of this host.
    pub(super) fn going_on_to(self, next: &'a str) -> Frame<'a> {
        Frame { next: Some(next), ..self }
    }

    pub(super) fn page(self, body: Markup) -> Page {
        let title = if self.at == At::Overview { "hookbox".to_owned() } else { format!("{} - hookbox", self.title) };
        let caller = access::caller();
        let is_admin = caller.as_ref().is_some_and(|caller| caller.role == Role::Admin);
        let places = PLACES.iter().chain(ADMIN_PLACES.iter().filter(|_| is_admin));
        Page(html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(next) = self.next { meta http-equiv="refresh" content={ "0;url=" (next) }; }
                    title { (title) }
                    link rel="icon" href=(assets::path("icon.svg")) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::path("style.css"));
                    script src=(assets::path("theme.js")) {}
                    @if self.at != At::Outside { script src=(assets::path("live.js")) defer {} }
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header {
                        a.brand href="/" { "hookbox" }
                        @if self.at != At::Outside {
                            nav aria-label="Pages" {
                                @for (place, path, name) in places {
                                    a href=(path) aria-current=[(*place == self.at).then_some("page")] { (name) }
                                }
                            }
                            span #live role="status" {}
                            @if let Some(caller) = caller { (who(&caller)) }
                        }
                    }
                    main #main tabindex="-1" { (body) }
                    (foot(self.at))
                    div #said role="alert" {}
                }
            }
        })
    }
}

/// Where to read on, and how it looks.
fn foot(at: At) -> Markup {
    html! {
        footer {
            span { "hookbox " (env!("CARGO_PKG_VERSION")) }
            @if at != At::Outside { a href="/api/v1/openapi.json" { "API" } }
            a href=(DOCS) rel="noreferrer" { "Documentation" }
            a href=(env!("CARGO_PKG_REPOSITORY")) rel="noreferrer" { "Source" }
            label.scripted {
                "Theme"
                select #theme autocomplete="off" {
                    option value="system" { "as the system" }
                    option value="light" { "light" }
                    option value="dark" { "dark" }
                }
            }
        }
    }
}

/// Who is here, and the way out.
fn who(caller: &Caller) -> Markup {
    html! {
        @if caller.via() != Via::Loopback { span.who { (caller.who) " (" (caller.role) ")" } }
        @if caller.via() == Via::Session {
            form method="post" action="/logout" { button type="submit" { "Log out" } }
        }
    }
}

pub(in crate::operator) struct Page(Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        ([(CONTENT_SECURITY_POLICY, POLICY)], Html(self.0.into_string())).into_response()
    }
}
