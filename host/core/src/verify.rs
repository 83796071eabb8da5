//! Who sent a delivery, what it is, and whether it was there before.
//!
//! A [`Scheme`] says as data how a sender signs. A [`Verifier`] is a scheme with its secrets
//! decoded, made once per provider; [`Verifier::verify`] then answers for each delivery. What it
//! lets through is named by [`Scheme::locate`] and told from a repetition by [`dedupe`].
//! [`sign`] is the sender's side, for tools and tests.
//!
//! Every function is pure: the clock's reading comes in, and nothing here quotes a secret, an
//! expected signature or a header's value.

mod challenge;
mod cloudevents;
mod content;
mod coverage;
mod dedupe;
mod delivery;
mod describe;
mod header;
mod identity;
mod json;
mod key;
mod keyring;
mod place;
mod presets;
mod sample;
pub(crate) mod scheme;
mod sign;
mod timestamp;

use std::borrow::Cow;
use std::fmt;

pub use challenge::Reply;
pub use cloudevents::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, BATCH_MAX, CloudEvent, CloudEvents, Fault, NotCloudEvents};
pub use dedupe::{BODY_WINDOW, Dedupe, DedupeKey, ID_WINDOW, dedupe, dedupe_event};
pub use delivery::Delivery;
pub use describe::{Description, MethodDescription, describe};
pub use header::SIGNATURES_MAX;
pub use identity::{DELIVERY_ID_BYTES_MAX, DeliveryId, EVENT_TYPE_BYTES_MAX, Identity};
pub use key::UnusableSecret;
pub use keyring::{Keyring, LastingSecret};
pub use presets::{ALIASES, About, about, alike};
pub use sample::{Sample, sample};
pub use scheme::{Scheme, schemes};
pub use sign::{Outgoing, Signed, sign};

use crate::secret::Secret;
use crate::time::{Millis, Timestamp};
use content::{Values, content};
use delivery::Document;
use header::Entries;
use key::{Key, State};
use scheme::{Place, Text};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Longest value of a header that a scheme reads: 16 signatures of the longest kind take 1.5 KiB.
pub const HEADER_BYTES_MAX: usize = 4096;

/// A scheme with the secrets of one provider, each decoded into a key.
pub struct Verifier {
    scheme: Scheme,
    keys: Vec<Key>,
    /// `None` where the scheme signs no time.
    tolerance: Option<Millis>,
    /// What the sender shows when it asks whether the host is its customer's.
    verify_token: Option<Secret>,
}

