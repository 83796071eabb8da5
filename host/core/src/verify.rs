//! Who sent a delivery, what it is, and whether it was there before.
//!
//! A [`Scheme`] says as data how a sender signs. A [`Verifier`] is a scheme with its secrets
//! decoded, made once per provider; [`Verifier::verify`] then answers for each delivery. What it
//! lets through is named by [`Scheme::locate`] and told from a repetition by [`dedupe`].
//! [`sign`] is the sender's side, for tools and tests.
//!
//! Every function is pure: the clock's reading comes in, and nothing here quotes a secret, an
//! expected signature or a header's value.

mod dedupe;
mod header;
mod identity;
mod key;
mod keyring;
mod presets;
mod scheme;
mod sign;

use std::fmt;

pub use dedupe::{BODY_WINDOW, Dedupe, DedupeKey, ID_WINDOW, dedupe};
pub use header::SIGNATURES_MAX;
pub use identity::{DELIVERY_ID_BYTES_MAX, DeliveryId, EVENT_TYPE_BYTES_MAX, Identity};
pub use key::UnusableSecret;
pub use keyring::{Keyring, LastingSecret};
pub use presets::ALIASES;
pub use scheme::{Scheme, schemes};
pub use sign::sign;

use crate::secret::Secret;
use crate::time::{Millis, Timestamp};
use header::{Candidate, Entries};
use key::Key;
use scheme::{IdAt, Piece, Text, TimestampAt, Values};

/// Longest value of a header that a scheme reads: 16 signatures of the longest kind take 1.5 KiB.
pub const HEADER_BYTES_MAX: usize = 4096;

/// One request as it came in: the raw body, never a parsed and rewritten one.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Names in any case; a repeated header as several pairs.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

/// A scheme with the secrets of one provider, each decoded into a key.
pub struct Verifier {
    scheme: Scheme,
    keys: Vec<Key>,
    /// `None` where the scheme signs no time.
    tolerance: Option<Millis>,
}

/// A delivery that is what its sender signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Which secret fits, as an index into the list that the verifier was made of.
    pub secret: usize,
    pub integrity: Integrity,
    /// The sender's time, where the scheme signs one.
    pub signed_at: Option<Timestamp>,
}

/// How much of a delivery its signature vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Integrity {
    /// Nothing: the sender showed a password at most.
    None,
    /// The sender, but not the body, or not all of it.
    Partial,
    /// Every byte of the body.
    Full,
}

/// Why a delivery is not let in. Strangers are told none of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("header {header} is missing")]
    MissingHeader { header: Text },
    #[error("header {header} is there more than once")]
    DuplicateHeader { header: Text },
    #[error("header {header} is malformed: {why}")]
    MalformedHeader { header: Text, why: &'static str },
    #[error("no signature in {header} is one of this delivery under any of the secrets")]
    Mismatch { header: Text },
    #[error("header {header} is of {signed_at}, more than {tolerance} {} {now}, the time here", side(*.signed_at, *.now))]
    OutsideTolerance { header: Text, signed_at: Timestamp, now: Timestamp, tolerance: Millis },
    #[error("every secret has ended: give the provider one that counts")]
    SecretsEnded,
}

fn side(signed_at: Timestamp, now: Timestamp) -> &'static str {
    if signed_at < now { "before" } else { "after" }
}

impl Refusal {
    /// The cause, as shown to operators and counted in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::MissingHeader { .. } => "missing-header",
            Refusal::DuplicateHeader { .. } => "duplicate-header",
            Refusal::MalformedHeader { .. } => "malformed-header",
            Refusal::Mismatch { .. } => "mismatch",
            Refusal::OutsideTolerance { .. } => "outside-tolerance",
            Refusal::SecretsEnded => "secrets-ended",
        }
    }
}

impl<'a> Delivery<'a> {
    /// The header's value without the white space around it.
    fn header(&self, name: &Text) -> Result<Option<&'a [u8]>, Refusal> {
        let mut values = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let Some((_, value)) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Refusal::DuplicateHeader { header: name.clone() });
        }
        if value.len() > HEADER_BYTES_MAX {
            return Err(Refusal::MalformedHeader { header: name.clone(), why: "it is too long" });
        }
        Ok(Some(value.trim_ascii()))
    }

    fn required(&self, name: &Text) -> Result<&'a [u8], Refusal> {
        self.header(name)?.ok_or_else(|| Refusal::MissingHeader { header: name.clone() })
    }
}

