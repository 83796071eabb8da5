//! `/login/oidc`, which leads to the provider, and `/login/callback`, which it leads back to.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hookbox_core::access::{AuditEntry, Holder, SecretHash};
use maud::html;
use tokio::sync::OwnedSemaphorePermit;

use super::super::audit::Deed;
use super::super::caller::{By, Caller};
use super::super::{At, cookie, login};
use super::{Begun, NoPerson, Oidc, Person};
use crate::operator::{Api, Operator, ui};
use crate::problem::Problem;
use crate::share;

fn moment(operator: &Operator) -> At {
    At { now: operator.clock.now(), monotonic: operator.clock.monotonic() }
}

fn parameter(uri: &Uri, wanted: &str) -> Option<String> {
    ui::query(uri).into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// Asks the provider on a thread that may wait, a few at a time.
async fn asked<T: Send + 'static>(
    oidc: &Arc<Oidc>,
    turn: OwnedSemaphorePermit,
    ask: impl FnOnce(&Oidc) -> Result<T, NoPerson> + Send + 'static,
) -> Result<T, NoPerson> {
    let oidc = Arc::clone(oidc);
    let asking = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        ask(&oidc)
    });
    asking.await.map_err(|_| NoPerson::Unreachable("the asking was cut off: try again".to_owned()))?
}

pub(in crate::operator) async fn begin(State(operator): Api, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let Some(oidc) = operator.access.oidc() else { return Problem::not_found().into_response() };
    let next = parameter(&head.uri, "next").unwrap_or_default();
    let next = login::local(&next).to_owned();
    let (state, nonce) = match (operator.access.secret(), operator.access.secret()) {
        (Ok(state), Ok(nonce)) => (state, nonce),
        (Err(problem), _) | (_, Err(problem)) => return problem.into_response(),
    };
    let (at, shown) = (moment(&operator), state.clone());
    let turn = match oidc.turn() {
        Ok(turn) => turn,
        Err(why) => return refused(&operator, &head, why).await,
    };
    let from = share::key(operator.access.address(&head));
    match asked(oidc, turn, move |oidc| oidc.authorize(at, shown, nonce, Begun { from, next })).await {
        Ok((url, under_way)) => {
            oidc.remember(SecretHash::of(state.as_bytes()), under_way);
            let cookie = cookie::begun(&state, oidc.over());
            (StatusCode::SEE_OTHER, [(LOCATION, url), (SET_COOKIE, cookie)]).into_response()
        }
        Err(why) => refused(&operator, &head, why).await,
    }
}

pub(in crate::operator) async fn come_back(State(operator): Api, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let Some(oidc) = operator.access.oidc() else { return Problem::not_found().into_response() };
    let at = moment(&operator);
    // Before the login is taken out, which can be done once.
    let turn = match oidc.turn() {
        Ok(turn) => turn,
        Err(why) => return refused(&operator, &head, why).await,
    };
    let state = parameter(&head.uri, "state").map(|state| SecretHash::of(state.as_bytes()));
    let state = state.filter(|state| cookie::begun_by(&head.headers, oidc.over()).contains(state));
    let login = state.and_then(|state| oidc.recall(&state, at.monotonic));
    let (code, error) = (parameter(&head.uri, "code"), parameter(&head.uri, "error"));
    let person = match (login, code, error) {
        (None, _, _) => Err(NoPerson::Unknown),
        (Some(_), _, Some(error)) => Err(NoPerson::Refused(AuditEntry::clipped(&error))),
        (Some(_), None, None) => Err(NoPerson::Invalid("it has no code".to_owned())),
        (Some(login), Some(code), None) => {
            let next = login.begun.next.clone();
            asked(oidc, turn, move |oidc| oidc.person(at, code, login)).await.map(|person| (person, next))
        }
    };
    match person {
        Ok((person, next)) => welcome(&operator, &head, oidc, person, &next).await,
        Err(why) => refused(&operator, &head, why).await,
    }
}

async fn welcome(operator: &Operator, head: &Parts, oidc: &Oidc, person: Person, next: &str) -> Response {
    let Person { name, role } = person;
    let name = AuditEntry::clipped(&name);
    let holder = Holder::Person { name: name.clone(), role, rules: oidc.rules };
    let deed = Deed { what: "log in", object: String::new(), address: operator.access.address(head) };
    // Not yet a session: what is written down is who they are.
    let caller = Caller { who: name, role, by: By::Session(SecretHash::of(b"")) };
    match login::session(operator, &caller, holder, &deed).await {
        Ok(id) => {
            let cookie = cookie::set(&id, oidc.over());
            // A redirect would still count as coming from the provider's site, and the cookie would stay behind.
            let page = ui::onwards("Logged in", next, html! { h1 { "Logged in" } p { a href=(next) { "Go on" } } });
            ([(SET_COOKIE, cookie)], page).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

async fn refused(operator: &Operator, head: &Parts, why: NoPerson) -> Response {
    let problem = match why {
        NoPerson::Unreachable(_) => Problem::for_now(),
        NoPerson::NoRole { .. } => Problem::forbidden(),
        NoPerson::Unknown | NoPerson::Refused(_) | NoPerson::Invalid(_) => Problem::token_wanted(),
    };
    let address = operator.access.address(head);
    tracing::warn!(reason = problem.code(), %address, "nobody was logged in from {address}: {why}");
    let deed = Deed { what: "log in", object: String::new(), address };
    operator.refused(None, &deed, problem.code()).await;
    let problem = problem.because(why.to_string());
    (problem.status(), login::page(operator, "/", Some(&problem))).into_response()
}
