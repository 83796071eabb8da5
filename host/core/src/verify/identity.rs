//! What a delivery says it is: event type and delivery id.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Delivery;
use super::scheme::{BodyForm, IdAt, Scheme, Text, TypeAt};

/// Longest event type: it is matched against patterns and shown.
pub const EVENT_TYPE_BYTES_MAX: usize = 200;

/// Longest delivery id: it is shown and searched for.
pub const DELIVERY_ID_BYTES_MAX: usize = 200;

/// What a verified delivery says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    pub event_type: Option<String>,
    pub delivery_id: Option<DeliveryId>,
}

/// The sender's name for a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryId {
    pub value: String,
    /// Whether the signature covers it. An unsigned one may be a replayer's invention.
    pub signed: bool,
}

impl Scheme {
    /// Reads type and id where the scheme says they are; to be called once the delivery is verified.
    ///
    /// A value that is empty, too long, not UTF-8, has control characters or stands in a header
    /// twice counts as absent: the delivery is authentic, and refusing it would make its sender
    /// retry for ever. So does a member of a body that is no JSON object. A type is a JSON string,
    /// an id a string or an integer. Where a member is repeated, the first counts.
    pub fn locate(&self, delivery: &Delivery<'_>) -> Identity {
        let type_header = self.type_header_name();
        let named = type_header.and_then(|header| bounded_header(delivery, header, EVENT_TYPE_BYTES_MAX));
        let type_member = match (&self.event_type, &named) {
            (TypeAt::HeaderOrMember { .. }, Some(_)) | (TypeAt::HeaderDotMember { .. }, None) => None,
            (TypeAt::Member(member), _)
            | (TypeAt::HeaderOrMember { member, .. } | TypeAt::HeaderDotMember { member, .. }, _) => {
                Some(member.as_ref())
            }
        };
        let id_member = match &self.delivery_id {
            IdAt::Header(_) => None,
            IdAt::Member(member) => Some(member.as_ref()),
        };
        let found = self.members(delivery.body, type_member, id_member);
        let event_type = match &self.event_type {
            TypeAt::HeaderDotMember { .. } => named.and_then(|name| dotted(name, found.event_type.as_deref())),
            TypeAt::Member(_) | TypeAt::HeaderOrMember { .. } => named.or(found.event_type),
        };
        let id = match &self.delivery_id {
            IdAt::Header(header) => bounded_header(delivery, header, DELIVERY_ID_BYTES_MAX),
            IdAt::Member(_) => found.id,
        };
        let delivery_id = id.map(|value| DeliveryId { value, signed: self.id_is_signed() });
        Identity { event_type, delivery_id }
    }

    fn members(&self, body: &[u8], event_type: Option<&str>, id: Option<&str>) -> Found {
        let mut found = Found::default();
        let json = match &self.body {
            BodyForm::Json => Cow::Borrowed(body),
            BodyForm::JsonOrForm { field } => form_field(body, field).map_or(Cow::Borrowed(body), Cow::Owned),
        };
        if event_type.is_some() || id.is_some() {
            let reader = Reader { event_type, id, found: &mut found };
            // Reading stops at the last wanted member, which serde_json reports as an error.
            let _ = serde_json::Deserializer::from_slice(&json).deserialize_map(reader);
        }
        found
    }
}

fn dotted(name: String, member: Option<&str>) -> Option<String> {
    match member {
        Some(member) => bounded(&format!("{name}.{member}"), EVENT_TYPE_BYTES_MAX),
        None => Some(name),
    }
}

fn bounded_header(delivery: &Delivery<'_>, name: &Text, bytes_max: usize) -> Option<String> {
    let value = delivery.header(name).ok()??;
    bounded(std::str::from_utf8(value).ok()?, bytes_max)
}

fn bounded(text: &str, bytes_max: usize) -> Option<String> {
    let good = !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

/// The decoded value of the field that a form begins with; `None` where the body is no such form.
/// It is looked for nowhere else: JSON can hold the same text in a string that anybody wrote.
fn form_field(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let value = body.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
    let mut rest = value.split(|byte| *byte == b'&').next()?;
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex_byte(*high, *low).map(|byte| (byte, after)),
            (b'+', after) => Some((b' ', after)),
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        decoded.push(byte);
        rest = after;
    }
    Some(decoded)
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[derive(Default)]
struct Found {
    event_type: Option<String>,
    id: Option<String>,
}

/// Walks the top level of a JSON object, keeps the wanted members and skips the rest unread.
struct Reader<'a> {
    event_type: Option<&'a str>,
    id: Option<&'a str>,
    found: &'a mut Found,
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while self.event_type.is_some() || self.id.is_some() {
            let Some(member) = map.next_key_seed(Name { event_type: self.event_type, id: self.id })? else {
                break;
            };
            match member {
                Member::EventType => {
                    self.event_type = None;
                    self.found.event_type = map.next_value_seed(Scalar::Text { bytes_max: EVENT_TYPE_BYTES_MAX })?;
                }
                Member::Id => {
                    self.id = None;
                    self.found.id = map.next_value_seed(Scalar::TextOrInteger { bytes_max: DELIVERY_ID_BYTES_MAX })?;
                }
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Which member a name is; the name itself is not kept.
enum Member {
    EventType,
    Id,
    Other,
}

struct Name<'a> {
    event_type: Option<&'a str>,
    id: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Member, E> {
        Ok(match Some(name) {
            name if name == self.event_type => Member::EventType,
            name if name == self.id => Member::Id,
            _ => Member::Other,
        })
    }
}

/// A member's value as text; `None` for values of any other kind, and beyond the limit.
#[derive(Clone, Copy)]
enum Scalar {
    Text { bytes_max: usize },
    TextOrInteger { bytes_max: usize },
}

impl Scalar {
    fn integer(self, number: impl fmt::Display) -> Option<String> {
        match self {
            Scalar::Text { .. } => None,
            Scalar::TextOrInteger { .. } => Some(number.to_string()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<String>, E> {
        let (Scalar::Text { bytes_max } | Scalar::TextOrInteger { bytes_max }) = self;
        Ok(bounded(text, bytes_max))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<String>, E> {
        Ok(self.integer(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<String>, E> {
        Ok(self.integer(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Option<String>, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<String>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
