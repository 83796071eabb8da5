//! The operator's pages: what the API says, for people. Each is made on the server from the same views, reads without
//! a script, and is brought up to date by one small script when `/live` says that something has changed.

mod alerts;
mod assets;
mod audit;
mod chart;
mod events;
mod frame;
mod live;
mod new_schedule;
mod overview;
pub(super) mod parts;
mod plugins;
mod providers;
mod run;
mod runs;
mod schedules;
mod suppressed;
mod system;
mod tokens;

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};

use super::routing::Routes;
use crate::problem::Problem;
use frame::{At, Frame};

pub(super) use frame::Page;
pub(super) use runs::{Columns, SHOWN_BY};

/// Pages are at the paths that people would guess; what they change goes through the API.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/", get(overview::show))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(run::show))
        .route("/events", get(events::list))
        .route("/events/{id}", get(events::show))
        .route("/suppressed", get(suppressed::list))
        .route("/suppressed/{id}", get(suppressed::show))
        .route("/schedules", get(schedules::list))
        .route("/schedules/{name}", get(schedules::show))
        .route("/new-schedule", get(new_schedule::show))
        .route("/plugins", get(plugins::list))
        .route("/plugins/{name}", get(plugins::show))
        .route("/providers", get(providers::list))
        .route("/providers/{name}", get(providers::show))
        .route("/alerts", get(alerts::show))
        .route("/system", get(system::show))
        .route("/audit", get(audit::list))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{name}/revoke", post(tokens::revoke))
        .route("/sessions/{id}/end", post(tokens::end_session))
        .route("/live", get(live::stream).layer(axum::Extension(live::Places::default())))
        .route("/assets/{name}", get(assets::show))
}

/// A problem, as a page.
pub(super) struct Unshown(Problem);

impl<P: Into<Problem>> From<P> for Unshown {
    fn from(problem: P) -> Unshown {
        Unshown(problem.into())
    }
}

impl IntoResponse for Unshown {
    fn into_response(self) -> Response {
        let Unshown(problem) = self;
        let status = problem.status();
        let body = html! {
            h1 { (problem.title()) }
            @if let Some(detail) = problem.detail() { p { (detail) } }
            p { a href="/" { "Back to the overview" } }
        };
        let mut response = Frame::new(At::Nowhere, problem.title()).page(body).into_response();
        *response.status_mut() = status;
        response
    }
}

/// The query of a page, without what it does not know: a bookmark of another release must not fail.
pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0).unwrap_or_default()
}

pub(super) fn problem(problem: Problem) -> Unshown {
    Unshown(problem)
}

/// A page for strangers: it leads nowhere.
pub(super) fn bare(title: &str, body: Markup) -> Page {
    Frame::new(At::Outside, title).page(body)
}

/// As [`bare`], and the browser goes on by itself.
pub(super) fn onwards(title: &str, next: &str, body: Markup) -> Page {
    Frame::new(At::Outside, title).going_on_to(next).page(body)
}
