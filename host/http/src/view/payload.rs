//! Bytes that somebody else made, within JSON.

use base64::prelude::{BASE64_STANDARD, Engine};
use hookbox_core::attempt::Output;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json;

#[derive(Debug, Serialize)]
pub(crate) struct PayloadView {
    content_type: String,
    #[serde(flatten)]
    data: DataView,
}

#[derive(Debug, Serialize)]
pub(crate) struct DataView {
    data: Data,
    /// `json`: the value itself. `text`: the bytes are this text. `base64`: they are no text.
    data_encoding: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Data {
    Json(Box<RawValue>),
    Text(String),
}

impl DataView {
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
