//! `/login` and `/logout`: a browser shows a token once and has a session from then on.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hookbox_core::access::{Holder, Role, SecretHash, Session};
use hookbox_store::types::AccessChange;
use maud::{Markup, html};

use super::audit::Deed;
use super::caller::{By, Caller, caller};
use super::{At, cookie};
use crate::operator::ui::{self, parts};
use crate::operator::{Api, BODY_BYTES_MAX, BODY_READ_TIMEOUT, Operator, bytes_of};
use crate::problem::Problem;

/// Of a path to go on to.
const NEXT_BYTES_MAX: usize = 2048;

/// Where to log in, and go on from there.
pub(super) fn path_for(uri: &Uri) -> String {
    let wanted = uri.path_and_query().map_or("/", |path| path.as_str());
    match local(wanted) {
        "/" => "/login".to_owned(),
        next => format!("/login?{}", parts::encoded(&[("next", next)])),
    }
}

/// A path of this host, and never the address of another one.
pub(super) fn local(next: &str) -> &str {
    let is_local = next.len() <= NEXT_BYTES_MAX
        && next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_local { next } else { "/" }
}

pub(in crate::operator) async fn show(State(operator): Api, uri: Uri) -> Response {
    let pairs = ui::query(&uri);
    let next = pairs.iter().find(|(name, _)| name == "next").map_or("/", |(_, next)| local(next));
    page(&operator, next, None).into_response()
}

pub(super) fn page(operator: &Operator, next: &str, wrong: Option<&Problem>) -> ui::Page {
    let provider = operator.access.oidc().map(|oidc| oidc.shown().to_owned());
    ui::bare(
        "Log in",
        html! {
            h1 { "Log in" }
            @if let Some(problem) = wrong { (told(problem)) }
            @if let Some(provider) = provider {
                p { a href={ "/login/oidc?" (parts::encoded(&[("next", next)])) } { "Log in by " (provider) } }
            }
            form.login method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label { "Token" input type="password" name="token" required autofocus autocomplete="current-password"; }
                button type="submit" { "Log in" }
            }
            p.dim {
                "A token is made by whoever runs this host, with "
                code { "hookbox tokens create NAME --role viewer" }
                "."
            }
        },
    )
}

fn told(problem: &Problem) -> Markup {
    html! { p.verdict.bad role="alert" { (problem.detail().unwrap_or(problem.title())) } }
}

pub(in crate::operator) async fn log_in(State(operator): Api, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let form = match form(body).await {
        Ok(form) => form,
        Err(problem) => return problem.into_response(),
    };
    let text = |wanted: &str| form.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str());
    let next = local(text("next"));
    let address = operator.access.address(&head);
    let deed = Deed { what: "log in", object: String::new(), address };
    let at = At { now: operator.clock.now(), monotonic: operator.clock.monotonic() };
    let shown = text("token").trim();
    let known = operator.access.by_token(shown.as_bytes(), address, &operator.store.access(), at).and_then(sees_pages);
    let begun = match &known {
        Ok(caller) => begin(&operator, caller, &deed).await,
        Err(problem) => {
            operator.refused(None, &deed, problem.code()).await;
            Err(problem.clone())
        }
    };
    match begun {
        Ok(id) => {
            let cookie = cookie::set(&id, operator.access.names.spoken(&head.headers, operator.access.over));
            (StatusCode::SEE_OTHER, [(LOCATION, next.to_owned()), (SET_COOKIE, cookie)]).into_response()
        }
        Err(problem) => {
            let reason = problem.code();
            tracing::info!(reason, %address, "nobody was logged in from {address}: {reason}");
            (problem.status(), page(&operator, next, Some(&problem))).into_response()
        }
    }
}

fn sees_pages(caller: Caller) -> Result<Caller, Problem> {
    match caller.role {
        Role::Metrics => {
            Err(Problem::forbidden().because("this token is for machines: it reads /metrics and the health alone"))
        }
        _ => Ok(caller),
    }
}

async fn begin(operator: &Operator, caller: &Caller, deed: &Deed<'_>) -> Result<String, Problem> {
    let holder = operator.access.holder(caller).ok_or_else(Problem::token_wanted)?;
    session(operator, caller, holder, deed).await
}

/// The id of a new session.
pub(super) async fn session(
    operator: &Operator,
    caller: &Caller,
    holder: Holder,
    deed: &Deed<'_>,
) -> Result<String, Problem> {
    let id = operator.access.secret()?;
    let (hash, now) = (SecretHash::of(id.as_bytes()), operator.clock.now());
    let number = operator.begin(Some(caller), deed).await?;
    let session = Session { hash, holder, created: now, used: now };
    let made = operator.store.change_access(AccessChange::NewSession(session)).await.map_err(Problem::from);
    operator.end(number, made.as_ref().err().map_or("done", Problem::code), "").await;
    made.map(|_| id)
}

pub(in crate::operator) async fn log_out(State(operator): Api, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(problem) = form(body).await {
        return problem.into_response();
    }
    if let Some(caller) = caller()
        && let By::Session(hash) = caller.by
        && let Err(problem) = end(&operator, &caller, hash, operator.access.address(&head)).await
    {
        return problem.into_response();
    }
    let cookie = cookie::cleared(operator.access.names.spoken(&head.headers, operator.access.over));
    (StatusCode::SEE_OTHER, [(LOCATION, "/login".to_owned()), (SET_COOKIE, cookie)]).into_response()
}

async fn end(operator: &Operator, caller: &Caller, hash: SecretHash, address: std::net::IpAddr) -> Result<(), Problem> {
    let number = operator.begin(Some(caller), &Deed { what: "log out", object: String::new(), address }).await?;
    let ended = operator.store.change_access(AccessChange::EndSession(hash)).await.map_err(Problem::from);
    operator.end(number, ended.as_ref().err().map_or("done", Problem::code), "").await;
    ended.map(|_| ())
}

/// The fields of a form.
pub(in crate::operator) async fn form(body: Body) -> Result<Vec<(String, String)>, Problem> {
    let bytes = bytes_of(body, BODY_BYTES_MAX, BODY_READ_TIMEOUT).await?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_who_logs_in_goes_on_within_this_host() {
        for (next, path) in [
            ("/runs?state=dead", "/runs?state=dead"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a b", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(next), path, "{next:?}");
        }
        assert_eq!(path_for(&Uri::from_static("/runs?state=dead")), "/login?next=%2Fruns%3Fstate%3Ddead");
        assert_eq!(path_for(&Uri::from_static("/")), "/login");
    }
}
