//! A signature scheme, as data.

use std::borrow::Cow;

use super::presets::{ALIASES, PRESETS};
use super::{Delivery, Reply};
use crate::time::Millis;

pub(crate) type Text = Cow<'static, str>;
pub(crate) type List<T> = Cow<'static, [T]>;

/// How one sender signs: everything that [`super::Verifier`], [`Scheme::locate`],
/// [`super::dedupe`] and [`super::sign`] need to know about it, and no code of its own.
///
/// A scheme decides everything: no algorithm, encoding or key form is guessed from a delivery, and
/// none gives way to a weaker one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    pub(crate) name: Text,
    pub(crate) signature: SignatureAt,
    /// What a signature may be, strongest first. A secret is for every method whose key form it
    /// has; of those, only the first that the delivery has a signature of is looked at.
    pub(crate) methods: List<Method>,
    /// Each part of the body that is signed by itself, all of which must fit: paths of signature
    /// and content are from there. `notificationItems[].NotificationRequestItem`
    pub(crate) each: Option<Text>,
    /// A query parameter of the signed URL that holds the SHA-256 of a body that is no form, in hex.
    pub(crate) body_hash: Option<Text>,
    pub(crate) timestamp: Option<TimestampRule>,
    pub(crate) event_type: Naming,
    pub(crate) delivery_id: Naming,
    pub(crate) body: BodyForm,
    pub(crate) repeats: Repeats,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) answer: Answer,
}

/// Where the signatures are. In a list, the entries that begin with a method's tag hold one each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureAt {
    /// `Header`, `Numbered`, `Json`, `Form` or `Query`.
    pub(crate) at: Place,
    /// Between two entries; without one the whole value is one entry.
    pub(crate) separator: Option<char>,
    pub(crate) untagged: Untagged,
}

/// What an entry of a list is that begins with no tag of the scheme's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untagged {
    /// Nothing: a version that is not known.
    Skip,
    /// Another signature behind the tag of the one before it: `v0=a,b`.
    Continue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// What stands before the signature: `sha256=`, `v1,`. Where empty, every entry is one.
    pub(crate) tag: Text,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: KeyForm,
    pub(crate) encoding: Encoding,
    /// The bytes under the signature, in order; empty for a token.
    pub(crate) content: List<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha1,
    HmacSha256,
    HmacSha512,
    /// A plain hash of content that holds [`Piece::Secret`].
    Sha256,
    /// The secret is the sender's public key.
    Ed25519,
    /// The secret is the sender's public key as DER SPKI; signatures are DER.
    EcdsaP256,
    /// What is shown is the secret itself: no signature at all. Basic auth is one of the secret
    /// `user:password` behind the tag `Basic `, in base64.
    Token,
}

/// How a signature is written. Hex is read in either case and written in the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
    /// As it is: for tokens.
    Plain,
}

/// How a secret is turned into a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// The secret's own bytes, whatever they look like.
    Literal,
    /// `prefix`, then the key in base64.
    Base64 { prefix: Text, bytes_min: usize, bytes_max: usize },
    /// The same in hex.
    Hex { prefix: Text, bytes_min: usize, bytes_max: usize },
}

/// A part of the signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The raw body, as received.
    Body,
    /// The timestamp's text, as received.
    Timestamp,
    /// The delivery id's text, as received; of a scheme whose id is in one header.
    Id,
    /// The request's method, in capitals.
    Method,
    /// The URL that the sender knows, from the operator's `public_url`, query included.
    Url,
    Secret,
    /// The header's value. A delivery without it is refused.
    Header(Text),
    /// The text of that entry of the signature list.
    Entry(Text),
    /// The values of the headers that the entry lists, between spaces, joined.
    HeadersOf {
        entry: Text,
        separator: Text,
    },
    /// A scalar of the JSON body, numbers as they are written; nothing where it is not there.
    Json(Text),
    /// A field of a form, decoded; nothing where it is not there.
    Form(Text),
    /// Where the body is a form: every field sorted by name, name and value one after the other,
    /// equal pairs once. Else nothing.
    SortedForm,
    Literal(Text),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimestampRule {
    /// `Header`, `Entry`, `Json` or `Form`.
    pub(crate) at: Place,
    pub(crate) unit: TimestampUnit,
    /// Into the past and into the future, both ends included.
    pub(crate) tolerance: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampUnit {
    /// Since 1970, in decimal digits.
    Seconds,
    Milliseconds,
    Rfc3339,
    /// `Thu, 07 Sep 2017 06:30:04 GMT`; the comma may be left out, and UTC written for GMT.
    HttpDate,
}

/// Where a delivery holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Header(Text),
    /// `NAME-1`, `NAME-2` and so on, each with one entry.
    Numbered(Text),
    /// The entry of the signature list with this tag.
    Entry(Text),
    /// Members of the JSON body: `event.type`. `[]` is every element of a list: the value that
    /// all of them have, `batch` where they differ.
    Json(Text),
    /// A field of the form body, or of a multipart one.
    Form(Text),
    /// A parameter of the URL.
    Query(Text),
    /// The name of the first member of the JSON body that is not this one.
    MemberBeside(Text),
    Constant(Text),
}

/// A name that is put together: the first of these of which the first place has a value, its places
/// joined by dots. Places after the first may have none.
pub(crate) type Naming = List<List<Place>>;

/// What the body is, for places in JSON. The signature covers its raw bytes in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyForm {
    Json,
    /// JSON, or a form whose first field of this name holds the JSON.
    JsonOrForm {
        field: Text,
    },
    /// A form, plain or multipart, in which that field holds the JSON.
    FormField {
        field: Text,
    },
    /// CloudEvents 1.0, in the mode that the content type says; type and id are those of the event.
    CloudEvents,
}

