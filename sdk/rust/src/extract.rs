//! From the input to a handler's arguments.

use serde::Deserialize;
use serde_json::error::Category;

use crate::{Context, Error, Event, Job, Result};

/// A payload in JSON. As an argument it is parsed, and a payload of the wrong
/// shape is a permanent error that names the path to the fault. As a result it is
/// stored with the run and shown to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// A payload as text; one that is no UTF-8 is a permanent error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

/// A payload as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// What a handler can ask for as an argument. `I` is [`Event`] for a handler with
/// `#[on]`, [`Job`] for the others.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler that is given `{I}`",
    label = "no handler is given this",
    note = "arguments are `Json<T>`, `Text`, `Bytes`, `Context`, and `Event` with #[on] or `Job` with the other attributes",
    note = "`T` of `Json<T>` needs `#[derive(serde::Deserialize)]`"
)]
pub trait FromInput<'a, I>: Sized {
    fn from_input(context: &'a Context, input: &'a I) -> Result<Self>;
}

/// An [`Event`] or a [`Job`].
pub trait Input: sealed::Sealed {
    fn data(&self) -> &[u8];
    fn content_type(&self) -> &str;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Event {}
    impl Sealed for crate::Job {}
}

impl Input for Event {
    fn data(&self) -> &[u8] {
        &self.data
    }

    fn content_type(&self) -> &str {
        &self.content_type
    }
}

impl Input for Job {
    fn data(&self) -> &[u8] {
        &self.data
    }

    fn content_type(&self) -> &str {
        &self.content_type
    }
}

impl<'a, I> FromInput<'a, I> for &'a Context {
    fn from_input(context: &'a Context, _: &'a I) -> Result<Self> {
        Ok(context)
    }
}

impl<I> FromInput<'_, I> for Context {
    fn from_input(context: &Context, _: &I) -> Result<Self> {
        Ok(context.clone())
    }
}

impl<'a> FromInput<'a, Event> for &'a Event {
    fn from_input(_: &'a Context, input: &'a Event) -> Result<Self> {
        Ok(input)
    }
}

impl FromInput<'_, Event> for Event {
    fn from_input(_: &Context, input: &Event) -> Result<Self> {
        Ok(input.clone())
    }
}

impl<'a> FromInput<'a, Job> for &'a Job {
    fn from_input(_: &'a Context, input: &'a Job) -> Result<Self> {
        Ok(input)
    }
}

impl FromInput<'_, Job> for Job {
    fn from_input(_: &Context, input: &Job) -> Result<Self> {
        Ok(input.clone())
    }
}

impl<'a, I: Input, T: Deserialize<'a>> FromInput<'a, I> for Json<T> {
    fn from_input(_: &'a Context, input: &'a I) -> Result<Self> {
        json(input.data()).map(Json)
    }
}

/// `None` where the payload is empty.
impl<'a, I: Input, T: Deserialize<'a>> FromInput<'a, I> for Option<Json<T>> {
    fn from_input(_: &'a Context, input: &'a I) -> Result<Self> {
        match input.data() {
            [] => Ok(None),
            data => json(data).map(|value| Some(Json(value))),
        }
    }
}

impl<'a, I: Input> FromInput<'a, I> for &'a str {
    fn from_input(_: &'a Context, input: &'a I) -> Result<Self> {
        text(input.data())
    }
}

impl<I: Input> FromInput<'_, I> for Text {
    fn from_input(_: &Context, input: &I) -> Result<Self> {
        text(input.data()).map(|text| Text(text.to_owned()))
    }
}

impl<'a, I: Input> FromInput<'a, I> for &'a [u8] {
    fn from_input(_: &'a Context, input: &'a I) -> Result<Self> {
        Ok(input.data())
    }
}

impl<I: Input> FromInput<'_, I> for Bytes {
    fn from_input(_: &Context, input: &I) -> Result<Self> {
        Ok(Bytes(input.data().to_vec()))
    }
}

/// Keeping track of the path costs an allocation for every key, so a payload is
/// read without it, and only one that does not parse is read again with it.
pub(crate) fn json<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T> {
    serde_json::from_slice(data).map_err(|error| json_fault::<T>(data, &error))
}

#[cold]
fn json_fault<'a, T: Deserialize<'a>>(data: &'a [u8], error: &serde_json::Error) -> Error {
    if data.is_empty() {
        return Error::permanent("the payload is empty, expected JSON");
    }
    if error.classify() != Category::Data {
        return Error::permanent(format_args!("the payload is not JSON: {error}"));
    }
    let mut reader = serde_json::Deserializer::from_slice(data);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(fault) if fault.path().iter().next().is_some() => {
            Error::permanent(format_args!("the payload does not fit at `{}`: {}", fault.path(), fault.inner()))
        }
        _ => Error::permanent(format_args!("the payload does not fit: {error}")),
    }
}

pub(crate) fn text(data: &[u8]) -> Result<&str> {
    std::str::from_utf8(data).map_err(|error| Error::permanent(format_args!("the payload is not text: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read from JSON")]
    struct Order<'a> {
        #[serde(borrow)]
        lines: Vec<Line<'a>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read from JSON")]
    struct Line<'a> {
        name: &'a str,
        amount: u32,
    }

    #[test]
    fn a_payload_of_the_wrong_shape_names_the_path() {
        let data = br#"{"lines":[{"name":"a","amount":1},{"name":"b","amount":"two"}]}"#;
        let error = json::<Order>(data).unwrap_err();
        let expected = "the payload does not fit at `lines[1].amount`: invalid type: string \"two\", expected u32 at line 1 column 60";
        assert_eq!(error, Error::permanent(expected));
    }

    #[test]
    fn a_fault_at_the_top_has_no_path() {
        let error = json::<Order>(b"{}").unwrap_err();
        assert_eq!(error.message(), "the payload does not fit: missing field `lines` at line 1 column 2");
    }

    #[test]
    fn what_is_no_json_says_so() {
        assert_eq!(json::<Value>(b"").unwrap_err().message(), "the payload is empty, expected JSON");
        let error = json::<Value>(b"a=1").unwrap_err();
        assert_eq!(error.message(), "the payload is not JSON: expected value at line 1 column 1");
        assert!(error.is_permanent());
    }

    #[test]
    fn what_is_no_text_says_so() {
        assert_eq!(text("grüezi".as_bytes()).unwrap(), "grüezi");
        assert!(text(&[0xff]).unwrap_err().is_permanent());
    }

    use serde_json::Value;
}
