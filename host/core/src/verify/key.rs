//! Secrets, decoded once into keys that are ready to check a signature.

use std::borrow::Cow;

use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::scheme::{Algorithm, Encoding, KeyForm, Method, Scheme};
use crate::secret::Secret;

/// Longest token that a sender may show.
const TOKEN_BYTES_MAX: usize = 512;

/// A secret that its scheme cannot use. It never quotes the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableSecret {
    #[error("scheme {scheme} needs at least one secret")]
    None { scheme: String },
    /// `position` counts from 0, as the operator listed them.
    #[error("secret {} of scheme {scheme} {why}", position + 1)]
    Malformed { scheme: String, position: usize, why: String },
}

impl UnusableSecret {
    /// The cause, as shown to operators and counted in metrics.
    pub fn code(&self) -> &'static str {
        "unusable-secret"
    }
}

/// One secret's key for each method that it is for, strongest first.
pub(super) struct Key {
    pub(super) states: Vec<(usize, State)>,
}

/// An HMAC with the key already absorbed, a public key, or what else a method checks with.
pub(super) enum State {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Hmac<Sha512>),
    Sha256(Zeroizing<Vec<u8>>),
    Ed25519(VerifyingKey),
    EcdsaP256(ecdsa::VerifyingKey),
    /// The token's hash: two of them are of one length, so that a comparison tells nothing.
    Token([u8; 32]),
}

/// The signed bytes, piece by piece, so that a body is not copied.
pub(super) type Content<'a> = [Cow<'a, [u8]>];

impl Key {
    pub(super) fn decode(scheme: &Scheme, position: usize, secret: &Secret) -> Result<Key, UnusableSecret> {
        let refuse = |why| UnusableSecret::Malformed { scheme: scheme.name.to_string(), position, why };
        let claimed: Vec<_> = scheme.methods.iter().enumerate().filter(|(_, method)| method.claims(secret)).collect();
        if claimed.is_empty() {
            return Err(refuse(scheme.wanted_prefix()));
        }
        let state = |(index, method): (usize, &Method)| Ok((index, method.state(secret)?));
        let states: Result<_, String> = claimed.into_iter().map(state).collect();
        Ok(Key { states: states.map_err(refuse)? })
    }
}

impl State {
    /// What [`super::scheme::Piece::Secret`] stands for.
    pub(super) fn secret(&self) -> &[u8] {
        match self {
            State::Sha256(secret) => secret,
            _ => &[],
        }
    }

    /// Whether one of the candidates signs the content. Every candidate is tried.
    pub(super) fn matches(&self, content: &Content<'_>, candidates: &[Vec<u8>]) -> Choice {
        let any = |fits: &dyn Fn(&[u8]) -> Choice| {
            candidates.iter().fold(Choice::from(0), |hit, candidate| hit | fits(candidate))
        };
        match self {
            State::HmacSha1(keyed) => {
                let expected = mac(keyed, content);
                any(&|candidate| candidate.ct_eq(&expected))
            }
            State::HmacSha256(keyed) => {
                let expected = mac(keyed, content);
                any(&|candidate| candidate.ct_eq(&expected))
            }
            State::HmacSha512(keyed) => {
                let expected = mac(keyed, content);
                any(&|candidate| candidate.ct_eq(&expected))
            }
            State::Sha256(_) => {
                let expected = digest(content);
                any(&|candidate| candidate.ct_eq(&expected))
            }
            State::Ed25519(key) => {
                let content = content.concat();
                any(&|candidate| {
                    let signature = Signature::from_slice(candidate);
                    Choice::from(u8::from(
                        signature.is_ok_and(|signature| key.verify_strict(&content, &signature).is_ok()),
                    ))
                })
            }
            State::EcdsaP256(key) => {
                let content = content.concat();
                any(&|candidate| {
                    let signature = ecdsa::Signature::from_der(candidate);
                    Choice::from(u8::from(signature.is_ok_and(|signature| key.verify(&content, &signature).is_ok())))
                })
            }
            State::Token(expected) => any(&|candidate| {
                let shown: [u8; 32] = Sha256::digest(candidate).into();
                shown.ct_eq(expected) & Choice::from(u8::from(candidate.len() <= TOKEN_BYTES_MAX))
            }),
        }
    }

