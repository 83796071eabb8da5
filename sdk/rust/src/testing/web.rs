//! The servers that handlers reach, for `cargo test`.

use super::host::with;
use crate::http::{Error, Request, Response};

/// A request that a handler sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    pub method: String,
    pub url: String,
    /// As the handler set them: placeholders of secrets are not filled in.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl SentRequest {
    /// The first of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The body; a permanent error if it does not parse.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> crate::Result<T> {
        crate::extract::json(&self.body)
    }
}

/// What is answered, and to what.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Method and the beginning of the URL.
    to: String,
    answer: Result<Response, Error>,
}

/// An answer to every request whose method and URL begin so: `answer("POST https://hooks.slack.com/", 200, "ok")`. The
/// last that fits is given. A request without an answer is denied, as one that hooks.yaml does not grant.
pub fn answer(to: impl Into<String>, status: u16, body: impl Into<Vec<u8>>) {
    answer_with(to, Ok(Response { status, headers: Vec::new(), body: body.into() }));
}

/// The same, with headers, or with an error such as [`Error::TimedOut`].
pub fn answer_with(to: impl Into<String>, answer: Result<Response, Error>) {
    let answer = Answer { to: to.into(), answer };
    with(|memory| memory.web.push(answer));
}

/// What was sent, denied requests among it, by attempts that failed, too: a request cannot be taken back.
pub fn requests() -> Vec<SentRequest> {
    with(|memory| memory.sent.clone())
}

pub(super) fn send(request: Request) -> Result<Response, Error> {
    let Request { method, url, headers, body, .. } = request;
    let shown = format!("{method} {url}");
    with(|memory| {
        memory.sent.push(SentRequest { method, url, headers, body });
        let answered = memory.web.iter().rev().find(|known| shown.starts_with(&known.to));
        let none = || Err(Error::Denied(format!("this test has no answer to {shown}: set one by testing::answer")));
        answered.map_or_else(none, |known| known.answer.clone())
    })
}
