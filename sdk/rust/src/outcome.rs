//! From what a handler returns to what the host records.

use serde::Serialize;

use crate::{Error, Json, Result};

/// How a handler ended that did not fail. What it wrote, enqueued and emitted
/// takes effect, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Completed(Option<Output>),
    /// There was nothing to do, and why.
    Skipped(String),
}

/// What a handler made; stored with the run and shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub content_type: String,
    pub data: Vec<u8>,
}

impl Outcome {
    pub fn completed() -> Self {
        Outcome::Completed(None)
    }

    pub fn skipped(why: impl Into<String>) -> Self {
        Outcome::Skipped(why.into())
    }

    /// Completed, with a result of any media type.
    pub fn output(content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Outcome::Completed(Some(Output { content_type: content_type.into(), data: data.into() }))
    }

    /// Completed, with a result in JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Outcome::output("application/json", serde_json::to_vec(value)?))
    }
}

/// What a handler can return.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not something a handler can return",
    note = "it returns nothing, `Json<T>`, `Outcome`, or a `Result` of one of these",
    note = "`T` of `Json<T>` needs `#[derive(serde::Serialize)]`"
)]
pub trait IntoReply {
    fn into_reply(self) -> Result<Outcome>;
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Outcome> {
        Ok(Outcome::completed())
    }
}

impl IntoReply for Outcome {
    fn into_reply(self) -> Result<Outcome> {
        Ok(self)
    }
}

/// A value that has no form in JSON is a permanent error.
impl<T: Serialize> IntoReply for Json<T> {
    fn into_reply(self) -> Result<Outcome> {
        Outcome::json(&self.0).map_err(|error| Error::permanent(format_args!("the result has no JSON: {error}")))
    }
}

impl<T: IntoReply, E: Into<Error>> IntoReply for Result<T, E> {
    fn into_reply(self) -> Result<Outcome> {
        self.map_err(Into::into)?.into_reply()
    }
}