    /// `None` for a public key, which cannot sign, and for a token, which is shown as it is.
    pub(super) fn sign(&self, content: &Content<'_>) -> Option<Vec<u8>> {
        match self {
            State::HmacSha1(keyed) => Some(mac(keyed, content)),
            State::HmacSha256(keyed) => Some(mac(keyed, content)),
            State::HmacSha512(keyed) => Some(mac(keyed, content)),
            State::Sha256(_) => Some(digest(content)),
            State::Ed25519(_) | State::EcdsaP256(_) | State::Token(_) => None,
        }
    }
}

impl Method {
    pub(super) fn claims(&self, secret: &Secret) -> bool {
        match &self.key {
            KeyForm::Literal => true,
            KeyForm::Base64 { prefix, .. } | KeyForm::Hex { prefix, .. } => {
                secret.expose().starts_with(prefix.as_bytes())
            }
        }
    }

    fn state(&self, secret: &Secret) -> Result<State, String> {
        let key = self.decode(secret)?;
        let unusable = || "is no usable key".to_owned();
        match self.algorithm {
            Algorithm::HmacSha1 => Hmac::new_from_slice(&key).map(State::HmacSha1).map_err(|_| unusable()),
            Algorithm::HmacSha256 => Hmac::new_from_slice(&key).map(State::HmacSha256).map_err(|_| unusable()),
            Algorithm::HmacSha512 => Hmac::new_from_slice(&key).map(State::HmacSha512).map_err(|_| unusable()),
            Algorithm::Sha256 => Ok(State::Sha256(key)),
            Algorithm::Ed25519 => ed25519(&key).map(State::Ed25519).ok_or_else(unusable),
            Algorithm::EcdsaP256 => {
                let key = ecdsa::VerifyingKey::from_public_key_der(&key);
                key.map(State::EcdsaP256).map_err(|_| "must be a P-256 public key, DER SPKI in base64".to_owned())
            }
            Algorithm::Token => self.token(&key).map(State::Token),
        }
    }

    fn token(&self, token: &[u8]) -> Result<[u8; 32], String> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(format!("must have at most {TOKEN_BYTES_MAX} bytes"));
        }
        if self.encoding == Encoding::Base64 && !token.contains(&b':') {
            return Err("must be user:password".to_owned());
        }
        if self.encoding == Encoding::Plain && token.iter().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
            return Err("must be a token without white space".to_owned());
        }
        Ok(Sha256::digest(token).into())
    }

    fn decode(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, String> {
        use base64::prelude::{BASE64_STANDARD, Engine};

        let (prefix, min, max) = match &self.key {
            KeyForm::Literal => return Ok(Zeroizing::new(secret.expose().to_vec())),
            KeyForm::Base64 { prefix, bytes_min, bytes_max } | KeyForm::Hex { prefix, bytes_min, bytes_max } => {
                (prefix, *bytes_min, *bytes_max)
            }
        };
        let encoded = secret.expose().strip_prefix(prefix.as_bytes()).unwrap_or_default();
        let behind = if prefix.is_empty() { String::new() } else { format!(" behind {prefix}") };
        let key = match &self.key {
            KeyForm::Hex { .. } => hex::decode(encoded).map_err(|_| format!("must be hexadecimal digits{behind}")),
            _ => BASE64_STANDARD.decode(encoded).map_err(|_| format!("must be base64{behind}")),
        };
        let key = Zeroizing::new(key?);
        if (min..=max).contains(&key.len()) {
            return Ok(key);
        }
        let wanted = if min == max { min.to_string() } else { format!("{min} to {max}") };
        Err(format!("must decode to {wanted} bytes{behind}, got {}", key.len()))
    }
}

impl Scheme {
    fn wanted_prefix(&self) -> String {
        let prefixes = self.methods.iter().filter_map(|method| match &method.key {
            KeyForm::Base64 { prefix, .. } | KeyForm::Hex { prefix, .. } => Some(prefix.as_ref()),
            KeyForm::Literal => None,
        });
        format!("must begin with {}", prefixes.collect::<Vec<_>>().join(" or "))
    }
}

fn mac<M: Mac + Clone>(keyed: &M, content: &Content<'_>) -> Vec<u8> {
    let mut mac = keyed.clone();
    for piece in content {
        mac.update(piece);
    }
    mac.finalize().into_bytes().to_vec()
}

fn digest(content: &Content<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for piece in content {
        hash.update(piece);
    }
    hash.finalize().to_vec()
}

/// Refuses keys of small order: under one, a single signature would fit many messages.
fn ed25519(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    (!key.is_weak()).then_some(key)
}
