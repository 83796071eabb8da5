//! The way of every request: from where, who, may they, and what is written down of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use hookbox_core::access::USED_STEP;
use hookbox_store::types::AccessChange;

use super::audit::{self, Deed};
use super::caller::{By, Caller, REQUEST, UnderWay, noted};
use super::cookie::Over;
use super::origin::{self, Proof};
use super::table::{self, Act, Found, Least, Rule, Takes};
use super::{At, login};
use crate::operator::{Operator, ui};
use crate::problem::{Code, Problem};

/// With every answer: nothing is cached, framed, sniffed or loaded from elsewhere. A page has a policy of its own. Other
/// sites are told nothing of where somebody was; this one is, since browsers else say nothing of where a form is from.
const SAFE: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
];
/// With what the script of an open page asks.
const REFRESH: HeaderName = HeaderName::from_static("hookbox-refresh");
/// Two years: what those who keep lists of such hosts ask for.
const TLS_ONLY: (HeaderName, &str) = (STRICT_TRANSPORT_SECURITY, "max-age=63072000");

/// Somebody was not let do what they asked for.
struct Refused {
    problem: Problem,
    caller: Option<Caller>,
    rule: Option<&'static Rule>,
}

pub(in crate::operator) async fn check(
    State(operator): State<Arc<Operator>>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let mut response = match judge(&operator, &head) {
        Ok((caller, rule)) => {
            if let Some(caller) = &caller
                && !is_by_itself(&head)
            {
                used(&operator, caller).await;
            }
            serve(&operator, caller, rule, Request::from_parts(head, body), next).await
        }
        Err(refused) => {
            let response = refuse(&operator, &head, *refused).await;
            // A sender that still writes would not see the answer.
            let _ = crate::operator::nothing_in(body).await;
            response
        }
    };
    for (name, value) in SAFE {
        // A result of a plugin has a stricter policy of its own.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if operator.access.over == Over::Tls {
        let (name, value) = TLS_ONLY;
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An open page asks by itself, which is no use of a session: one that nobody sits at ends all the same.
fn is_by_itself(head: &request::Parts) -> bool {
    head.method.is_safe() && (head.uri.path() == "/live" || head.headers.contains_key(REFRESH))
}

/// What an idempotency key means to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::operator) enum Once {
    /// It is done once, and its answer given again.
    Answered,
    /// It is done once; its answer has a secret, and is not kept.
    Secret,
    /// Nothing: it changes nothing, is a stranger's or a form's, or is a file, which may be sent again.
    Not,
}

/// To be asked once the request was let in.
pub(in crate::operator) fn once(request: &Request) -> Once {
    let path = request.extensions().get::<MatchedPath>();
    let found = path.map(|path| table::rule(request.method().as_str(), path.as_str()));
    match found {
        Some(Found::Rule(Rule { path: "/api/v1/tokens", .. })) => Once::Secret,
        Some(Found::Rule(Rule { path: "/api/v1/backup", .. })) => Once::Not,
        Some(Found::Rule(Rule { act: Act::Do(_), takes: Takes::Json, least: Least::Role(_), .. })) => Once::Answered,
        _ => Once::Not,
    }
}

fn judge(operator: &Operator, head: &request::Parts) -> Result<(Option<Caller>, Option<&'static Rule>), Box<Refused>> {
    let access = &operator.access;
    let nobody = |problem| Box::new(Refused { problem, caller: None, rule: None });
    access.names.check(head).map_err(nobody)?;
    let at = At { now: operator.clock.now(), monotonic: operator.clock.monotonic() };
    let path = head.extensions.get::<MatchedPath>();
    let found = path.map(|path| table::rule(head.method.as_str(), path.as_str()));
    let rule = match &found {
        Some(Found::Rule(rule)) => Some(*rule),
        _ => None,
    };
    // Whoever comes to log in may show something that counts no longer.
    let open = rule.is_some_and(|rule| rule.least == Least::Anyone);
    let who = access.who(&head.headers, access.address(head), &operator.store.access(), at);
    let caller = if open { who.unwrap_or(None) } else { who.map_err(nobody)? };
    let refused = |problem| Box::new(Refused { problem, caller: caller.clone(), rule });
    may(caller.as_ref(), found).map_err(refused)?;
    if !head.method.is_safe() {
        let takes = rule.map_or(Takes::Json, |rule| rule.takes);
        let by_itself = matches!(caller, Some(Caller { by: By::Session(_), .. })) || takes == Takes::Form;
        let proof = if by_itself { Proof::Needed } else { Proof::Free };
        access.names.same(&head.headers, access.over, proof).map_err(refused)?;
        origin::content_type(&head.headers, takes).map_err(refused)?;
    }
    Ok((caller, rule))
}

/// By the table. Paths that do not exist are told to those only who were let in.
fn may(caller: Option<&Caller>, found: Option<Found>) -> Result<(), Problem> {
    if let Some(Found::Rule(Rule { least: Least::Anyone, .. })) = found {
        return Ok(());
    }
    let Some(caller) = caller else {
        let cure = "send the header Authorization: Bearer TOKEN, or log in at /login";
        return Err(Problem::token_wanted().because(cure).with_header("www-authenticate", "Bearer"));
    };
    match found {
        None => Ok(()),
        Some(Found::Rule(rule)) => match rule.least {
            Least::Role(least) if caller.role < least => {
                let told = format!("this needs the role {least}, and {} has {}", caller.who, caller.role);
                Err(Problem::forbidden().because(told))
            }
            _ => Ok(()),
        },
        Some(Found::Methods(methods)) => Err(Problem::wrong_method()
            .because("use one of the methods that the Allow header names")
            .with_header("allow", methods.join(","))),
        Some(Found::Nothing) => Err(Problem::forbidden().because("nobody may do this: no rule says who")),
    }
}

async fn serve(
    operator: &Arc<Operator>,
    caller: Option<Caller>,
    rule: Option<&'static Rule>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let deed = rule.and_then(|rule| match rule.act {
        Act::Do(what) => Some(deed(what, rule, head.uri.path(), operator.access.address(&head))),
        Act::Look | Act::Own => None,
    });
    let request = Request::from_parts(head, body);
    let asked = REQUEST.scope(UnderWay::by(caller.clone()), async { (next.run(request).await, noted()) });
    let response = match deed {
        Some(deed) => to_the_end(operator, caller.clone(), deed, asked).await,
        None => asked.await.0,
    };
    match caller {
        Some(caller) if is_stream(&response) => while_let_in(operator, caller, response),
        _ => response,
    }
}

