//! What a sender is told of a delivery that was taken in.

use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_core::verify::Reply;
use hookbox_store::types::Accepted;

/// What became of a delivery that was not refused.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is on disk. Some senders want words of their own to hear so.
    Event(Accepted, Option<Reply>),
    /// It is a challenge and no event.
    Reply(Reply),
    /// It brought the provider's secret to an operator who waits for it.
    Paired,
}

impl Taken {
    /// `provider` is for the log alone.
    pub(super) fn answer(self, provider: &str) -> Response {
        match self {
            Taken::Event(accepted, own) => {
                let receipt = receipt(accepted, provider);
                own.map_or(receipt, reply)
            }
            Taken::Reply(asked) => {
                tracing::info!(provider, "a challenge of {provider} was answered");
                reply(asked)
            }
            Taken::Paired => {
                tracing::info!(provider, "{provider} brought a token: confirm it with hookbox providers pair");
                StatusCode::OK.into_response()
            }
        }
    }
}

fn receipt(accepted: Accepted, provider: &str) -> Response {
    match accepted {
        Accepted::New(id) => json(StatusCode::ACCEPTED, format!(r#"{{"id":"{id}","status":"accepted"}}"#)),
        Accepted::Duplicate { first, same_body } => {
            if !same_body {
                tracing::warn!(provider, event.id = %first, "a duplicate of {first} has another body than the first");
            }
            json(StatusCode::OK, format!(r#"{{"id":"{first}","status":"duplicate"}}"#))
        }
    }
}

/// A browser must not take an echo for a page, whatever is in it.
fn reply(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status != StatusCode::NO_CONTENT {
        headers.extend(HeaderValue::from_str(&reply.content_type).ok().map(|kind| (CONTENT_TYPE, kind)));
    }
    response
}

fn json(status: StatusCode, json: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}
