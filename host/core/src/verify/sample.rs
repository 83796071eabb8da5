//! Secrets that are made up, for tools, tests and decoys.

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::SigningKey;
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey};

use super::scheme::{Algorithm, Encoding, KeyForm, Scheme};
use crate::secret::Secret;

/// Bytes of a key, where its form leaves a choice.
const KEY_BYTES: usize = 32;

/// Both sides of a secret that nobody was given.
#[derive(Debug)]
pub struct Sample {
    /// What the receiver is given.
    pub secret: Secret,
    /// What [`super::sign`] takes: the same, or the private key to a public one.
    pub signing: Secret,
}

/// A secret in the form that the scheme's strongest method wants, the same one for the same seed.
/// `None` for a seed that makes none, such as zeros.
pub fn sample(scheme: &Scheme, seed: &[u8; 32]) -> Option<Sample> {
    let method = scheme.methods.first()?;
    let (public, private) = match method.algorithm {
        Algorithm::Ed25519 => (SigningKey::from_bytes(seed).verifying_key().to_bytes().to_vec(), seed.to_vec()),
        Algorithm::EcdsaP256 => {
            let key = p256::SecretKey::from_slice(seed).ok()?;
            let public = key.public_key().to_public_key_der().ok()?;
            (public.as_bytes().to_vec(), key.to_pkcs8_der().ok()?.as_bytes().to_vec())
        }
        _ => {
            let key = shared(&method.key, seed);
            (key.clone(), key)
        }
    };
    let written = |key: &[u8], private: bool| match &method.key {
        KeyForm::Literal if method.algorithm == Algorithm::Token && method.encoding == Encoding::Base64 => {
            format!("hookbox:{}", hex::encode(key))
        }
        KeyForm::Literal => hex::encode(key),
        KeyForm::Hex { prefix, .. } if private => prefix.replacen("pk_", "sk_", 1) + &hex::encode(key),
        KeyForm::Hex { prefix, .. } => format!("{prefix}{}", hex::encode(key)),
        KeyForm::Base64 { prefix, .. } if private => prefix.replacen("pk_", "sk_", 1) + &BASE64_STANDARD.encode(key),
        KeyForm::Base64 { prefix, .. } => format!("{prefix}{}", BASE64_STANDARD.encode(key)),
    };
    Some(Sample {
        secret: Secret::new(written(&public, false)).ok()?,
        signing: Secret::new(written(&private, true)).ok()?,
    })
}

/// As many bytes as the form wants.
fn shared(form: &KeyForm, seed: &[u8; 32]) -> Vec<u8> {
    let length = match form {
        KeyForm::Literal => KEY_BYTES,
        KeyForm::Base64 { bytes_min, bytes_max, .. } | KeyForm::Hex { bytes_min, bytes_max, .. } => {
            KEY_BYTES.max(*bytes_min).min(*bytes_max)
        }
    };
    seed.iter().copied().cycle().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Delivery, Outgoing, Refusal, Verifier, schemes, sign};
    use super::*;
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);
    const URL: &str = "https://hooks.example.com/in";
    /// Has the parts that some schemes sign one by one.
    const BODY: &[u8] = br#"{"notificationItems":[{"NotificationRequestItem":{"pspReference":"1"}}]}"#;

    /// Whether what `signing` signs is taken by who has `secret`.
    fn verdict(scheme: &Scheme, secret: &Secret, signing: &Secret) -> Result<(), Refusal> {
        let out = Outgoing { method: "POST", url: URL, id: "1", event_type: Some("test"), body: BODY };
        let signed = sign(scheme, signing, NOW, &out).unwrap();
        let mut headers: Vec<(&str, &[u8])> = signed.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type", b"application/json"));
        }
        let query = signed.url.split_once('?').map_or("", |(_, query)| query);
        let delivery = Delivery { method: "POST", url: &signed.url, query, headers: &headers, body: &signed.body };
        let secret = Secret::new(secret.expose()).unwrap();
        Verifier::new(scheme, &[secret], None).unwrap().verify(&delivery, NOW).map(|_| ())
    }

    #[test]
    fn a_made_up_secret_serves_both_sides_of_every_preset() {
        for scheme in schemes() {
            let [mine, other] = [[7; 32], [9; 32]].map(|seed| sample(scheme, &seed).unwrap());
            assert_eq!(verdict(scheme, &mine.secret, &mine.signing), Ok(()), "{}", scheme.name());
            let refused = verdict(scheme, &other.secret, &mine.signing);
            assert!(matches!(refused, Err(Refusal::Mismatch { .. })), "{}: {refused:?}", scheme.name());
        }
    }
}
