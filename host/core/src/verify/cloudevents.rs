//! CloudEvents 1.0 over HTTP: one event in headers and body (binary), one in JSON (structured), or a list of them
//! (batched). What a delivery is, its content type says, and nothing is guessed.
//!
//! <https://github.com/cloudevents/spec>: the core, its JSON format and its HTTP binding, each in version 1.0.2.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::delivery::Delivery;
use super::scheme::{BodyForm, Place, Scheme, TimestampUnit};
use super::{Integrity, timestamp};

/// Events of one batch.
pub const BATCH_MAX: usize = 1000;
/// Attributes of one event: the specification names nine.
pub const ATTRIBUTES_MAX: usize = 64;
/// Bytes of an attribute's value.
pub const ATTRIBUTE_BYTES_MAX: usize = 4096;
/// Bytes of an attribute's name: the specification asks for 20 at most.
const NAME_BYTES_MAX: usize = 63;

/// One event of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent<'a> {
    pub id: String,
    pub source: String,
    pub event_type: String,
    pub subject: Option<String>,
    pub content_type: Option<String>,
    /// Every other attribute under its own name: `time`, `dataschema` and extensions.
    pub others: Vec<(String, String)>,
    /// As it was sent: the body, or the bytes of its member.
    pub data: Cow<'a, [u8]>,
    /// Whether the attributes stand in the body, which a signature may cover, or in headers.
    pub in_body: bool,
}

/// What one delivery holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudEvents<'a> {
    One(Box<CloudEvent<'a>>),
    Batch(Vec<CloudEvent<'a>>),
}

/// Why a delivery is no CloudEvents: what its sender has to change. No value of it is quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCloudEvents {
    /// Counts from 0; of a batch.
    pub item: Option<usize>,
    pub fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(
        "of CloudEvents in JSON, or without them in the content type, in headers, can be read, but no other format"
    )]
    OtherFormat,
    #[error("has its attributes in headers that the signature does not cover: send it as application/cloudevents+json")]
    Unsigned,
    #[error("is no JSON object, or has a member twice")]
    NoObject,
    #[error("is no JSON list of events")]
    NoList,
    #[error("has more than {BATCH_MAX} events: send them in several batches")]
    LargeBatch,
    #[error("lacks the attribute {0}, which must be there and not empty")]
    Missing(&'static str),
    #[error("must have specversion 1.0")]
    Version,
    #[error("has an attribute whose name is not of the letters a to z and digits")]
    BadName,
    #[error("has an attribute {0} that is no text, number or boolean, or has control characters")]
    BadValue(String),
    #[error("has an attribute {0} of more than {ATTRIBUTE_BYTES_MAX} bytes")]
    LongValue(String),
    #[error("has an attribute {0} twice")]
    Twice(String),
    #[error("has more than {ATTRIBUTES_MAX} attributes")]
    Many,
    #[error("has a time that is not as in RFC 3339")]
    BadTime,
    #[error("has both data and data_base64")]
    TwoData,
    #[error("has a data_base64 that is no base64")]
    BadBase64,
}

impl fmt::Display for NotCloudEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(f, "the event at index {item} of the batch {}", self.fault),
            None => write!(f, "the event {}", self.fault),
        }
    }
}

impl std::error::Error for NotCloudEvents {}

impl Scheme {
    /// The events of a verified delivery; `None` where the scheme's bodies are no CloudEvents.
    pub fn cloud_events<'a>(&self, delivery: &Delivery<'a>) -> Option<Result<CloudEvents<'a>, NotCloudEvents>> {
        (self.body == BodyForm::CloudEvents).then(|| match read(delivery)? {
            CloudEvents::One(event) if !event.in_body && !self.lets_headers_name() => {
                Err(NotCloudEvents { item: None, fault: Fault::Unsigned })
            }
            events => Ok(events),
        })
    }

    /// Whoever has one signed delivery could else send its body as any event. A token signs nothing in any case.
    fn lets_headers_name(&self) -> bool {
        let names = ["ce-id", "ce-source", "ce-type"].map(|name| Place::Header(name.into()));
        self.integrity() == Integrity::None || self.signs(&names)
    }
}

fn read<'a>(delivery: &Delivery<'a>) -> Result<CloudEvents<'a>, NotCloudEvents> {
    let alone = |fault| NotCloudEvents { item: None, fault };
    let media_type = delivery.media_type().to_ascii_lowercase();
    match media_type.as_str() {
        "application/cloudevents+json" => {
            let event = structured(delivery.body).map_err(alone)?;
            Ok(CloudEvents::One(Box::new(event)))
        }
        "application/cloudevents-batch+json" => {
            let Items(items) = serde_json::from_slice(delivery.body).map_err(|error: serde_json::Error| {
                // Whatever is no JSON is told by its kind; a list that is too long, by the visitor below.
                alone(if error.is_data() && error.to_string().starts_with(LARGE) {
                    Fault::LargeBatch
                } else {
                    Fault::NoList
                })
            })?;
            let event = |(at, item): (usize, &&'a RawValue)| {
                structured(item.get().as_bytes()).map_err(|fault| NotCloudEvents { item: Some(at), fault })
            };
            items.iter().enumerate().map(event).collect::<Result<_, _>>().map(CloudEvents::Batch)
        }
        other if other.starts_with("application/cloudevents") => Err(alone(Fault::OtherFormat)),
        _ => {
            let event = binary(delivery).map_err(alone)?;
            Ok(CloudEvents::One(Box::new(event)))
        }
    }
}

