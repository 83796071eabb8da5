//! From a verified delivery to the events that are kept.

use std::borrow::Cow;

use bytes::Bytes;
use hookbox_core::encoding::{ATTRIBUTE, ContentEncoding, NotInflated};
use hookbox_core::event::{Event, Source};
use hookbox_core::id::Mint;
use hookbox_core::name::ProviderName;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{
    CloudEvent, CloudEvents, Dedupe, DedupeKey, Delivery, ID_WINDOW, Integrity, Scheme, dedupe, dedupe_event,
};
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

/// The events of a verified delivery.
pub(crate) enum Read<'d> {
    One(Box<Parts<'d>>),
    Batch(Vec<Parts<'d>>),
}

/// What an event says of itself.
pub(crate) struct Parts<'d> {
    provider: ProviderName,
    event_type: String,
    subject: Option<String>,
    content_type: String,
    attributes: Vec<(String, String)>,
    dedupe: Dedupe,
    data: Data<'d>,
}

/// What is kept as the event's data.
enum Data<'d> {
    /// The body, byte for byte, and the JSON in it.
    AsSent { document: Cow<'d, [u8]> },
    /// A part of it.
    Part(Cow<'d, [u8]>),
}

/// How a delivery came in, and what is known of it.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) provider: &'a ProviderName,
    pub(crate) scheme: &'a Scheme,
    /// How long it is known by its id.
    pub(crate) window: Millis,
    pub(crate) integrity: Integrity,
    /// How the body was sent.
    pub(crate) encoding: Option<ContentEncoding>,
}

impl<'d> Read<'d> {
    /// Only for what was verified: before that nothing of it may be looked at. The delivery's body is inflated.
    pub(super) fn new(known: Known<'_>, delivery: &Delivery<'d>) -> Result<Read<'d>, Refused> {
        match known.scheme.cloud_events(delivery) {
            None => Parts::whole(known, delivery).map(Box::new).map(Read::One),
            Some(Err(error)) => Err(Refused::NotCloudEvents(error)),
            Some(Ok(CloudEvents::One(event))) => Parts::of_event(known, delivery, *event).map(Box::new).map(Read::One),
            Some(Ok(CloudEvents::Batch(events))) => {
                // What came with all of them is of none: many events would each hold a copy.
                let delivery = Delivery { headers: &[], ..*delivery };
                let parts = events.into_iter().map(|event| Parts::of_event(known, &delivery, event));
                parts.collect::<Result<_, _>>().map(Read::Batch)
            }
        }
    }

    /// As if it had been verified: to ask what would become of it, never to take it in.
    pub(crate) fn presumed(provider: &ProviderName, scheme: &Scheme, delivery: &Delivery<'d>) -> Option<Read<'d>> {
        let known = Known { provider, scheme, window: ID_WINDOW, integrity: Integrity::None, encoding: None };
        Read::new(known, delivery).ok()
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Read::One(_) => 1,
            Read::Batch(parts) => parts.len(),
        }
    }

    pub(crate) fn is_batch(&self) -> bool {
        matches!(self, Read::Batch(_))
    }

    pub(crate) fn into_parts(self) -> Vec<Parts<'d>> {
        match self {
            Read::One(parts) => vec![*parts],
            Read::Batch(parts) => parts,
        }
    }
}