/// Is done and written down also where whoever asked has gone.
async fn to_the_end(
    operator: &Arc<Operator>,
    caller: Option<Caller>,
    deed: Deed<'static>,
    asked: impl Future<Output = (Response, Option<String>)> + Send + 'static,
) -> Response {
    let operator = Arc::clone(operator);
    let done = tokio::spawn(async move {
        let number = match operator.begin(caller.as_ref(), &deed).await {
            Ok(number) => number,
            Err(problem) => return problem.into_response(),
        };
        let asked = tokio::spawn(asked).await;
        let (response, note) = asked.unwrap_or_else(|_| (Problem::damaged().into_response(), None));
        let result = response.extensions().get::<Code>().map(|Code(code)| (*code).to_owned());
        let result = result.unwrap_or_else(|| audit::result(response.status()));
        operator.end(number, &result, &note.unwrap_or_default()).await;
        response
    });
    done.await.unwrap_or_else(|_| Problem::damaged().into_response())
}

fn deed(what: &'static str, rule: &Rule, path: &str, address: std::net::IpAddr) -> Deed<'static> {
    Deed { what, object: table::object(rule.path, path), address }
}

fn is_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| {
        content_type.starts_with("text/event-stream") || content_type == "application/octet-stream"
    })
}

/// A stream or a long file ends, at the next thing that it says, with what let its reader in. It says something every few seconds.
fn while_let_in(operator: &Arc<Operator>, caller: Caller, response: Response) -> Response {
    let operator = Arc::clone(operator);
    response.map(|body| {
        let still = move || operator.access.still_is(&caller, &operator.store.access(), operator.clock.now());
        Body::from_stream(body.into_data_stream().take_while(move |_| std::future::ready(still())))
    })
}

/// When something was used last is kept, but not with every request.
async fn used(operator: &Operator, caller: &Caller) {
    let (now, rows) = (operator.clock.now(), operator.store.access());
    let change = match &caller.by {
        By::Token(name, _) => {
            let used = rows.tokens.get(name).and_then(|token| token.used);
            used.is_none_or(|used| now.since(used) >= USED_STEP).then(|| AccessChange::TokenUsed(name.clone(), now))
        }
        By::Session(hash) => {
            let used = rows.sessions.get(hash).map(|session| session.used);
            used.is_some_and(|used| now.since(used) >= USED_STEP).then_some(AccessChange::SessionUsed(*hash, now))
        }
        By::Loopback | By::Configured => None,
    };
    if let Some(change) = change
        && let Err(error) = operator.store.change_access(change).await
    {
        tracing::warn!(%error, "when {caller} was here last is not kept: {error}");
    }
}

async fn refuse(operator: &Operator, head: &request::Parts, refused: Refused) -> Response {
    let Refused { problem, caller, rule } = refused;
    let reason = problem.code();
    let who = caller.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    tracing::info!(reason, method = %head.method, %who, "a request to the operator was refused: {reason}");
    if let (Some(caller), Some(rule)) = (&caller, rule)
        && let Act::Do(what) = rule.act
    {
        let deed = deed(what, rule, head.uri.path(), operator.access.address(head));
        operator.refused(Some(caller), &deed, reason).await;
    }
    let wants_page = head.method == Method::GET
        && !head.uri.path().starts_with("/api/")
        && head
            .headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("text/html"));
    match problem.status() {
        StatusCode::UNAUTHORIZED if wants_page => {
            (StatusCode::SEE_OTHER, [(LOCATION, login::path_for(&head.uri))]).into_response()
        }
        StatusCode::FORBIDDEN if wants_page => {
            let shown = async { ui::problem(problem).into_response() };
            REQUEST.scope(UnderWay::by(caller), shown).await
        }
        _ => problem.into_response(),
    }
}
