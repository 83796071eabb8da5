//! Real deliveries, as `hookbox capture` saves them, as events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::event_with_body;
use crate::Event;

/// What the host keeps of no delivery: names with these in them, and what is about the connection.
const LEFT_OUT: [&str; 18] = [
    "sig",
    "token",
    "secret",
    "auth",
    "cookie",
    "hmac",
    "key",
    "passw",
    "credential",
    "session",
    "jwt",
    "host",
    "content-",
    "connection",
    "accept",
    "transfer-",
    "x-forwarded-",
    "cf-",
];

#[derive(Deserialize)]
struct File {
    headers: Vec<(String, Octets)>,
    body: Octets,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Octets {
    Text(String),
    Bytes { base64: String },
}

impl Octets {
    #[expect(clippy::expect_used, reason = "a test whose file is damaged is wrong")]
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Octets::Text(text) => text.into_bytes(),
            Octets::Bytes { base64 } => STANDARD.decode(base64).expect("the file has base64 that does not decode"),
        }
    }
}

/// The event that a delivery becomes, of the text of a file that `hookbox capture` wrote, byte for byte:
/// `event_of_delivery("shop/order.paid", include_str!("0001-shop.delivery.json"))`. The name says its type, which only
/// the host's preset can read. Compressed bodies are not inflated.
#[expect(clippy::expect_used, reason = "a test whose file is damaged is wrong")]
pub fn event_of_delivery(name: &str, file: &str) -> Event {
    let File { headers, body } = serde_json::from_str(file).expect("this is no file of hookbox capture");
    let headers: Vec<(String, Vec<u8>)> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into_bytes())).collect();
    let content_type = headers.iter().find(|(name, _)| name == "content-type");
    let content_type = content_type.and_then(|(_, value)| std::str::from_utf8(value).ok());
    let mut event = event_with_body(name, content_type.unwrap_or("application/octet-stream"), body.into_bytes());
    let kept = headers.iter().filter(|(name, _)| !LEFT_OUT.iter().any(|part| name.contains(part)));
    event.attributes.extend(kept.filter_map(|(name, value)| {
        let value = std::str::from_utf8(value).ok()?;
        Some((format!("header.{name}"), value.to_owned()))
    }));
    event
}
