//! Requests to other servers.
//!
//! A plugin may send those that hooks.yaml grants it, `POST https://hooks.slack.com`
//! for example, and no others. A secret stays with the host: where a header holds
//! `{{secret:slack_token}}`, the host puts the secret in its place if the grant says
//! that it may go there.
//!
//! ```
//! # use hookbox_sdk::{Result, http, json};
//! # fn handler() -> Result {
//! let answer = http::post("https://slack.com/api/chat.postMessage")
//!     .header("authorization", "Bearer {{secret:slack_token}}")
//!     .json(&json!({ "channel": "#dev", "text": "deployed" }))?
//!     .send()?
//!     .ok()?;
//! let sent: hookbox_sdk::Value = answer.json()?;
//! # Ok(())
//! # }
//! ```
//!
//! A request cannot be taken back where the handler fails later, and is sent again by
//! the next attempt. Each carries an `Idempotency-Key` that is the same in every
//! attempt of a run, by which servers that know the header answer a repetition
//! without doing the work twice. Redirects are not followed.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host;

/// Text of a failed answer that its error repeats.
const EXCERPT_BYTES_MAX: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// hooks.yaml does not grant it. The log of the run names the lines to add.
    Denied(String),
    /// The URL, the method or a header is none.
    Invalid(String),
    /// No answer in time; it may have arrived.
    TimedOut,
    /// No connection, or one that broke off; it may have arrived.
    Failed(String),
    /// The answers of this attempt are larger, all together, than hooks.yaml allows.
    TooLarge,
    /// The server answered with a status of 400 or more.
    Status {
        status: u16,
        /// The beginning of its text.
        excerpt: String,
        /// What the server asked for.
        retry_after: Option<Duration>,
    },
    /// The answer is not the JSON that was asked for.
    Json(String),
}

pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

pub fn put(url: impl Into<String>) -> Request {
    request("PUT", url)
}

pub fn patch(url: impl Into<String>) -> Request {
    request("PATCH", url)
}

pub fn delete(url: impl Into<String>) -> Request {
    request("DELETE", url)
}

/// With any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout: None }
}

/// A request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a request is sent by `.send()?`"]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
}

impl Request {
    /// One more header of this name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, serde_json::Error> {
        Ok(self.body("application/json", serde_json::to_vec(value)?))
    }

    pub fn body(mut self, content_type: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// From the beginning to the first byte of the answer, and between two parts of it. Without it 30 s, and never
    /// longer than the attempt has.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for the whole answer, whatever its status.
    pub fn send(self) -> Result<Response, Error> {
        host::send(self)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first of this name that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.find_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Bytes that are no UTF-8 become `\u{FFFD}`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Json(error.to_string()))
    }

    /// An error where the status is 400 or more. With `?` in a handler the run is tried again if that may help: after a
    /// status of 408, 425, 429 or 500 and more, not before the time that the server asked for; any other makes it a dead
    /// letter.
    pub fn ok(self) -> Result<Response, Error> {
        if self.status < 400 {
            return Ok(self);
        }
        let seconds = self.header("retry-after").and_then(|value| value.trim().parse().ok());
        let text = self.text();
        let end = (0..=EXCERPT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        Err(Error::Status {
            status: self.status,
            excerpt: text.get(..end.unwrap_or_default()).unwrap_or_default().to_owned(),
            retry_after: seconds.map(Duration::from_secs),
        })
    }
}

impl Error {
    /// True where no repetition of the same request can help.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Error::Denied(_) | Error::Invalid(_) | Error::TooLarge => true,
            Error::Status { status, .. } => *status < 500 && !matches!(status, 408 | 425 | 429),
            Error::TimedOut | Error::Failed(_) | Error::Json(_) => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Denied(what) => write!(f, "the request was not allowed: {what}"),
            Error::Invalid(what) => write!(f, "this is no request: {what}"),
            Error::TimedOut => f.write_str("no answer in time"),
            Error::Failed(why) => write!(f, "the request failed: {why}"),
            Error::TooLarge => f.write_str("the answer is too large"),
            Error::Status { status, excerpt, .. } if excerpt.is_empty() => write!(f, "the server answered {status}"),
            Error::Status { status, excerpt, .. } => write!(f, "the server answered {status}: {excerpt}"),
            Error::Json(why) => write!(f, "the answer is not the JSON that was asked for: {why}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Response { status, headers: headers.collect(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_status_says_whether_trying_again_may_help() {
        let through = |answer: Response| {
            let fail = || -> crate::Result<Response> { Ok(answer.ok()?) };
            fail().unwrap_err()
        };
        assert!(answer(399, &[], "").ok().is_ok());
        assert_eq!(through(answer(404, &[], "no")), crate::Error::permanent("the server answered 404: no"));
        assert_eq!(through(answer(500, &[], "")), crate::Error::retry("the server answered 500"));
        let busy = through(answer(429, &[("retry-after", "7")], ""));
        assert_eq!(busy, crate::Error::retry_after("the server answered 429", Duration::from_secs(7)));
        assert!(matches!(
            answer(503, &[("retry-after", "tomorrow")], "").ok(),
            Err(Error::Status { retry_after: None, .. })
        ));
    }

    #[test]
    fn an_excerpt_ends_between_two_characters() {
        let Err(Error::Status { excerpt, .. }) = answer(500, &[], &"é".repeat(150)).ok() else { panic!("an error") };
        assert_eq!(excerpt, "é".repeat(100));
        let Err(Error::Status { excerpt, .. }) = answer(500, &[], &format!("x{}", "é".repeat(150))).ok() else {
            panic!("an error")
        };
        assert_eq!(excerpt.len(), 199);
    }

    #[test]
    fn a_body_has_one_content_type() {
        let sent = post("https://a.example").body("text/plain", "x").json(&1).unwrap();
        assert_eq!(sent.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    }
}
