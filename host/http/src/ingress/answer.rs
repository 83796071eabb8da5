//! What a sender is told of a delivery that was taken in.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_store::types::Accepted;

/// What became of a delivery that was not refused.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is on disk.
    Event(Accepted),
    /// It brought the provider's secret to an operator who waits for it.
    Paired,
}

impl Taken {
    /// `provider` is for the log alone.
    pub(super) fn answer(self, provider: &str) -> Response {
        match self {
            Taken::Event(Accepted::New(id)) => {
                json(StatusCode::ACCEPTED, format!(r#"{{"id":"{id}","status":"accepted"}}"#))
            }
            Taken::Event(Accepted::Duplicate { first, same_body }) => {
                if !same_body {
                    tracing::warn!(provider, event.id = %first, "a duplicate of {first} has another body than the first");
                }
                json(StatusCode::OK, format!(r#"{{"id":"{first}","status":"duplicate"}}"#))
            }
            Taken::Paired => {
                tracing::info!(provider, "{provider} brought a token: confirm it with hookbox providers pair");
                StatusCode::OK.into_response()
            }
        }
    }
}

fn json(status: StatusCode, json: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}
