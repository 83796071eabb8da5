//! The sender's side.

mod draft;

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::Signer as _;
use p256::ecdsa;
use p256::pkcs8::DecodePrivateKey;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::content::{Values, content};
use super::delivery::{Delivery, Document};
use super::header::{Entries, encode};
use super::key::{Content, Key, UnusableSecret};
use super::scheme::{Algorithm, KeyForm, Method, Place, Scheme};
use super::timestamp;
use crate::secret::Secret;
use crate::time::Timestamp;
use draft::Draft;

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub method: &'a str,
    /// As the receiver's `public_url` has it, query included.
    pub url: &'a str,
    /// For the place of the delivery id where that is a header. For Standard Webhooks it must not
    /// contain a dot.
    pub id: &'a str,
    /// For the place of the event type where that is a header, unless the caller writes it.
    pub event_type: Option<&'a str>,
    pub body: &'a [u8],
}

/// What a sender sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub url: String,
    /// Signature, timestamp, id and type, as far as the scheme has them in headers.
    pub headers: Vec<(String, String)>,
    /// Signed inside, where the scheme has its signature there.
    pub body: Vec<u8>,
}

/// Signs as the sender does, with the strongest method that the secret is for. Where a scheme checks
/// with a public key, `secret` is the private one: `whsk_` and base64 for Standard Webhooks, the
/// seed in hex for Discord, PKCS#8 DER in base64 for P-256.
///
/// `Malformed` for a secret that the scheme cannot use.
pub fn sign(scheme: &Scheme, secret: &Secret, now: Timestamp, out: &Outgoing<'_>) -> Result<Signed, UnusableSecret> {
    let unusable =
        |why: &str| UnusableSecret::Malformed { scheme: scheme.name.to_string(), position: 0, why: why.to_owned() };
    let signer = Signer::decode(scheme, secret)?;
    let timestamp = scheme.timestamp.as_ref().map(|rule| timestamp::show(now, rule.unit)).unwrap_or_default();
    let mut draft = Draft::new(scheme, out, &timestamp);
    let mut url = out.url.to_owned();
    if let Some(parameter) = scheme.body_hash.as_ref().filter(|_| !draft.is_form() && !draft.body.is_empty()) {
        let joint = if url.contains('?') { '&' } else { '?' };
        let hash = hex::encode(Sha256::digest(&draft.body));
        let hash = form_urlencoded::Serializer::new(String::new()).append_pair(parameter, &hash).finish();
        url = format!("{url}{joint}{hash}");
    }
    let tag = &signer.method.tag;
    let signature = |signature: &[u8]| format!("{tag}{}", encode(signer.method.encoding, signature));
    let list = draft.other_entries(signer.method, &timestamp);
    match (&scheme.each, &scheme.signature.at) {
        (Some(each), Place::Json(path)) => {
            let failure = draft.sign_each(each, path, |document, draft| {
                let signed = signer.sign(scheme, &draft.delivery(out.method, &url).get(), document, "", &timestamp);
                signed.map(|signed| signature(&signed))
            });
            failure.ok_or_else(|| unusable("cannot sign: the body has no such part"))?;
        }
        (_, at) => {
            let list = list.join(&separator(scheme));
            let signed =
                signer.sign(scheme, &draft.delivery(out.method, &url).get(), &draft.document(), &list, &timestamp);
            let signed = signature(&signed.ok_or_else(|| unusable("is no key that can sign"))?);
            match at {
                Place::Header(name) if list.is_empty() => draft.headers.push((name.to_string(), signed)),
                Place::Header(name) => {
                    draft.headers.push((name.to_string(), format!("{list}{}{signed}", separator(scheme))))
                }
                Place::Numbered(name) => draft.headers.push((format!("{name}-1"), signed)),
                Place::Json(path) => draft.set_json(path, Value::String(signed)),
                Place::Form(name) => draft.set_field(name, &signed),
                _ => return Err(unusable("cannot be used to sign: the signature's place is none that can be written")),
            }
        }
    }
    Ok(Signed { url, headers: draft.headers, body: draft.body })
}

fn separator(scheme: &Scheme) -> String {
    scheme.signature.separator.map(String::from).unwrap_or_default()
}

/// A method with the key to sign with.
struct Signer<'a> {
    method: &'a Method,
    key: SigningKey,
}

