//! The schemes that hookbox knows by name.

use std::borrow::Cow;

use super::scheme::{
    Algorithm, BodyForm, Encoding, IdAt, KeyForm, Method, Piece, Scheme, SignatureHeader, Text, TimestampAt,
    TimestampRule, TimestampUnit, TypeAt,
};
use crate::time::Millis;

/// What every reference library of Stripe and Standard Webhooks allows.
const TOLERANCE: Millis = Millis(300_000);

/// Other names that people look a preset up by, each with the preset's own.
pub const ALIASES: &[(&str, &str)] = &[("github", "github-256")];

pub(super) static PRESETS: [Scheme; 4] = [GENERIC, GITHUB_256, STRIPE, STANDARD_WEBHOOKS];

const fn text(text: &'static str) -> Text {
    Cow::Borrowed(text)
}

const fn hmac_sha256(tag: &'static str) -> Method {
    Method { tag: text(tag), algorithm: Algorithm::HmacSha256, key: KeyForm::Literal }
}

/// For senders of one's own. Its type header is not signed: what must not be forged belongs in
/// the body.
const GENERIC: Scheme = Scheme {
    name: text("generic"),
    signature: SignatureHeader { name: text("X-Webhook-Signature"), separator: None, encoding: Encoding::Hex },
    methods: Cow::Borrowed(&[const { hmac_sha256("sha256=") }]),
    content: Cow::Borrowed(&[Piece::Body]),
    timestamp: None,
    event_type: TypeAt::HeaderOrMember { header: text("X-Event-Type"), member: text("type") },
    delivery_id: IdAt::Member(text("event_id")),
    body: BodyForm::Json,
};

/// GitHub signs the body alone: its type and delivery id are as good as anybody's who has seen a
/// delivery. `X-Hub-Signature`, which is SHA-1, is not read.
const GITHUB_256: Scheme = Scheme {
    name: text("github-256"),
    signature: SignatureHeader { name: text("X-Hub-Signature-256"), separator: None, encoding: Encoding::Hex },
    methods: Cow::Borrowed(&[const { hmac_sha256("sha256=") }]),
    content: Cow::Borrowed(&[Piece::Body]),
    timestamp: None,
    event_type: TypeAt::HeaderDotMember { header: text("X-GitHub-Event"), member: text("action") },
    delivery_id: IdAt::Header(text("X-GitHub-Delivery")),
    body: BodyForm::JsonOrForm { field: text("payload") },
};

/// The key is the whole secret, `whsec_` included; entries of `v0`, a scheme for tests, are skipped.
const STRIPE: Scheme = Scheme {
    name: text("stripe"),
    signature: SignatureHeader { name: text("Stripe-Signature"), separator: Some(','), encoding: Encoding::Hex },
    methods: Cow::Borrowed(&[const { hmac_sha256("v1=") }]),
    content: Cow::Borrowed(&[Piece::Timestamp, Piece::Literal(text(".")), Piece::Body]),
    timestamp: Some(TimestampRule {
        at: TimestampAt::Entry(text("t=")),
        unit: TimestampUnit::Seconds,
        tolerance: TOLERANCE,
    }),
    event_type: TypeAt::Member(text("type")),
    delivery_id: IdAt::Member(text("id")),
    body: BodyForm::Json,
};

/// <https://www.standardwebhooks.com>, version 1.0.0.
const STANDARD_WEBHOOKS: Scheme = Scheme {
    name: text("standard-webhooks"),
    signature: SignatureHeader { name: text("webhook-signature"), separator: Some(' '), encoding: Encoding::Base64 },
    methods: Cow::Borrowed(&[
        Method {
            tag: text("v1,"),
            algorithm: Algorithm::HmacSha256,
            key: KeyForm::Base64 { prefix: text("whsec_"), bytes_min: 24, bytes_max: 64 },
        },
        Method {
            tag: text("v1a,"),
            algorithm: Algorithm::Ed25519,
            key: KeyForm::Base64 { prefix: text("whpk_"), bytes_min: 32, bytes_max: 32 },
        },
    ]),
    content: Cow::Borrowed(&[
        Piece::Id,
        Piece::Literal(text(".")),
        Piece::Timestamp,
        Piece::Literal(text(".")),
        Piece::Body,
    ]),
    timestamp: Some(TimestampRule {
        at: TimestampAt::Header(text("webhook-timestamp")),
        unit: TimestampUnit::Seconds,
        tolerance: TOLERANCE,
    }),
    event_type: TypeAt::Member(text("type")),
    delivery_id: IdAt::Header(text("webhook-id")),
    body: BodyForm::Json,
};
