//! `/api/v1/sessions`: browsers that have logged in. What they show is told to nobody; a session is called by a part of its hash.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::access::{Role, SecretHash, Session, SessionId};
use hookbox_store::types::AccessChange;

use super::query::{Named, Query};
use super::{Api, Operator, access, audited, nothing_in};
use crate::problem::Problem;
use crate::view::Page;
use crate::view::access::SessionView;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<SessionView>>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(Page::whole(all(&operator).into_iter().map(|(_, view)| view))))
}

pub(super) fn all(operator: &Operator) -> Vec<(SecretHash, SessionView)> {
    let (rows, own) = (operator.store.access(), access::own_session());
    let sessions = operator.access.sessions(&rows, operator.clock.now()).into_iter();
    let view = |(session, role): (&Session, Role)| {
        (session.hash, SessionView::of(session, role, operator.access.ends(session), own == Some(session.hash)))
    };
    sessions.map(view).collect()
}

/// Its streams end, too, at the next thing that they say.
pub(super) async fn end_one(
    State(operator): Api,
    Named(id): Named<SessionId>,
    uri: Uri,
    body: Body,
) -> Result<Json<SessionView>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    Ok(Json(end(&operator, id).await?))
}

pub(super) async fn end(operator: &Operator, id: SessionId) -> Result<SessionView, Problem> {
    let nobody = || Problem::not_found().because(format!("there is no session {id}"));
    let named = id.to_string();
    let found = all(operator).into_iter().find(|(_, view)| view.id == named);
    let (hash, view) = found.ok_or_else(nobody)?;
    let ended = operator.store.change_access(AccessChange::EndSession(hash)).await.map_err(Problem::from);
    let whose = format!("{id} of {}", view.who);
    audited("end session", whose, ended.and_then(|ended| ended.then_some(view).ok_or_else(nobody)))
}
