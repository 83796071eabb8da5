//! `/tokens`: who may come in, and who is in. Forms work without a script; a token that was made is shown in the answer, and never again.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use hookbox_core::access::{Role, SessionId, TokenName};
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::query::Named;
use crate::operator::{Api, Operator, access, sessions, tokens};
use crate::problem::Problem;
use crate::view::access::{NewTokenView, SessionView, TokenView};

pub(super) async fn list(State(operator): Api) -> Page {
    page(&operator, None)
}

pub(super) async fn create(State(operator): Api, body: Body) -> Result<Response, Unshown> {
    let form = access::form(body).await?;
    let text = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str());
    let made = tokens::make(&operator, text("name").trim(), text("role"), Some(text("expires_in"))).await;
    let status = made.as_ref().err().map_or(StatusCode::OK, Problem::status);
    Ok((status, page(&operator, Some(made))).into_response())
}

pub(super) async fn revoke(
    State(operator): Api,
    Named(name): Named<TokenName>,
    body: Body,
) -> Result<Response, Unshown> {
    access::form(body).await?;
    tokens::end(&operator, &name).await?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/tokens")]).into_response())
}

pub(super) async fn end_session(
    State(operator): Api,
    Named(id): Named<SessionId>,
    body: Body,
) -> Result<Response, Unshown> {
    access::form(body).await?;
    sessions::end(&operator, id).await?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/tokens")]).into_response())
}

fn page(operator: &Operator, made: Option<Result<NewTokenView, Problem>>) -> Page {
    let (all, now) = (tokens::all(operator), operator.clock.now());
    let sessions: Vec<_> = sessions::all(operator).into_iter().map(|(_, session)| session).collect();
    Frame::new(At::Tokens, "Tokens").page(html! {
        h1 { "Tokens" }
        @match &made {
            Some(Ok(new)) => div.verdict.good role="status" data-once {
                "This is " (new.view.name) ", shown once. Keep it now:"
                pre { code #token { (new.token) } }
            },
            Some(Err(problem)) => p.verdict.bad role="alert" data-once { (problem.detail().unwrap_or(problem.title())) },
            None => {},
        }
        @if all.is_empty() {
            (parts::empty("No token yet. Make one here, or by", Some("hookbox tokens create NAME --role viewer")))
        } @else {
            (table(&all, now))
        }
        h2 { "Another" }
        form.filter method="post" action="/tokens" {
            label { "Name" input name="name" required maxlength="63" pattern="[a-z0-9][a-z0-9._\\-]*" autocomplete="off"; }
            label { "Role"
                select name="role" {
                    @for role in [Role::Viewer, Role::Operator, Role::Admin, Role::Metrics] { option value=(role) { (role) } }
                }
            }
            label { "Ends in" input name="expires_in" placeholder="90d, or never" autocomplete="off"; }
            button type="submit" { "Make it" }
        }
        h2 { "Logged in" }
        @if sessions.is_empty() {
            p.dim { "No browser is logged in. With a token, or by your identity provider, people log in at /login." }
        } @else {
            (logged_in(&sessions, now))
        }
    })
}

fn logged_in(sessions: &[SessionView], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Browsers that are logged in" {
            table {
                thead {
                    tr {
                        th scope="col" { "Who" }
                        th scope="col" { "Role" }
                        th scope="col" { "By" }
                        th scope="col" { "Since" }
                        th scope="col" { "Last used" }
                        th scope="col" { "Ends" }
                        th scope="col" { "Log out" }
                    }
                }
                tbody {
                    @for session in sessions {
                        tr {
                            td { (session.who) @if session.own { " " (parts::state("you")) } }
                            td { (session.role) }
                            td { (session.by) }
                            td { (parts::moment(&session.created, now)) }
                            td { (parts::moment(&session.used, now)) }
                            td { (parts::moment(&session.ends, now)) }
                            td {
                                form method="post" action={ "/sessions/" (session.id) "/end" } {
                                    button.danger type="submit" aria-label={ "Log out " (session.who) ", " (session.id) } { "Log out" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn table(all: &[TokenView], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Tokens" {
            table {
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Role" }
                        th scope="col" { "Made" }
                        th scope="col" { "Last used" }
                        th scope="col" { "Ends" }
                        th scope="col" { "Revoke" }
                    }
                }
                tbody {
                    @for token in all {
                        tr {
                            td { (token.name) @if token.expired { " " (parts::state("expired")) } }
                            td { (token.role) }
                            td { (parts::moment(&token.created, now)) " by " (token.by) }
                            td { (parts::moment_or_none(token.used.as_deref(), now)) }
                            td { (parts::moment_or_none(token.expires.as_deref(), now)) }
                            td {
                                form method="post" action={ "/tokens/" (token.name) "/revoke" } {
                                    button.danger type="submit" aria-label={ "Revoke " (token.name) } { "Revoke" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
