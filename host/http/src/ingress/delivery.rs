//! From a verified delivery to the event that is kept.

use bytes::Bytes;
use hookbox_core::encoding::{ATTRIBUTE, ContentEncoding, NotInflated};
use hookbox_core::event::{Event, Source};
use hookbox_core::id::Mint;
use hookbox_core::name::ProviderName;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Dedupe, DedupeKey, Delivery, ID_WINDOW, Integrity, Scheme, Verified, dedupe};
use hookbox_store::types::{DedupeMark, NewEvent};

use super::Refused;
use crate::json;

/// Headers that are kept with an event: more are no help to a handler.
const HEADERS_MAX: usize = 32;
/// A kept header's name and value; a longer one is left out.
const HEADER_BYTES_MAX: usize = 512;
const CONTENT_TYPE_BYTES_MAX: usize = 200;
/// What a body without a usable content type is: bytes.
const CONTENT_TYPE_UNKNOWN: &str = "application/octet-stream";
const EVENT_TYPE_UNKNOWN: &str = "unknown";

/// A name with one of these in it may hold something that opens a door.
const SECRET_PARTS: [&str; 11] =
    ["sig", "token", "secret", "auth", "cookie", "hmac", "key", "passw", "credential", "session", "jwt"];
/// What is about the connection and not about the event; the content type has a place of its own.
const TRANSPORT: [&str; 18] = [
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "content-type",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "accept",
    "accept-encoding",
    "accept-language",
    "via",
    "forwarded",
    "x-real-ip",
    "cache-control",
];
const TRANSPORT_PREFIXES: [&str; 4] = ["x-forwarded-", "proxy-", "sec-", "cf-"];

/// What a verified delivery says of itself.
pub(crate) struct Parts {
    provider: ProviderName,
    event_type: String,
    content_type: String,
    attributes: Vec<(String, String)>,
    dedupe: Dedupe,
}

impl Parts {
    /// Only for what was verified: before that nothing of it may be looked at.
    pub(super) fn read(
        provider: &ProviderName,
        scheme: &Scheme,
        delivery: &Delivery<'_>,
        verified: Verified,
        window: Millis,
    ) -> Result<Parts, Refused> {
        let content_type = content_type(delivery);
        if json::is_declared(content_type) && !json::parses(delivery.body) {
            return Err(Refused::BrokenJson);
        }
        let identity = scheme.locate(delivery);
        let dedupe = dedupe(provider, scheme, &identity, delivery.body, window);
        let mut attributes = Vec::with_capacity(8);
        attributes.push(("provider".to_owned(), provider.to_string()));
        attributes.push(("integrity".to_owned(), integrity(verified.integrity).to_owned()));
        attributes.extend(identity.delivery_id.map(|id| ("delivery-id".to_owned(), id.value)));
        let kept = delivery.headers.iter().filter_map(|(name, value)| kept(scheme, name, value)).take(HEADERS_MAX);
        attributes.extend(kept);
        Ok(Parts {
            provider: provider.clone(),
            event_type: identity.event_type.unwrap_or_else(|| EVENT_TYPE_UNKNOWN.to_owned()),
            content_type: content_type.to_owned(),
            attributes,
            dedupe,
        })
    }

    /// How the body is kept.
    #[must_use]
    pub(super) fn sent_in(mut self, encoding: Option<ContentEncoding>) -> Parts {
        let sent = encoding.map(|encoding| (ATTRIBUTE.to_owned(), encoding.name().to_owned()));
        self.attributes.extend(sent);
        self
    }

    /// As if it had been verified: to ask what would become of it, never to take it in.
    pub(crate) fn presumed(provider: &ProviderName, scheme: &Scheme, delivery: &Delivery<'_>) -> Option<Parts> {
        let verified = Verified { secret: 0, integrity: Integrity::None, signed_at: None, challenge: None };
        Parts::read(provider, scheme, delivery, verified, ID_WINDOW).ok()
    }

