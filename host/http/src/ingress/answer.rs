//! What a sender is told of a delivery that was taken in.

use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_core::verify::Reply;
use hookbox_store::types::Accepted;

/// What became of a delivery that was not refused.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is on disk: one event. Some senders want words of their own to hear so.
    Event(Vec<Accepted>, Option<Reply>),
    /// All of its events are on disk.
    Batch(Vec<Accepted>),
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
                let mut receipts = accepted.iter().map(|accepted| receipt(accepted, provider));
                let Receipt { status, json } = receipts.next_back().unwrap_or_else(Receipt::of_nothing);
                own.map_or_else(|| as_json(status, json), reply)
            }
            Taken::Batch(accepted) => {
                let receipts: Vec<Receipt> = accepted.iter().map(|accepted| receipt(accepted, provider)).collect();
                let new = receipts.iter().any(|receipt| receipt.status == StatusCode::ACCEPTED);
                let list: Vec<String> = receipts.into_iter().map(|receipt| receipt.json).collect();
                let status = if new { StatusCode::ACCEPTED } else { StatusCode::OK };
                as_json(status, format!(r#"{{"events":[{}]}}"#, list.join(",")))
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

/// What a sender is told of one event.
struct Receipt {
    status: StatusCode,
    json: String,
}

impl Receipt {
    fn of_nothing() -> Receipt {
        Receipt { status: StatusCode::OK, json: "{}".to_owned() }
    }
}

fn receipt(accepted: &Accepted, provider: &str) -> Receipt {
    match accepted {
        Accepted::New(id) => {
            Receipt { status: StatusCode::ACCEPTED, json: format!(r#"{{"id":"{id}","status":"accepted"}}"#) }
        }
        Accepted::Duplicate { first, same_body } => {
            if !same_body {
                tracing::warn!(provider, event.id = %first, "a duplicate of {first} has another body than the first");
            }
            Receipt { status: StatusCode::OK, json: format!(r#"{{"id":"{first}","status":"duplicate"}}"#) }
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

fn as_json(status: StatusCode, json: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}
