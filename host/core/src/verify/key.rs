//! Secrets, decoded once into keys that are ready to check a signature.

use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::header::Candidate;
use super::scheme::{Algorithm, KeyForm, Method, Scheme, Values};
use crate::secret::Secret;

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

/// One secret's key: the HMAC state with the key already absorbed, or a public key.
pub(super) struct Key {
    /// Which of the scheme's methods this key is for: its candidates are tried, no others.
    pub(super) method: usize,
    state: State,
}

enum State {
    HmacSha256(Hmac<Sha256>),
    Ed25519(VerifyingKey),
}

impl Key {
    pub(super) fn decode(scheme: &Scheme, position: usize, secret: &Secret) -> Result<Key, UnusableSecret> {
        let refuse = |why| UnusableSecret::Malformed { scheme: scheme.name.to_string(), position, why };
        let claimed = scheme.methods.iter().enumerate().find(|(_, method)| method.claims(secret));
        let (index, method) = claimed.ok_or_else(|| refuse(scheme.wanted_prefix()))?;
        let key = method.decode(secret).map_err(refuse)?;
        let state = match method.algorithm {
            Algorithm::HmacSha256 => Hmac::new_from_slice(&key).ok().map(State::HmacSha256),
            Algorithm::Ed25519 => public_key(&key).map(State::Ed25519),
        };
        let state = state.ok_or_else(|| refuse("is no usable key".to_owned()))?;
        Ok(Key { method: index, state })
    }

    /// Whether one of the candidates signs the content. Every candidate is tried.
    pub(super) fn matches(&self, scheme: &Scheme, values: &Values<'_>, candidates: &[Candidate]) -> Choice {
        let mine = candidates.iter().filter(|candidate| candidate.method == self.method);
        match &self.state {
            State::HmacSha256(keyed) => {
                let expected = mac(keyed, scheme, values);
                mine.fold(Choice::from(0), |hit, candidate| hit | candidate.signature().ct_eq(&expected))
            }
            State::Ed25519(key) => {
                let content: Vec<u8> = scheme.signed(values).flatten().copied().collect();
                let signs = |candidate: &Candidate| {
                    let signature = Signature::from_slice(candidate.signature());
                    signature.is_ok_and(|signature| key.verify_strict(&content, &signature).is_ok())
                };
                mine.fold(Choice::from(0), |hit, candidate| hit | Choice::from(u8::from(signs(candidate))))
            }
        }
    }

    /// `None` for a public key, which cannot sign.
    pub(super) fn sign(&self, scheme: &Scheme, values: &Values<'_>) -> Option<[u8; 32]> {
        match &self.state {
            State::HmacSha256(keyed) => Some(mac(keyed, scheme, values)),
            State::Ed25519(_) => None,
        }
    }
}

impl Method {
    fn claims(&self, secret: &Secret) -> bool {
        match &self.key {
            KeyForm::Literal => true,
            KeyForm::Base64 { prefix, .. } => secret.expose().starts_with(prefix.as_bytes()),
        }
    }

    fn decode(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, String> {
        use base64::prelude::{BASE64_STANDARD, Engine};

        let (prefix, min, max) = match &self.key {
            KeyForm::Literal => return Ok(Zeroizing::new(secret.expose().to_vec())),
            KeyForm::Base64 { prefix, bytes_min, bytes_max } => (prefix, *bytes_min, *bytes_max),
        };
        let encoded = secret.expose().strip_prefix(prefix.as_bytes()).unwrap_or_default();
        let key = BASE64_STANDARD.decode(encoded).map(Zeroizing::new);
        let key = key.map_err(|_| format!("must be base64 behind {prefix}"))?;
        if (min..=max).contains(&key.len()) {
            return Ok(key);
        }
        let wanted = if min == max { min.to_string() } else { format!("{min} to {max}") };
        Err(format!("must decode to {wanted} bytes behind {prefix}, got {}", key.len()))
    }
}

impl Scheme {
    fn wanted_prefix(&self) -> String {
        let prefixes = self.methods.iter().filter_map(|method| match &method.key {
            KeyForm::Literal => None,
            KeyForm::Base64 { prefix, .. } => Some(prefix.as_ref()),
        });
        format!("must begin with {}", prefixes.collect::<Vec<_>>().join(" or "))
    }
}

fn mac(keyed: &Hmac<Sha256>, scheme: &Scheme, values: &Values<'_>) -> [u8; 32] {
    let mut mac = keyed.clone();
    for piece in scheme.signed(values) {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// Refuses keys of small order: under one, a single signature would fit many messages.
fn public_key(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    (!key.is_weak()).then_some(key)
}