    /// Without runs: which handlers the event reaches is judged by the event.
    pub(crate) fn into_event(self, body: Bytes, mint: &Mint, now: Timestamp) -> NewEvent {
        let event = Event {
            id: mint.event(now),
            namespace: self.provider.to_string(),
            source: Source::Provider(self.provider),
            event_type: self.event_type,
            subject: None,
            time: now,
            content_type: self.content_type,
            data: body.into(),
            attributes: self.attributes,
            hops: 0,
        };
        let mark = |key: DedupeKey| DedupeMark { hash: key.hash, until: now.plus(key.window) };
        let mut fingerprint = [0; 16];
        fingerprint.iter_mut().zip(self.dedupe.body_sha256).for_each(|(to, from)| *to = from);
        NewEvent { event, dedupe: self.dedupe.keys.into_iter().map(mark).collect(), fingerprint, runs: Vec::new() }
    }
}

fn integrity(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::None => "none",
        Integrity::Partial => "partial",
        Integrity::Full => "full",
    }
}

/// What the body came in. A header that is there twice says nothing that can be relied on.
pub(super) fn encoding(delivery: &Delivery<'_>) -> Result<Option<ContentEncoding>, NotInflated> {
    let mut values = delivery.headers.iter().filter(|(name, _)| *name == "content-encoding").map(|(_, value)| *value);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = std::str::from_utf8(value).map_err(|_| NotInflated::Unknown)?;
            ContentEncoding::parse(text)
        }
        (Some(_), Some(_)) => Err(NotInflated::Unknown),
    }
}

fn content_type<'a>(delivery: &Delivery<'a>) -> &'a str {
    let mut values = delivery.headers.iter().filter(|(name, _)| *name == "content-type").map(|(_, value)| value);
    let value = values.next().and_then(|value| plain(value, CONTENT_TYPE_BYTES_MAX));
    value.filter(|value| value.contains('/')).unwrap_or(CONTENT_TYPE_UNKNOWN)
}

/// Text without control characters and of some length.
fn plain(value: &[u8], bytes_max: usize) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let good = !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control);
    good.then_some(text)
}

fn kept(scheme: &Scheme, name: &str, value: &[u8]) -> Option<(String, String)> {
    let secret = scheme.is_secret_header(name) || SECRET_PARTS.iter().any(|p| name.contains(p));
    let transport = TRANSPORT.contains(&name) || TRANSPORT_PREFIXES.iter().any(|p| name.starts_with(p));
    if secret || transport {
        return None;
    }
    let value = plain(value, HEADER_BYTES_MAX.checked_sub(name.len())?)?;
    Some((format!("header.{name}"), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_may_open_a_door_is_never_kept() {
        let generic = Scheme::named("generic").unwrap();
        for name in [
            "x-webhook-signature",
            "authorization",
            "cookie",
            "x-gitlab-token",
            "x-hub-signature",
            "x-acme-sig",
            "x-api-key",
            "x-functions-key",
            "ocp-apim-subscription-key",
            "x-keyid",
            "x-shop-hmac-sha256",
            "x-client-secret",
            "proxy-authorization",
            "x-forwarded-for",
            "host",
        ] {
            assert_eq!(kept(generic, name, b"value"), None, "{name}");
        }
        assert!(kept(generic, "x-hub-mode", b"push").is_some());
        let kept = kept(generic, "x-github-delivery", b"72d3162e").unwrap();
        assert_eq!(kept, ("header.x-github-delivery".to_owned(), "72d3162e".to_owned()));
    }

    #[test]
    fn a_header_that_is_long_or_no_text_is_left_out() {
        let generic = Scheme::named("generic").unwrap();
        assert!(kept(generic, "x-long", &[b'a'; HEADER_BYTES_MAX]).is_none());
        assert!(kept(generic, "x-bytes", b"\xff\xfe").is_none());
        assert!(kept(generic, "x-short", b"a").is_some());
    }
}
