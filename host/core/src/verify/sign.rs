//! The sender's side.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::key::{Key, UnusableSecret};
use super::scheme::{Encoding, IdAt, Scheme, TimestampAt, TimestampUnit, Values};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The headers that a sender adds to this body: signature, timestamp, and the delivery id where
/// the scheme has it in a header. The type header, which no scheme signs, is left to the caller.
/// Where the id is in the body, `id` is not used. For Standard Webhooks it must not contain a dot.
///
/// `Malformed` for a secret that the scheme cannot use, and for a public key.
pub fn sign(
    scheme: &Scheme,
    secret: &Secret,
    now: Timestamp,
    id: &str,
    body: &[u8],
) -> Result<Vec<(String, String)>, UnusableSecret> {
    let key = Key::decode(scheme, 0, secret)?;
    let timestamp = scheme.timestamp.as_ref().map(|rule| match rule.unit {
        TimestampUnit::Seconds => now.seconds().to_string(),
    });
    let timestamp = timestamp.unwrap_or_default();
    let values = Values { timestamp: timestamp.as_bytes(), id: id.as_bytes(), body };
    let signature = key.sign(scheme, &values).ok_or_else(|| UnusableSecret::Malformed {
        scheme: scheme.name.to_string(),
        position: 0,
        why: "is a public key, which cannot sign".to_owned(),
    })?;
    let signature = match scheme.signature.encoding {
        Encoding::Hex => hex::encode(signature),
        Encoding::Base64 => BASE64_STANDARD.encode(signature),
    };
    let tag = scheme.methods.get(key.method).map(|method| method.tag.as_ref()).unwrap_or_default();
    let mut header = format!("{tag}{signature}");
    let mut headers = Vec::new();
    if let IdAt::Header(name) = &scheme.delivery_id {
        headers.push((name.to_string(), id.to_owned()));
    }
    match scheme.timestamp.as_ref().map(|rule| &rule.at) {
        Some(TimestampAt::Header(name)) => headers.push((name.to_string(), timestamp)),
        Some(TimestampAt::Entry(entry)) => {
            let separator = scheme.signature.separator.map(String::from).unwrap_or_default();
            header = format!("{entry}{timestamp}{separator}{header}");
        }
        None => {}
    }
    headers.push((scheme.signature.name.to_string(), header));
    Ok(headers)
}