impl<'d> Parts<'d> {
    fn whole(known: Known<'_>, delivery: &Delivery<'d>) -> Result<Parts<'d>, Refused> {
        let content_type = content_type(delivery);
        check_json(content_type, delivery.body)?;
        let identity = known.scheme.locate(delivery);
        let id = identity.delivery_id.as_ref().map(|id| id.value.clone());
        let sent_in = known.encoding.map(|encoding| (ATTRIBUTE.to_owned(), encoding.name().to_owned()));
        let kept = delivery.headers.iter().filter_map(|(name, value)| kept(known.scheme, name, value));
        Ok(Parts {
            provider: known.provider.clone(),
            dedupe: dedupe(known.provider, known.scheme, &identity, delivery.body, known.window),
            event_type: identity.event_type.unwrap_or_else(|| EVENT_TYPE_UNKNOWN.to_owned()),
            subject: None,
            content_type: content_type.to_owned(),
            attributes: attributes(known, id).chain(kept.take(HEADERS_MAX)).chain(sent_in).collect(),
            data: Data::AsSent { document: known.scheme.document(delivery) },
        })
    }

    /// Its attributes have the names that they have as headers, in whatever form they came.
    fn of_event(known: Known<'_>, delivery: &Delivery<'d>, event: CloudEvent<'d>) -> Result<Parts<'d>, Refused> {
        let content_type =
            event.content_type.as_deref().and_then(|text| plain(text.as_bytes(), CONTENT_TYPE_BYTES_MAX));
        let content_type = content_type.unwrap_or(CONTENT_TYPE_UNKNOWN).to_owned();
        check_json(&content_type, &event.data)?;
        let identity = known.scheme.identity_of(&event);
        let id = identity.delivery_id.map(|id| id.value);
        // An attribute in a header may be what the scheme takes for its signature or token.
        let is_open = |name: &str| event.in_body || !is_secret(known.scheme, &format!("ce-{name}"));
        let own = event.others.iter().filter(|(name, _)| is_open(name)).map(|(name, value)| (name.as_str(), value));
        let own = own.chain([("id", &event.id), ("source", &event.source)]);
        let own: Vec<_> = own.map(|(name, value)| (format!("ce-{name}"), value.clone())).collect();
        let headers = delivery.headers.iter().filter(|(name, _)| !name.starts_with("ce-"));
        let kept = headers.filter_map(|(name, value)| kept(known.scheme, name, value)).take(HEADERS_MAX);
        let sent_in = known.encoding.filter(|_| !event.in_body);
        let sent_in = sent_in.map(|encoding| (ATTRIBUTE.to_owned(), encoding.name().to_owned()));
        Ok(Parts {
            provider: known.provider.clone(),
            dedupe: dedupe_event(known.provider, known.scheme, &event, known.window),
            event_type: identity.event_type.unwrap_or_else(|| EVENT_TYPE_UNKNOWN.to_owned()),
            subject: event.subject,
            content_type,
            attributes: attributes(known, id).chain(own).chain(kept).chain(sent_in).collect(),
            data: if event.in_body { Data::Part(event.data) } else { Data::AsSent { document: event.data } },
        })
    }

    pub(crate) fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The JSON that the event has, where it has JSON.
    pub(crate) fn document(&self) -> &[u8] {
        match &self.data {
            Data::AsSent { document } | Data::Part(document) => document,
        }
    }

    /// `body` as it was sent. Without runs: which handlers the event reaches is judged by the event.
    pub(crate) fn into_event(self, body: &Bytes, mint: &Mint, now: Timestamp) -> NewEvent {
        let data = match self.data {
            Data::AsSent { .. } => body.to_vec(),
            Data::Part(part) => part.into_owned(),
        };
        let event = Event {
            id: mint.event(now),
            namespace: self.provider.to_string(),
            source: Source::Provider(self.provider),
            event_type: self.event_type,
            subject: self.subject,
            time: now,
            content_type: self.content_type,
            data,
            attributes: self.attributes,
            hops: 0,
        };
        let mark = |key: DedupeKey| DedupeMark { hash: key.hash, until: now.plus(key.window) };
        let mut fingerprint = [0; 16];
        fingerprint.iter_mut().zip(self.dedupe.body_sha256).for_each(|(to, from)| *to = from);
        NewEvent { event, dedupe: self.dedupe.keys.into_iter().map(mark).collect(), fingerprint, runs: Vec::new() }
    }
}

/// Those that every event has.
fn attributes(known: Known<'_>, id: Option<String>) -> impl Iterator<Item = (String, String)> {
    let own = [("provider", known.provider.to_string()), ("integrity", integrity(known.integrity).to_owned())];
    own.into_iter().chain(id.map(|id| ("delivery-id", id))).map(|(name, value)| (name.to_owned(), value))
}

fn check_json(content_type: &str, data: &[u8]) -> Result<(), Refused> {
    if json::is_declared(content_type) && !json::parses(data) { Err(Refused::BrokenJson) } else { Ok(()) }
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

/// Of CloudEvents' own names, none has one of the parts in it that stand for a key of another kind.
fn is_secret(scheme: &Scheme, name: &str) -> bool {
    scheme.is_secret_header(name) || ["sig", "token", "secret", "auth"].iter().any(|part| name.contains(part))
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
