//! The one shape of errors: problem details (RFC 9457).

use std::borrow::Cow;

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

/// When to come back after a 503, in seconds: most causes pass within one, and senders double it themselves.
const RETRY_AFTER_SECONDS: &str = "2";

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Which problem an answer tells; among its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(pub(crate) &'static str);

/// Some of what was asked for is done or will be, though the answer tells of a problem; among its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done;

#[derive(Debug, Clone, JsonSchema, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What was wrong here, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<Box<More>>,
    #[serde(skip)]
    header: Option<(&'static str, Cow<'static, str>)>,
    #[serde(skip)]
    done: bool,
}

/// What few problems have to tell.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
struct More {
    /// Where in the body, as a JSON Pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// Which of several causes it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// Everything that was wrong, where there is more to tell than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<PartialError>,
}

/// One of several things that are wrong.
#[derive(Debug, Clone, JsonSchema, Serialize)]
struct PartialError {
    /// The member of the body, as hooks.yaml has it; empty where it is the whole.
    path: String,
    message: String,
}

macro_rules! problems {
    ($($name:ident, $status:ident, $code:literal, $title:literal;)*) => {
        impl Problem {
            $(pub(crate) fn $name() -> Problem {
                Problem::new(StatusCode::$status, concat!("urn:hookbox:problem:", $code), $title)
            })*
        }
    };
}

problems! {
    broken_json, BAD_REQUEST, "broken-json", "The body is declared as JSON and does not parse";
    no_cloudevents, BAD_REQUEST, "no-cloudevents", "The delivery is no CloudEvents 1.0";
    broken_body, BAD_REQUEST, "broken-body", "The body cannot be read";
    unknown_parameter, BAD_REQUEST, "unknown-parameter", "The query has a parameter that is not known here";
    unverified, UNAUTHORIZED, "unverified", "The delivery cannot be verified";
    token_wanted, UNAUTHORIZED, "token-wanted", "A token is needed";
    foreign_origin, FORBIDDEN, "foreign-origin", "Another site may not do this";
    forbidden, FORBIDDEN, "forbidden", "The role does not allow this";
    token_unset, FORBIDDEN, "token-unset", "This needs a token, and none is set";
    not_found, NOT_FOUND, "not-found", "There is no such thing here";
    wrong_method, METHOD_NOT_ALLOWED, "wrong-method", "The method is not allowed here";
    slow_body, REQUEST_TIMEOUT, "slow-body", "The body did not come in time";
    key_under_way, CONFLICT, "key-under-way", "The first request with this key has no answer";
    conflict, CONFLICT, "conflict", "The state does not allow this";
    changed_meanwhile, PRECONDITION_FAILED, "changed-meanwhile", "It is not what the condition says";
    large_body, PAYLOAD_TOO_LARGE, "large-body", "The body is too large";
    unknown_encoding, UNSUPPORTED_MEDIA_TYPE, "unknown-encoding", "The content encoding is not known here";
    broken_encoding, BAD_REQUEST, "broken-encoding", "The body is not in its content encoding";
    wasm_wanted, UNSUPPORTED_MEDIA_TYPE, "wasm-wanted", "The body must be a component";
    form_wanted, UNSUPPORTED_MEDIA_TYPE, "form-wanted", "The body must be a form";
    json_wanted, UNSUPPORTED_MEDIA_TYPE, "json-wanted", "The body must be JSON";
    foreign_host, MISDIRECTED_REQUEST, "foreign-host", "This host does not go by that name";
    invalid_body, UNPROCESSABLE_ENTITY, "invalid-body", "The body is not as it must be";
    key_reused, UNPROCESSABLE_ENTITY, "key-reused", "The idempotency key was for another request";
    bad_parameter, UNPROCESSABLE_ENTITY, "bad-parameter", "A parameter has no good value";
    refused_plugin, UNPROCESSABLE_ENTITY, "refused-plugin", "The plugin was refused";
    bad_schedule, UNPROCESSABLE_ENTITY, "bad-schedule", "The schedule is not as it must be";
    too_many, TOO_MANY_REQUESTS, "too-many", "Too many requests";
    damaged, INTERNAL_SERVER_ERROR, "damaged", "What is stored does not read as it should";
    undelivered, BAD_GATEWAY, "undelivered", "The channel did not take the message";
    unavailable, SERVICE_UNAVAILABLE, "unavailable", "Not able to take this now";
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Problem {
        Problem { kind, title, status: status.as_u16(), detail: None, more: None, header: None, done: false }
    }

    pub(crate) fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Problem {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn at(mut self, pointer: String) -> Problem {
        self.more.get_or_insert_default().pointer = Some(pointer);
        self
    }

    /// Kebab-case code of the cause, where the problem has several.
    pub(crate) fn caused_by(mut self, cause: String) -> Problem {
        self.more.get_or_insert_default().cause = Some(cause);
        self
    }

    /// Each with its path in the body.
    pub(crate) fn with_errors(mut self, errors: impl Iterator<Item = (String, String)>) -> Problem {
        let errors = errors.map(|(path, message)| PartialError { path, message });
        self.more.get_or_insert_default().errors = errors.collect();
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Problem {
        self.header = Some((name, value.into()));
        self
    }

    /// Some of what was asked for is done or will be: under an idempotency key it must not begin a second time.
    pub(crate) fn and_done(mut self) -> Problem {
        self.done = true;
        self
    }

    /// To be tried again.
    pub(crate) fn for_now() -> Problem {
        Problem::unavailable().with_header("retry-after", RETRY_AFTER_SECONDS)
    }

    /// To be tried again after `wait`.
    pub(crate) fn too_many_for(wait: Millis) -> Problem {
        Problem::too_many().with_header("retry-after", wait.0.div_ceil(1000).max(1).to_string())
    }

    /// The last part of its type; for log lines.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub(crate) fn code(&self) -> &'static str {
        self.kind.rsplit(':').next().unwrap_or(self.kind)
    }
}

/// For operators: strangers are not told what is wrong with the store.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let told = error.to_string();
        match error {
            StoreError::Unavailable(_) => Problem::for_now().because(told),
            StoreError::Conflict(_) => Problem::conflict().because(told),
            StoreError::NotFound(_) => Problem::not_found().because(told),
            StoreError::Corrupt(_) => {
                tracing::error!(%error, "a request could not be answered: {error}");
                Problem::damaged().because(format!("{told}: stop the host and run hookbox doctor"))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let (header, code, done) = (self.header.take(), Code(self.code()), self.done);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response.extensions_mut().insert(code);
        if done {
            response.extensions_mut().insert(Done);
        }
        if let Some((name, value)) = header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        response
    }
}