/// Attributes in headers `ce-NAME`, data as the body.
fn binary<'a>(delivery: &Delivery<'a>) -> Result<CloudEvent<'a>, Fault> {
    let mut attributes = Attributes::default();
    for (header, value) in delivery.headers {
        let Some(prefix) = header.get(..3).filter(|prefix| prefix.eq_ignore_ascii_case("ce-")) else { continue };
        let name = header.get(prefix.len()..).unwrap_or_default().to_ascii_lowercase();
        attributes.add(name, header_text(value))?;
    }
    let content_type = Some(delivery.content_type().to_owned()).filter(|text| !text.is_empty());
    if content_type.is_some() {
        // The header of the body is right; a sender that writes both writes the same.
        attributes.0.retain(|(name, _)| name != "datacontenttype");
    }
    attributes.into_event(content_type, Cow::Borrowed(delivery.body), false)
}

/// A header's value may be in double quotes, and holds what is no plain ASCII percent-encoded.
fn header_text(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let bare = match quoted {
        Some(inner) => Cow::Owned(unescaped(inner)),
        None => Cow::Borrowed(value),
    };
    percent_decode(&bare).decode_utf8().ok().map(Cow::into_owned)
}

fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut bare = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        bare.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    bare
}

/// Attributes and data as members of one object.
fn structured(text: &[u8]) -> Result<CloudEvent<'_>, Fault> {
    let Members(members) = serde_json::from_slice(text).map_err(|_| Fault::NoObject)?;
    let (mut attributes, mut data, mut encoded) = (Attributes::default(), None, None);
    for (name, value) in members {
        match name.as_ref() {
            "data" => data = Some(value),
            "data_base64" => encoded = Some(value),
            _ => match value.get() {
                "null" => {}
                text => attributes.add(name.into_owned(), scalar(text))?,
            },
        }
    }
    let content_type = attributes.take("datacontenttype");
    let data = match (data, encoded.filter(|raw| raw.get() != "null")) {
        (Some(_), Some(_)) => return Err(Fault::TwoData),
        (None, Some(raw)) => {
            let text: Cow<'_, str> = serde_json::from_str(raw.get()).map_err(|_| Fault::BadBase64)?;
            Cow::Owned(STANDARD.decode(text.as_bytes()).map_err(|_| Fault::BadBase64)?)
        }
        (Some(raw), None) => data_of(raw, content_type.as_deref()),
        (None, None) => Cow::Borrowed(&[][..]),
    };
    let content_type = content_type.or_else(|| (!data.is_empty()).then(|| "application/json".to_owned()));
    attributes.into_event(content_type, data, true)
}

/// JSON as it is written; of another content type, a text is the data itself.
fn data_of<'a>(raw: &'a RawValue, content_type: Option<&str>) -> Cow<'a, [u8]> {
    let text = raw.get();
    match content_type.is_some_and(|kind| !is_json(kind)).then(|| serde_json::from_str::<String>(text)) {
        Some(Ok(text)) => Cow::Owned(text.into_bytes()),
        _ => Cow::Borrowed(text.as_bytes()),
    }
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = media_type.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype == "json" || subtype.ends_with("+json")
}

fn scalar(text: &str) -> Option<String> {
    match serde_json::from_str(text).ok()? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[derive(Default)]
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn add(&mut self, name: String, value: Option<String>) -> Result<(), Fault> {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(letters) {
            return Err(Fault::BadName);
        }
        let value = value.filter(|value| !value.chars().any(char::is_control));
        let Some(value) = value else { return Err(Fault::BadValue(name)) };
        if value.len() > ATTRIBUTE_BYTES_MAX {
            return Err(Fault::LongValue(name));
        }
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(Fault::Twice(name));
        }
        if self.0.len() == ATTRIBUTES_MAX {
            return Err(Fault::Many);
        }
        self.0.push((name, value));
        Ok(())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    fn required(&mut self, name: &'static str) -> Result<String, Fault> {
        self.take(name).filter(|value| !value.is_empty()).ok_or(Fault::Missing(name))
    }

    fn into_event(
        mut self,
        content_type: Option<String>,
        data: Cow<'_, [u8]>,
        in_body: bool,
    ) -> Result<CloudEvent<'_>, Fault> {
        if self.required("specversion")? != "1.0" {
            return Err(Fault::Version);
        }
        let (id, source, event_type) = (self.required("id")?, self.required("source")?, self.required("type")?);
        let time = self.0.iter().find(|(name, _)| name == "time");
        if time.is_some_and(|(_, time)| timestamp::parse(time.as_bytes(), TimestampUnit::Rfc3339).is_none()) {
            return Err(Fault::BadTime);
        }
        let subject = self.take("subject").filter(|subject| !subject.is_empty());
        let content_type = content_type.or_else(|| self.take("datacontenttype"));
        Ok(CloudEvent { id, source, event_type, subject, content_type, others: self.0, data, in_body })
    }
}

const LARGE: &str = "too many events";

/// The elements of a list, no more than a batch has.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Items<'a>, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == BATCH_MAX {
                        return Err(serde::de::Error::custom(LARGE));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// The members of an object, each name once.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if members.len() > ATTRIBUTES_MAX + 2 || members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("too many members, or one twice"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