impl Verifier {
    /// Decodes every secret, once. `tolerance` stands in for the scheme's own, both ways; it is
    /// without effect where the scheme signs no time. Fails on the first secret that the scheme
    /// cannot use, and without any.
    pub fn new(scheme: &Scheme, secrets: &[Secret], tolerance: Option<Millis>) -> Result<Verifier, UnusableSecret> {
        if secrets.is_empty() {
            return Err(UnusableSecret::None { scheme: scheme.name().to_owned() });
        }
        let decode = |(position, secret)| Key::decode(scheme, position, secret);
        let keys = secrets.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
        let tolerance = scheme.tolerance().map(|usual| tolerance.unwrap_or(usual));
        Ok(Verifier { scheme: scheme.clone(), keys, tolerance })
    }

    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Accepts a delivery of which one signature fits one secret. Every header that the scheme
    /// reads must be there once at most, those that [`Scheme::locate`] reads included. Every pair
    /// is tried, so that the time taken does not tell which secret fits. The window, with both of
    /// its ends, is checked last, so that only the sender can learn how the clocks differ.
    pub fn verify(&self, delivery: &Delivery<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        for name in self.scheme.headers() {
            delivery.header(name)?;
        }
        let value = delivery.required(&self.scheme.signature.name)?;
        let entries = Entries::read(&self.scheme, value, |method| self.keys.iter().any(|key| key.method == method))?;
        let time = self.time(delivery, &entries)?;
        let timestamp = time.as_ref().map(|time| time.text).unwrap_or_default();
        let values = Values { timestamp, id: self.signed_id(delivery)?, body: delivery.body };
        let secret = self.fitting(&values, &entries.candidates);
        let secret = secret.ok_or_else(|| Refusal::Mismatch { header: self.scheme.signature.name.clone() })?;
        if let (Some(Time { header, at, .. }), Some(tolerance)) = (&time, self.tolerance)
            && at.0.abs_diff(now.0) > tolerance.0
        {
            return Err(Refusal::OutsideTolerance { header: (*header).clone(), signed_at: *at, now, tolerance });
        }
        let signed_at = time.map(|time| time.at);
        Ok(Verified { secret, integrity: self.scheme.integrity(), signed_at })
    }

    fn time<'a>(&'a self, delivery: &Delivery<'a>, entries: &Entries<'a>) -> Result<Option<Time<'a>>, Refusal> {
        let Some(rule) = &self.scheme.timestamp else {
            return Ok(None);
        };
        let (header, text) = match &rule.at {
            TimestampAt::Header(name) => (name, Some(delivery.required(name)?)),
            TimestampAt::Entry(_) => (&self.scheme.signature.name, entries.timestamp),
        };
        let refuse = |why| Refusal::MalformedHeader { header: header.clone(), why };
        let text = text.ok_or_else(|| refuse("it has no timestamp"))?;
        let at = header::timestamp(text, rule.unit).ok_or_else(|| refuse("its timestamp cannot be read"))?;
        Ok(Some(Time { header, text, at }))
    }

    /// The id as it is signed; empty where the signature does not cover it, or covers it in the body.
    fn signed_id<'a>(&self, delivery: &Delivery<'a>) -> Result<&'a [u8], Refusal> {
        let IdAt::Header(name) = &self.scheme.delivery_id else {
            return Ok(&[]);
        };
        if !self.scheme.content.contains(&Piece::Id) {
            return Ok(&[]);
        }
        let id = delivery.required(name)?;
        let terminator = self.scheme.id_terminator();
        if terminator.is_some_and(|end| id.windows(end.len()).any(|part| part == end)) {
            let why = "an id must not contain what ends it in the signed content";
            return Err(Refusal::MalformedHeader { header: name.clone(), why });
        }
        Ok(id)
    }

    fn fitting(&self, values: &Values<'_>, candidates: &[Candidate]) -> Option<usize> {
        let mut fitting = None;
        for (position, key) in self.keys.iter().enumerate() {
            let fits = bool::from(key.matches(&self.scheme, values, candidates));
            fitting = fitting.or(fits.then_some(position));
        }
        fitting
    }
}

/// The time that a delivery says it was signed at, and where it says so.
struct Time<'a> {
    header: &'a Text,
    text: &'a [u8],
    at: Timestamp,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Verifier");
        shown.field("scheme", &self.scheme.name).field("secrets", &self.keys.len());
        shown.field("tolerance", &self.tolerance).finish()
    }
}
