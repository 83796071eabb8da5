//! `/api/v1/tokens` and `/api/v1/whoami`. A token is told once, in the answer that makes it; what is kept is its hash.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use hookbox_core::access::{AccessToken, Role, TokenName};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::AccessChange;
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::{Named, Query};
use super::{Api, BODY_BYTES_MAX, Operator, access, asked_in, audited, created, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::access::{NewTokenView, TokenView, WhoView};

/// No token is made for longer: one without an end says so by having none.
const LASTS_MAX: Millis = Millis(3650 * Millis::DAY.0);

/// The audit log calls somebody else so.
const NOT_NAMES: [&str; 3] = ["loopback", "configured", "nobody"];

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<TokenView>>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(Page::whole(all(&operator).into_iter())))
}

pub(super) fn all(operator: &Operator) -> Vec<TokenView> {
    let now = operator.clock.now();
    operator.store.access().tokens.values().map(|token| TokenView::of(token, now)).collect()
}

#[derive(JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Must be given.
    name: Option<String>,
    /// Must be given.
    role: Option<String>,
    /// Such as `90d`; never without it.
    expires_in: Option<String>,
}

pub(super) async fn create(State(operator): Api, uri: Uri, body: Body) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    let (name, role) = (asked.name.unwrap_or_default(), asked.role.unwrap_or_default());
    let view = make(&operator, &name, &role, asked.expires_in.as_deref()).await?;
    Ok(created(&format!("/api/v1/tokens/{}", view.view.name), view))
}

/// As typed. Blank is no end.
pub(super) async fn make(
    operator: &Operator,
    name: &str,
    role: &str,
    expires_in: Option<&str>,
) -> Result<NewTokenView, Problem> {
    fn wrong(member: &str) -> impl FnOnce(String) -> Problem {
        move |why| Problem::bad_parameter().because(format!("{member}: {why}"))
    }
    let name = TokenName::parse(name).map_err(|error| wrong("name")(error.to_string()))?;
    if NOT_NAMES.contains(&name.as_str()) {
        return Err(wrong("name")(format!("{name} is somebody else in the audit log: choose another name")));
    }
    let role: Role = role.parse().map_err(|error: hookbox_core::access::NotARole| wrong("role")(error.to_string()))?;
    let expires_in = expires_in.map(str::trim).filter(|text| !text.is_empty()).map(str::parse::<Millis>).transpose();
    let expires_in = expires_in.map_err(|error| wrong("expires_in")(error.to_string()))?;
    if expires_in.is_some_and(|span| !(Millis::MINUTE..=LASTS_MAX).contains(&span)) {
        return Err(wrong("expires_in")("must be 1m..=3650d, or left out".to_owned()));
    }
    let now = operator.clock.now();
    let made = keep(operator, name.clone(), role, expires_in.map(|span| now.plus(span)), now).await;
    audited("create token", format!("{name} as {role}"), made)
}

async fn keep(
    operator: &Operator,
    name: TokenName,
    role: Role,
    expires: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewTokenView, Problem> {
    let (token, hash) = operator.access.new_token()?;
    let by = access::caller().map_or_else(|| "nobody".to_owned(), |caller| caller.who);
    let row = AccessToken { name: name.clone(), hash, role, created: now, by, used: None, expires };
    let view = TokenView::of(&row, now);
    match operator.store.change_access(AccessChange::NewToken(row)).await? {
        true => Ok(NewTokenView { token, view }),
        false => {
            Err(Problem::conflict()
                .because(format!("there is a token {name}: revoke it first, or choose another name")))
        }
    }
}

/// Sessions that were begun with it end, too.
pub(super) async fn revoke(
    State(operator): Api,
    Named(name): Named<TokenName>,
    uri: Uri,
    body: Body,
) -> Result<Json<TokenView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    Ok(Json(end(&operator, &name).await?))
}

pub(super) async fn end(operator: &Operator, name: &TokenName) -> Result<TokenView, Problem> {
    let row = operator.store.access().tokens.get(name).map(|token| TokenView::of(token, operator.clock.now()));
    let revoked = operator.store.change_access(AccessChange::RevokeToken(name.clone())).await.map_err(Problem::from);
    let view = revoked.and_then(|revoked| {
        row.filter(|_| revoked).ok_or_else(|| Problem::not_found().because(format!("there is no token {name}")))
    });
    audited("revoke token", name, view)
}

pub(super) async fn who_am_i(uri: Uri) -> Result<Json<WhoView>, Problem> {
    Query::read(&uri, &[])?;
    let caller = access::caller().ok_or_else(Problem::token_wanted)?;
    Ok(Json(WhoView { via: caller.via().as_str(), role: caller.role.as_str(), who: caller.who }))
}
