//! Bytes that somebody else made, within JSON.

use base64::prelude::{BASE64_STANDARD, Engine};
use hookbox_core::attempt::Output;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json;

/// Of a payload, on a page.
const SHOWN_BYTES_MAX: usize = 32 * 1024;

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PayloadView {
    pub(crate) content_type: String,
    #[serde(flatten)]
    pub(crate) data: DataView,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct DataView {
    pub(crate) data: Data,
    /// `json`: the value itself. `text`: the bytes are this text. `base64`: they are no text.
    pub(crate) data_encoding: &'static str,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Data {
    Json(Box<RawValue>),
    Text(String),
}

impl DataView {
    /// What somebody may read and write anew; nothing of what is no text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Json(value) => Some(value.get()),
            Data::Text(text) => (self.data_encoding == "text").then_some(text),
        }
    }

    /// As much of it as a page shows, JSON indented, and whether there is more.
    pub(crate) fn shown(&self) -> (String, bool) {
        let whole = match &self.data {
            Data::Json(value) => value.get(),
            Data::Text(text) => text,
        };
        let short = whole.len() <= SHOWN_BYTES_MAX;
        let indented = short.then(|| serde_json::from_str::<serde_json::Value>(whole).ok()).flatten();
        let indented = indented.and_then(|value| serde_json::to_string_pretty(&value).ok());
        let text = indented
            .unwrap_or_else(|| whole.get(..whole.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default().to_owned());
        (text, !short)
    }

    /// Byte for byte.
    pub(crate) fn exact(data: &[u8]) -> DataView {
        let (data, data_encoding) = match std::str::from_utf8(data) {
            Ok(text) => (text.to_owned(), "text"),
            Err(_) => (BASE64_STANDARD.encode(data), "base64"),
        };
        DataView { data: Data::Text(data), data_encoding }
    }
}

impl PayloadView {
    pub(crate) fn exact(content_type: &str, data: &[u8]) -> PayloadView {
        PayloadView { content_type: content_type.to_owned(), data: DataView::exact(data) }
    }

    /// What is declared as JSON and is, is shown as JSON.
    pub(crate) fn readable(output: &Output) -> PayloadView {
        let json = json::is_declared(&output.content_type).then(|| serde_json::from_slice(&output.data));
        match json {
            Some(Ok(value)) => PayloadView {
                content_type: output.content_type.clone(),
                data: DataView { data: Data::Json(value), data_encoding: "json" },
            },
            Some(Err(_)) | None => PayloadView::exact(&output.content_type, &output.data),
        }
    }
}
