//! What a repetition is known by.

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::cloudevents::CloudEvent;
use super::delivery::sorted_form;
use super::identity::{DeliveryId, Identity};
use super::scheme::{Piece, Repeats, Scheme};
use crate::name::ProviderName;
use crate::time::Millis;

/// How long a delivery is known by its id: senders retry for up to three days.
pub const ID_WINDOW: Millis = Millis(7 * Millis::DAY.0);

/// How long a body stands for its delivery where nothing else does: long enough for a retry after
/// a lost answer, short enough for a sender that means to say the same thing again.
pub const BODY_WINDOW: Millis = Millis(10 * Millis::MINUTE.0);

/// What the store compares a delivery by, in the transaction that accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// A delivery is a repetition when any of its keys is known already.
    pub keys: Vec<DedupeKey>,
    /// SHA-256 of the body alone: a repetition by id whose body has another one differs.
    pub body_sha256: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DedupeKey {
    /// Of provider, kind and value: no two kinds and no two providers share one.
    pub hash: [u8; 32],
    /// How long the key is kept after the delivery was accepted.
    pub window: Millis,
}

/// The keys of a verified delivery, of which an id counts for `window`:
/// - an id under the signature: the id;
/// - a scheme whose signature does not cover the id: the body, and the id if there is one. Whoever
///   replays the body under a new id, or under none, is known by the body, for just as long;
/// - a signed body without an id: the body, for the shorter window.
///
/// A form of which the fields are signed, and not the bytes, is known by what is signed of it.
pub fn dedupe(provider: &ProviderName, scheme: &Scheme, identity: &Identity, body: &[u8], window: Millis) -> Dedupe {
    let body_sha256: [u8; 32] = Sha256::digest(body).into();
    let key = |kind: &str, value: &[u8], window| DedupeKey { hash: hash(provider, kind, value), window };
    let by_fields = signs_fields(scheme) && serde_json::from_slice::<IgnoredAny>(body).is_err();
    let by_body = |window| match by_fields {
        true => key("form", &sorted_form(body), window),
        false => key("body", &body_sha256, window),
    };
    let id = identity.delivery_id.as_ref().map(|id| (key("id", id.value.as_bytes(), window), id.signed));
    let keys = match (scheme.repeats, id) {
        (Repeats::Never, _) | (Repeats::ById, None) => Vec::new(),
        (Repeats::ById, Some((by_id, _))) | (Repeats::ByIdOrBody, Some((by_id, true))) => vec![by_id],
        (Repeats::ByIdOrBody, Some((by_id, false))) => vec![by_id, by_body(window)],
        (Repeats::ByIdOrBody, None) if scheme.id_is_signed() => vec![by_body(BODY_WINDOW)],
        (Repeats::ByIdOrBody, None) => vec![by_body(window)],
    };
    Dedupe { keys, body_sha256 }
}

/// The same of one of the events that a delivery holds: its id counts together with its source, whatever their length.
pub fn dedupe_event(provider: &ProviderName, scheme: &Scheme, event: &CloudEvent<'_>, window: Millis) -> Dedupe {
    // Neither of them has a control character.
    let value = format!("{}\n{}", event.source, event.id);
    let signed = scheme.signs_id_of(event);
    let identity = Identity { event_type: None, delivery_id: Some(DeliveryId { value, signed }) };
    dedupe(provider, scheme, &identity, &event.data, window)
}

/// Whether whoever replays a form may write its fields in another way.
fn signs_fields(scheme: &Scheme) -> bool {
    scheme.pieces().any(|piece| *piece == Piece::SortedForm) && !scheme.pieces().any(|piece| *piece == Piece::Body)
}

/// Neither a provider's name nor a kind contains a zero byte.
fn hash(provider: &ProviderName, kind: &str, value: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [b"hookbox/dedupe/1", provider.as_str().as_bytes(), kind.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(value);
    hash.finalize().into()
}