enum SigningKey {
    Shared(Key, usize, Zeroizing<Vec<u8>>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    EcdsaP256(Box<ecdsa::SigningKey>),
    Token(Zeroizing<Vec<u8>>),
}

impl<'a> Signer<'a> {
    fn decode(scheme: &'a Scheme, secret: &Secret) -> Result<Signer<'a>, UnusableSecret> {
        let refuse =
            |why: &str| UnusableSecret::Malformed { scheme: scheme.name.to_string(), position: 0, why: why.to_owned() };
        let private = scheme.methods.iter().find(|method| method.has_private_key(secret));
        if let Some(method) = private {
            let key = method.private_key(secret).ok_or_else(|| refuse("is no private key that can sign"))?;
            return Ok(Signer { method, key });
        }
        let key = Key::decode(scheme, 0, secret)?;
        let (index, _) = key.states.first().ok_or_else(|| refuse("is no key that can sign"))?;
        let index = *index;
        let method = scheme.methods.get(index).ok_or_else(|| refuse("is no key that can sign"))?;
        let secret = Zeroizing::new(secret.expose().to_vec());
        match method.algorithm {
            Algorithm::Ed25519 | Algorithm::EcdsaP256 => Err(refuse("is a public key, which cannot sign")),
            Algorithm::Token => Ok(Signer { method, key: SigningKey::Token(secret) }),
            _ => Ok(Signer { method, key: SigningKey::Shared(key, index, secret) }),
        }
    }

    fn sign(
        &self,
        scheme: &Scheme,
        delivery: &Delivery<'_>,
        document: &Document<'_>,
        list: &str,
        timestamp: &str,
    ) -> Option<Vec<u8>> {
        let entries = Entries::of(scheme, list);
        let values =
            Values { delivery, document, entries: &entries, timestamp: timestamp.as_bytes(), url: delivery.url };
        let secret: &[u8] = match &self.key {
            SigningKey::Shared(_, _, secret) => secret,
            _ => &[],
        };
        let content = content(scheme, &self.method.content, secret, &values).ok()?;
        self.key.sign(&content)
    }
}

impl SigningKey {
    fn sign(&self, content: &Content<'_>) -> Option<Vec<u8>> {
        match self {
            SigningKey::Shared(key, index, _) => {
                key.states.iter().find(|(other, _)| other == index).and_then(|(_, state)| state.sign(content))
            }
            SigningKey::Ed25519(key) => Some(key.sign(&content.concat()).to_bytes().to_vec()),
            SigningKey::EcdsaP256(key) => {
                let signature: ecdsa::Signature = key.sign(&content.concat());
                Some(signature.to_der().as_bytes().to_vec())
            }
            SigningKey::Token(token) => Some(token.to_vec()),
        }
    }
}

impl Method {
    fn has_private_key(&self, secret: &Secret) -> bool {
        let private = |prefix: &str| prefix.replacen("pk_", "sk_", 1);
        match (self.algorithm, &self.key) {
            (Algorithm::Ed25519, KeyForm::Base64 { prefix, .. } | KeyForm::Hex { prefix, .. }) => {
                secret.expose().starts_with(private(prefix).as_bytes())
            }
            (Algorithm::Ed25519, KeyForm::Literal) => true,
            (Algorithm::EcdsaP256, _) => ecdsa_key(secret.expose()).is_some(),
            _ => false,
        }
    }

    fn private_key(&self, secret: &Secret) -> Option<SigningKey> {
        let secret = secret.expose();
        match (self.algorithm, &self.key) {
            (Algorithm::EcdsaP256, _) => ecdsa_key(secret).map(|key| SigningKey::EcdsaP256(Box::new(key))),
            (_, KeyForm::Base64 { prefix, .. }) => ed25519(&BASE64_STANDARD.decode(secret.get(prefix.len()..)?).ok()?),
            (_, KeyForm::Hex { prefix, .. }) => ed25519(&hex::decode(secret.get(prefix.len()..)?).ok()?),
            (_, KeyForm::Literal) => ed25519(&hex::decode(secret).ok()?),
        }
    }
}

/// A seed, or a seed with its public key behind it.
fn ed25519(bytes: &[u8]) -> Option<SigningKey> {
    let seed: &[u8; 32] = bytes.get(..32)?.try_into().ok()?;
    matches!(bytes.len(), 32 | 64).then(|| SigningKey::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))))
}

fn ecdsa_key(text: &[u8]) -> Option<ecdsa::SigningKey> {
    ecdsa::SigningKey::from_pkcs8_der(&Zeroizing::new(BASE64_STANDARD.decode(text).ok()?)).ok()
}

impl<'a> Outgoing<'a> {
    /// A POST whose type stands in its body, or in a header of the caller's.
    pub fn post(id: &'a str, body: &'a [u8]) -> Outgoing<'a> {
        Outgoing { method: "POST", url: "", id, event_type: None, body }
    }
}
