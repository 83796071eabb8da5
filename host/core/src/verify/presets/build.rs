//! Words to write a preset in.

use std::borrow::Cow;
use std::mem::{forget, replace};

use super::super::scheme::{
    Algorithm, Answer, BodyForm, Challenge, Encoding, KeyForm, List, Method, Naming, Piece, Place, Repeats, Scheme,
    SignatureAt, Text, TimestampRule, TimestampUnit, Untagged,
};
use crate::time::Millis;

/// What the libraries of Stripe, Slack and Standard Webhooks allow, and what stands in where a
/// sender names nothing.
pub(super) const TOLERANCE: Millis = Millis(300_000);

macro_rules! list {
    ($($item:expr),* $(,)?) => {
        std::borrow::Cow::Borrowed(const { &[$($item),*] })
    };
}

/// Alternatives, each a list of places.
macro_rules! naming {
    ($([$($place:expr),+ $(,)?]),* $(,)?) => {
        list![$(list![$($place),+]),*]
    };
}

pub(super) use {list, naming};

/// How a replay is met where the body is known.
pub(super) const BODY_KNOWN: &str = "no time is signed: the body is known for 7 days, as is the delivery id";
/// And where equal bodies may be two events.
pub(super) const ID_KNOWN: &str =
    "no time is signed: the delivery id is known for 7 days, and not signed: equal bodies may be two events";

pub(super) const RECEIVED: Answer = answer("text/plain", "");
pub(super) const BODY: List<Piece> = list![Piece::Body];
pub(super) const NOTHING: List<Piece> = list![];
pub(super) const NO_ID: Naming = naming![];

pub(super) const fn text(text: &'static str) -> Text {
    Cow::Borrowed(text)
}

pub(super) const fn header(name: &'static str) -> Place {
    Place::Header(text(name))
}

pub(super) const fn json(path: &'static str) -> Place {
    Place::Json(text(path))
}

pub(super) const fn form(field: &'static str) -> Place {
    Place::Form(text(field))
}

pub(super) const fn constant(value: &'static str) -> Place {
    Place::Constant(text(value))
}

pub(super) const fn literal(value: &'static str) -> Piece {
    Piece::Literal(text(value))
}

pub(super) const fn json_piece(path: &'static str) -> Piece {
    Piece::Json(text(path))
}

/// Status 200.
pub(super) const fn answer(content_type: &'static str, body: &'static str) -> Answer {
    Answer::Fixed { status: 200, content_type: text(content_type), body: text(body) }
}

/// HMAC-SHA256 with the secret as it is.
pub(super) const fn hmac_sha256(tag: &'static str, encoding: Encoding, content: List<Piece>) -> Method {
    method(tag, Algorithm::HmacSha256, KeyForm::Literal, encoding, content)
}

/// HMAC-SHA1, for the senders that offer nothing better.
pub(super) const fn hmac_sha1(tag: &'static str, encoding: Encoding, content: List<Piece>) -> Method {
    method(tag, Algorithm::HmacSha1, KeyForm::Literal, encoding, content)
}

/// The secret itself.
pub(super) const fn token() -> Method {
    method("", Algorithm::Token, KeyForm::Literal, Encoding::Plain, NOTHING)
}

/// Basic auth; the secret is `user:password`.
pub(super) const fn basic() -> Method {
    method("Basic ", Algorithm::Token, KeyForm::Literal, Encoding::Base64, NOTHING)
}

pub(super) const fn method(
    tag: &'static str,
    algorithm: Algorithm,
    key: KeyForm,
    encoding: Encoding,
    content: List<Piece>,
) -> Method {
    Method { tag: text(tag), algorithm, key, encoding, content }
}

pub(super) const fn clock(at: Place, unit: TimestampUnit) -> TimestampRule {
    TimestampRule { at, unit, tolerance: TOLERANCE }
}

/// A scheme whose signature is the whole value of a header.
pub(super) const fn in_header(name: &'static str, at: &'static str, methods: List<Method>) -> Scheme {
    signed_at(name, header(at), None, methods)
}

/// A scheme whose signatures are entries of a header.
pub(super) const fn in_list(name: &'static str, at: &'static str, separator: char, methods: List<Method>) -> Scheme {
    signed_at(name, header(at), Some(separator), methods)
}

/// A scheme of JSON bodies without type, id, time or challenge.
pub(super) const fn signed_at(name: &'static str, at: Place, separator: Option<char>, methods: List<Method>) -> Scheme {
    Scheme {
        name: text(name),
        signature: SignatureAt { at, separator, untagged: Untagged::Skip },
        methods,
        each: None,
        body_hash: None,
        timestamp: None,
        event_type: naming![],
        delivery_id: naming![],
        body: BodyForm::Json,
        repeats: Repeats::ByIdOrBody,
        challenge: None,
        answer: Answer::Receipt,
    }
}

/// A plain assignment drops the old value, which a constant cannot; here it has nothing to free.
macro_rules! with {
    ($scheme:ident.$field:ident = $value:expr) => {{
        let mut scheme = $scheme;
        forget(replace(&mut scheme.$field, $value));
        scheme
    }};
    ($scheme:ident.$field:ident, $value:expr) => {{
        let mut scheme = $scheme;
        forget(scheme.$field.replace($value));
        scheme
    }};
}

impl Scheme {
    pub(super) const fn named_by(self, event_type: Naming, delivery_id: Naming) -> Scheme {
        let typed = with!(self.event_type = event_type);
        with!(typed.delivery_id = delivery_id)
    }

    /// One tag stands before all the signatures.
    pub(super) const fn tagged_once(self) -> Scheme {
        let mut scheme = self;
        scheme.signature.untagged = Untagged::Continue;
        scheme
    }

    pub(super) const fn timed(self, rule: TimestampRule) -> Scheme {
        with!(self.timestamp, rule)
    }

    pub(super) const fn per(self, each: &'static str) -> Scheme {
        with!(self.each, text(each))
    }

    pub(super) const fn hashing_body_in(self, parameter: &'static str) -> Scheme {
        with!(self.body_hash, text(parameter))
    }

    pub(super) const fn in_body(self, body: BodyForm) -> Scheme {
        with!(self.body = body)
    }

    pub(super) const fn repeating(self, repeats: Repeats) -> Scheme {
        let mut scheme = self;
        scheme.repeats = repeats;
        scheme
    }

    pub(super) const fn challenged(self, challenge: Challenge) -> Scheme {
        with!(self.challenge, challenge)
    }

    pub(super) const fn answering(self, answer: Answer) -> Scheme {
        with!(self.answer = answer)
    }
}
