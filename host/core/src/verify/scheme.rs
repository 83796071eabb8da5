//! A signature scheme, as data.

use std::borrow::Cow;

use super::Integrity;
use super::presets::{ALIASES, PRESETS};
use crate::time::Millis;

pub(super) type Text = Cow<'static, str>;

/// How one sender signs: everything that [`super::Verifier`], [`Scheme::locate`],
/// [`super::dedupe`] and [`super::sign`] need to know about it, and no code of its own.
///
/// A preset decides everything: no algorithm, encoding or key form is guessed from a delivery, and
/// none gives way to a weaker one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    pub(super) name: Text,
    pub(super) signature: SignatureHeader,
    /// What an entry of the signature header may be; the first whose key form a secret has takes it.
    pub(super) methods: Cow<'static, [Method]>,
    /// The bytes under the signature, in order.
    pub(super) content: Cow<'static, [Piece]>,
    pub(super) timestamp: Option<TimestampRule>,
    pub(super) event_type: TypeAt,
    pub(super) delivery_id: IdAt,
    pub(super) body: BodyForm,
}

/// The header with the signatures: a list of entries, of which those that begin with a method's
/// tag hold a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignatureHeader {
    pub(super) name: Text,
    /// Between two entries; without one the whole header is one entry.
    pub(super) separator: Option<char>,
    pub(super) encoding: Encoding,
}

/// How a signature is written. Hex is read in either case and written in the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Hex,
    Base64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    /// What stands before the signature: `sha256=`, `v1,`.
    pub(super) tag: Text,
    pub(super) algorithm: Algorithm,
    pub(super) key: KeyForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    HmacSha256,
    /// The secret is the sender's public key.
    Ed25519,
}

/// How a secret is turned into a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// The secret's own bytes, whatever they look like.
    Literal,
    /// `prefix`, then the key in base64.
    Base64 { prefix: Text, bytes_min: usize, bytes_max: usize },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// The raw body, as received.
    Body,
    /// The timestamp's text, as received.
    Timestamp,
    /// The delivery id's header, as received.
    Id,
    Literal(Text),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimestampRule {
    pub(super) at: TimestampAt,
    pub(super) unit: TimestampUnit,
    /// Into the past and into the future, both ends included.
    pub(super) tolerance: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimestampAt {
    Header(Text),
    /// The entry of the signature header with this tag.
    Entry(Text),
}

/// Since 1970, in decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimestampUnit {
    Seconds,
}

/// Where the event type is. Members are those of the body's top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TypeAt {
    Member(Text),
    HeaderOrMember {
        header: Text,
        member: Text,
    },
    /// `header.member`, or the header alone where the body has no such member.
    HeaderDotMember {
        header: Text,
        member: Text,
    },
}

/// Where the delivery id is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IdAt {
    Header(Text),
    Member(Text),
}

/// What the body is, for [`Scheme::locate`]. The signature covers its raw bytes in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BodyForm {
    Json,
    /// JSON, or an HTML form whose first field of this name holds the JSON.
    JsonOrForm {
        field: Text,
    },
}

/// Every preset, in the order in which they are shown.
pub fn schemes() -> &'static [Scheme] {
    &PRESETS
}

impl Scheme {
    /// The preset of that name, or of the alias: `github` is `github-256`.
    pub fn named(name: &str) -> Option<&'static Scheme> {
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
        PRESETS.iter().find(|scheme| scheme.name == name)
    }

    /// The preset for senders that have none of their own.
    pub fn generic() -> &'static Scheme {
        let [generic, ..] = &PRESETS;
        generic
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The header that holds the signatures. Never store or log it.
    pub fn signature_header(&self) -> &str {
        &self.signature.name
    }

    /// The header that names the event type, if one does.
    pub fn type_header(&self) -> Option<&str> {
        self.type_header_name().map(AsRef::as_ref)
    }

    pub(super) fn type_header_name(&self) -> Option<&Text> {
        match &self.event_type {
            TypeAt::Member(_) => None,
            TypeAt::HeaderOrMember { header, .. } | TypeAt::HeaderDotMember { header, .. } => Some(header),
        }
    }

    /// How far a delivery's timestamp may be from the clock unless the operator says otherwise;
    /// `None` where the scheme signs no time, so that only dedupe stops a replay.
    pub fn tolerance(&self) -> Option<Millis> {
        self.timestamp.as_ref().map(|rule| rule.tolerance)
    }

    /// How much of a delivery the signature vouches for.
    pub fn integrity(&self) -> Integrity {
        if self.content.contains(&Piece::Body) { Integrity::Full } else { Integrity::Partial }
    }

    /// Whether the signature covers the delivery id, so that nobody can replay a delivery under
    /// another one.
    pub fn id_is_signed(&self) -> bool {
        match self.delivery_id {
            IdAt::Header(_) => self.content.contains(&Piece::Id),
            IdAt::Member(_) => self.content.contains(&Piece::Body),
        }
    }

    /// Every header that the scheme reads, each once.
    pub(super) fn headers(&self) -> impl Iterator<Item = &Text> {
        let timestamp = self.timestamp.as_ref().and_then(|rule| match &rule.at {
            TimestampAt::Header(name) => Some(name),
            TimestampAt::Entry(_) => None,
        });
        let id = match &self.delivery_id {
            IdAt::Header(name) => Some(name),
            IdAt::Member(_) => None,
        };
        [Some(&self.signature.name), timestamp, self.type_header_name(), id].into_iter().flatten()
    }

    /// The signed bytes, piece by piece, so that the body is never copied.
    pub(super) fn signed<'a>(&'a self, values: &'a Values<'a>) -> impl Iterator<Item = &'a [u8]> {
        self.content.iter().map(|piece| match piece {
            Piece::Body => values.body,
            Piece::Timestamp => values.timestamp,
            Piece::Id => values.id,
            Piece::Literal(text) => text.as_bytes(),
        })
    }

    /// What stands right behind the id in the signed content. An id that contained it could be
    /// split elsewhere: `a` + `.1.` + `2.{}` signs the same bytes as `a.1` + `.2.` + `{}`.
    pub(super) fn id_terminator(&self) -> Option<&[u8]> {
        let mut pieces = self.content.iter().zip(self.content.iter().skip(1));
        pieces.find_map(|pair| match pair {
            (Piece::Id, Piece::Literal(text)) if !text.is_empty() => Some(text.as_bytes()),
            _ => None,
        })
    }
}

/// What the pieces of the signed content stand for in one delivery.
pub(super) struct Values<'a> {
    pub(super) timestamp: &'a [u8],
    pub(super) id: &'a [u8],
    pub(super) body: &'a [u8],
}