/// What a repetition is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// By the delivery id, and by the body where the id is not signed or not there.
    ByIdOrBody,
    /// By the id alone: bodies are alike.
    ById,
    /// By nothing: deliveries are alike and each is meant.
    Never,
}

/// How a sender makes sure that the host is its customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// GET with a parameter that is to be sent back. Where `verify` names another parameter, it must
    /// hold the provider's verify token; where `only` names one and its value, it must hold that.
    Echo { echo: Text, verify: Option<Text>, only: Option<(Text, Text)> },
    /// GET with a parameter that is to be signed: `{"response_token":"sha256=BASE64"}`.
    Crc { token: Text },
    /// A signed POST in which `at` holds `value`.
    Post { at: Place, value: Text, reply: ChallengeReply },
    /// The first, unsigned POST brings the secret as this member of its JSON body. It is taken in a
    /// window that the operator opens.
    Pair { member: Text },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChallengeReply {
    /// The value at this place, as plain text.
    Echo(Place),
    /// `{"plainToken":VALUE,"encryptedToken":HEX}`, the HMAC-SHA256 of the value at this place.
    Hmac(Place),
    Fixed(Answer),
}

/// What a sender is told once its delivery is durable, and for a repetition of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 202 for a new one, 200 for a duplicate, and `{"id":ID,"status":"accepted"|"duplicate"}`.
    Receipt,
    Fixed {
        status: u16,
        content_type: Text,
        body: Text,
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

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the sender is told instead of the host's own receipt, for a new delivery and a repetition.
    pub fn answer(&self) -> Option<Reply> {
        self.answer.reply()
    }

    /// Whether the header holds a signature or token. Such a header is never stored or logged.
    pub fn is_secret_header(&self, name: &str) -> bool {
        match &self.signature.at {
            Place::Header(header) => header.eq_ignore_ascii_case(name),
            Place::Numbered(header) => name.get(..header.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(header)),
            _ => false,
        }
    }

    /// The header that names the event type, if one does.
    pub fn type_header(&self) -> Option<&str> {
        self.event_type.iter().flat_map(|places| places.iter()).find_map(Place::header).map(AsRef::as_ref)
    }

    /// Whether the signature covers the URL, so that the operator must say what it is.
    pub fn needs_url(&self) -> bool {
        self.pieces().any(|piece| *piece == Piece::Url)
    }

    /// The member of the first, unsigned POST that brings the secret.
    pub fn pairs(&self) -> Option<&str> {
        match &self.challenge {
            Some(Challenge::Pair { member }) => Some(member),
            _ => None,
        }
    }

    /// Whether a GET is answered for a verify token of the operator's.
    pub fn wants_verify_token(&self) -> bool {
        matches!(&self.challenge, Some(Challenge::Echo { verify: Some(_), .. }))
    }

    /// Whether a GET may be a challenge.
    pub fn is_challenged_by_get(&self) -> bool {
        matches!(&self.challenge, Some(Challenge::Echo { .. } | Challenge::Crc { .. }))
    }

    /// Whether senders ask by OPTIONS if they may send.
    pub fn is_asked_for_permission(&self) -> bool {
        self.body == BodyForm::CloudEvents
    }

    /// How far a delivery's timestamp may be from the clock unless the operator says otherwise;
    /// `None` where the scheme signs no time, so that only dedupe stops a replay.
    pub fn tolerance(&self) -> Option<Millis> {
        self.timestamp.as_ref().map(|rule| rule.tolerance)
    }

    /// The preset for senders that have none of their own.
    pub fn generic() -> &'static Scheme {
        let [generic, ..] = &PRESETS;
        generic
    }

    /// The JSON that the delivery is, or has in it; the body where there is none.
    pub fn document<'a>(&self, delivery: &Delivery<'a>) -> Cow<'a, [u8]> {
        delivery.document(&self.body)
    }

    /// The one header that [`Piece::Id`] is.
    pub(crate) fn id_header(&self) -> Option<&Text> {
        match self.delivery_id.as_ref() {
            [only] => match only.as_ref() {
                [Place::Header(name)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.methods.iter().flat_map(|method| method.content.iter())
    }

    /// The tags of the entries that are no signatures.
    pub(crate) fn entry_tags(&self) -> impl Iterator<Item = &str> {
        let signed = self.pieces().filter_map(|piece| match piece {
            Piece::Entry(tag) | Piece::HeadersOf { entry: tag, .. } => Some(tag.as_ref()),
            _ => None,
        });
        let timed = self.timestamp.iter().filter_map(|rule| match &rule.at {
            Place::Entry(tag) => Some(tag.as_ref()),
            _ => None,
        });
        signed.chain(timed)
    }

    /// Whether what is signed is read out of the JSON, member by member.
    pub(crate) fn signs_members(&self) -> bool {
        self.each.is_some() || self.pieces().any(|piece| matches!(piece, Piece::Json(_)))
    }

    /// Every header that the scheme reads; a numbered one by the name before the number.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let timestamp = self.timestamp.as_ref().map(|rule| &rule.at);
        let names = self.event_type.iter().chain(self.delivery_id.iter()).flat_map(|places| places.iter());
        let places = [Some(&self.signature.at), timestamp].into_iter().flatten().chain(names);
        let signed = self.pieces().filter_map(|piece| match piece {
            Piece::Header(name) => Some(name),
            _ => None,
        });
        places.filter_map(Place::header).chain(signed).map(AsRef::as_ref)
    }
}
