//! A payload that an operator writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json;
use crate::problem::Problem;

const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// As it stands in a request: one of the three, or none.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// JSON, byte for byte.
    pub(super) data: Option<Box<RawValue>>,
    pub(super) text: Option<String>,
    /// What is no text.
    pub(super) base64: Option<String>,
    pub(super) content_type: Option<String>,
}

/// Content type and bytes.
pub(super) type Payload = (String, Vec<u8>);

impl Written {
    /// Nothing where none is written. What is no JSON has the content type `usual` where it names none.
    pub(super) fn read(self, usual: Option<&str>, bytes_max: usize) -> Result<Option<Payload>, Problem> {
        let wrong = |why: &str| Err(Problem::bad_parameter().because(why.to_owned()));
        let (by_itself, data) = match (self.data, self.text, self.base64) {
            (None, None, None) if self.content_type.is_some() => {
                return wrong("content_type: says nothing without data, text or base64");
            }
            (None, None, None) => return Ok(None),
            (Some(json), None, None) => ("application/json", json.get().as_bytes().to_vec()),
            (None, Some(text), None) => (usual.unwrap_or("text/plain; charset=utf-8"), text.into_bytes()),
            (None, None, Some(text)) => match STANDARD.decode(text) {
                Ok(data) => (usual.unwrap_or("application/octet-stream"), data),
                Err(_) => return wrong("base64: is no base64"),
            },
            _ => return wrong("data, text and base64: give one of them"),
        };
        if data.len() > bytes_max {
            let cure = format!("the payload is {} bytes long, at most {bytes_max} are taken", data.len());
            return Err(Problem::large_body().because(cure));
        }
        let content_type = self.content_type.unwrap_or_else(|| by_itself.to_owned());
        let good = (1..=CONTENT_TYPE_BYTES_MAX).contains(&content_type.len());
        if !good || content_type.chars().any(char::is_control) {
            return wrong("content_type: must be 1 to 256 bytes without control characters, such as text/plain");
        }
        if json::is_declared(&content_type) && !data.is_empty() && !json::parses(&data) {
            let cure = "the payload is declared as JSON and does not parse: give another content_type, or mend it";
            return Err(Problem::broken_json().because(cure));
        }
        Ok(Some((content_type, data)))
    }
}

/// `null` is a value, too.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// A request that holds a payload of so many bytes: escapes and base64 make it longer.
pub(super) fn request_bytes_max(bytes_max: usize) -> usize {
    2 * bytes_max + super::BODY_BYTES_MAX
}