/// A delivery that is what its sender signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which secret fits, as an index into the list that the verifier was made of.
    pub secret: usize,
    pub integrity: Integrity,
    /// The sender's time, where the scheme signs one.
    pub signed_at: Option<Timestamp>,
    /// The delivery is a challenge and no event: this is its answer.
    pub challenge: Option<Reply>,
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
    #[error("there is no signature: {place} is missing")]
    MissingSignature { place: Text },
    #[error("header {header} is there more than once")]
    DuplicateHeader { header: Text },
    #[error("{header} is malformed: {why}")]
    MalformedHeader { header: Text, why: &'static str },
    #[error("no signature in {header} is one of this delivery under any of the secrets")]
    Mismatch { header: Text },
    #[error("{header} is of {signed_at}, more than {tolerance} {} {now}, the time here", side(*.signed_at, *.now))]
    OutsideTolerance { header: Text, signed_at: Timestamp, now: Timestamp, tolerance: Millis },
    #[error("the signature covers the URL: set public_url to the one that the sender calls")]
    NoPublicUrl,
    #[error("the provider's scheme has no such challenge")]
    NoChallenge,
    #[error("the challenge is no plain word of a length to be answered")]
    BadChallenge,
    #[error("the provider has no verify token: set verify_token")]
    NoVerifyToken,
    #[error("the verify token is another one")]
    WrongVerifyToken,
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
            Refusal::MissingSignature { .. } => "missing-signature",
            Refusal::DuplicateHeader { .. } => "duplicate-header",
            Refusal::MalformedHeader { .. } => "malformed-header",
            Refusal::Mismatch { .. } => "mismatch",
            Refusal::OutsideTolerance { .. } => "outside-tolerance",
            Refusal::NoPublicUrl => "no-public-url",
            Refusal::NoChallenge => "no-challenge",
            Refusal::BadChallenge => "bad-challenge",
            Refusal::NoVerifyToken => "no-verify-token",
            Refusal::WrongVerifyToken => "wrong-verify-token",
            Refusal::SecretsEnded => "secrets-ended",
        }
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
        Ok(Verifier { scheme: scheme.clone(), keys, tolerance, verify_token: None })
    }

    #[must_use]
    pub fn with_verify_token(self, verify_token: Option<Secret>) -> Verifier {
        Verifier { verify_token, ..self }
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
        if self.scheme.needs_url() && delivery.url.is_empty() {
            return Err(Refusal::NoPublicUrl);
        }
        let document = Document(delivery.document(&self.scheme.body));
        // Where members are signed one by one, whoever reads the last of a name must not get another
        // value than the one that was checked.
        if self.scheme.signs_members() && !json::has_each_member_once(&document.0) {
            let place = Text::Borrowed("the body");
            return Err(Refusal::MalformedHeader { header: place, why: "it is no JSON, or a member is there twice" });
        }
        let Some(each) = &self.scheme.each else {
            return self.verify_part(delivery, &document, now);
        };
        let parts = json::at(&document.0, each);
        let list = each.rfind("[]").and_then(|at| each.get(..at + 2));
        if list.is_some_and(|list| json::at(&document.0, list).len() != parts.len()) {
            let place = Text::Borrowed("the body");
            return Err(Refusal::MalformedHeader { header: place, why: "an item has nothing that is signed" });
        }
        let mut verified = None;
        for part in parts {
            let part = Document(Cow::Borrowed(part.get().as_bytes()));
            verified = Some(self.verify_part(delivery, &part, now)?);
        }
        let place = || Place::Json(each.clone()).shown();
        verified.ok_or_else(|| Refusal::MissingSignature { place: place() })
    }

    fn verify_part(
        &self,
        delivery: &Delivery<'_>,
        document: &Document<'_>,
        now: Timestamp,
    ) -> Result<Verified, Refusal> {
        let entries = Entries::read(&self.scheme, delivery, document)?;
        let time = self.time(delivery, document, &entries)?;
        let timestamp = time.as_ref().map(|time| time.text.as_slice()).unwrap_or_default();
        let urls = self.urls(delivery);
        let mut fitting = None;
        let mut tried = false;
        for (position, key) in self.keys.iter().enumerate() {
            let Some((method, state)) = self.method_for(key, &entries) else { continue };
            tried = true;
            let candidates = entries.candidates(method);
            let mut fits = subtle::Choice::from(0);
            for url in &urls {
                let values = Values { delivery, document, entries: &entries, timestamp, url };
                let content = content(&self.scheme, &method.content, state.secret(), &values)?;
                fits |= state.matches(&content, &candidates);
            }
            fitting = fitting.or(bool::from(fits).then_some((position, state)));
        }
        if !tried {
            return Err(entries.malformed("it has no signature of the kind that the secrets are for"));
        }
        let (secret, state) = fitting.ok_or_else(|| Refusal::Mismatch { header: entries.shown() })?;
        self.check_body_hash(delivery)?;
        if let (Some(Time { place, at, .. }), Some(tolerance)) = (&time, self.tolerance)
            && at.0.abs_diff(now.0) > tolerance.0
        {
            return Err(Refusal::OutsideTolerance { header: place.clone(), signed_at: *at, now, tolerance });
        }
        let challenge = self.posted(delivery, document, Some(state))?;
        let signed_at = time.map(|time| time.at);
        Ok(Verified { secret, integrity: self.scheme.integrity(), signed_at, challenge })
    }

    /// The strongest of a key's methods of which there is a signature: a sender that signs both ways
    /// is not to be taken at its weaker word.
    fn method_for<'a>(&'a self, key: &'a Key, entries: &Entries<'_>) -> Option<(&'a scheme::Method, &'a State)> {
        let methods = key.states.iter().filter_map(|(index, state)| Some((self.scheme.methods.get(*index)?, state)));
        let mut there = methods.filter(|(method, _)| entries.has(method));
        there.next()
    }

    fn time(
        &self,
        delivery: &Delivery<'_>,
        document: &Document<'_>,
        entries: &Entries<'_>,
    ) -> Result<Option<Time>, Refusal> {
        let Some(rule) = &self.scheme.timestamp else {
            return Ok(None);
        };
        let (place, text) = match &rule.at {
            Place::Header(name) => (name.clone(), Some(delivery.required(name)?.to_vec())),
            Place::Entry(tag) => (entries.shown(), entries.entry(tag)?.map(<[u8]>::to_vec)),
            other => (other.shown(), other.value(delivery, document, Some(entries)).map(String::into_bytes)),
        };
        let refuse = |why| Refusal::MalformedHeader { header: place.clone(), why };
        let text = text.ok_or_else(|| refuse("it has no timestamp"))?;
        let at = timestamp::parse(&text, rule.unit).ok_or_else(|| refuse("its timestamp cannot be read"))?;
        Ok(Some(Time { place, text, at }))
    }

    /// The URL with and without its port: senders differ in what they sign.
    fn urls(&self, delivery: &Delivery<'_>) -> Vec<String> {
        if !self.scheme.needs_url() {
            return vec![String::new()];
        }
        let given = delivery.url.to_owned();
        let mut urls = vec![given.clone()];
        if let Some((start, rest)) = given.split_once("://") {
            let usual = if start == "https" { "443" } else { "80" };
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (host, path) = rest.split_at(end);
            match host.rsplit_once(':') {
                Some((host, _)) => urls.push(format!("{start}://{host}{path}")),
                None => urls.push(format!("{start}://{host}:{usual}{path}")),
            }
        }
        urls
    }

    /// Where the URL is signed and holds the body's hash, the hash must be of this body.
    fn check_body_hash(&self, delivery: &Delivery<'_>) -> Result<(), Refusal> {
        let Some(parameter) = &self.scheme.body_hash else { return Ok(()) };
        let query = delivery.url.split_once('?').map_or("", |(_, query)| query);
        let shown = Delivery { query, ..*delivery }.query(parameter);
        // Who declares a body to be a form must not be rid of the hash that was signed.
        if shown.is_none() && (delivery.is_form() || delivery.body.is_empty()) {
            return Ok(());
        }
        let expected = hex::encode(Sha256::digest(delivery.body));
        let fits = shown.is_some_and(|shown| shown.to_ascii_lowercase().as_bytes().ct_eq(expected.as_bytes()).into());
        let place = Place::Query(parameter.clone()).shown();
        if fits { Ok(()) } else { Err(Refusal::Mismatch { header: place }) }
    }
}

/// The time that a delivery says it was signed at, and where it says so.
struct Time {
    place: Text,
    text: Vec<u8>,
    at: Timestamp,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Verifier");
        shown.field("scheme", &self.scheme.name).field("secrets", &self.keys.len());
        shown.field("tolerance", &self.tolerance).finish()
    }
}
