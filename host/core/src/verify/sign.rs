//! The sender's side.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::Signer as _;
use p256::ecdsa;
use p256::pkcs8::DecodePrivateKey;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::content::{Values, content};
use super::delivery::{Delivery, Document};
use super::header::{Entries, encode};
use super::key::{Content, Key, UnusableSecret};
use super::scheme::{Algorithm, BodyForm, KeyForm, Method, Piece, Place, Scheme};
use super::timestamp;
use crate::secret::Secret;
use crate::time::Timestamp;

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

/// A delivery in the making.
struct Draft<'a> {
    scheme: &'a Scheme,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl<'a> Outgoing<'a> {
    /// A POST whose type stands in its body, or in a header of the caller's.
    pub fn post(id: &'a str, body: &'a [u8]) -> Outgoing<'a> {
        Outgoing { method: "POST", url: "", id, event_type: None, body }
    }
}

impl<'a> Draft<'a> {
    fn new(scheme: &'a Scheme, out: &Outgoing<'_>, timestamp: &str) -> Draft<'a> {
        let mut draft = Draft { scheme, headers: Vec::new(), body: out.body.to_vec() };
        if scheme.body == BodyForm::CloudEvents {
            draft.as_cloud_event(out);
        }
        let in_json = draft.headers.iter().any(|(_, value)| value.starts_with("application/cloudevents"));
        let first = |naming: &super::scheme::Naming| naming.first().and_then(|places| places.first()).cloned();
        let names = [(first(&scheme.delivery_id), Some(out.id)), (first(&scheme.event_type), out.event_type)];
        for (place, value) in names {
            if let (Some(Place::Header(name)), Some(value), false) = (place, value, in_json) {
                draft.header(&name, value);
            }
        }
        let form = scheme.pieces().any(|piece| *piece == Piece::SortedForm) && !out.body.starts_with(b"{");
        if form || matches!(scheme.body, BodyForm::FormField { .. }) && !out.body.starts_with(b"{") {
            draft.header("Content-Type", "application/x-www-form-urlencoded");
        }
        let form_places = scheme.pieces().any(|piece| matches!(piece, Piece::Form(_)));
        if form_places {
            draft.header("Content-Type", "application/x-www-form-urlencoded");
        }
        if matches!(scheme.body, BodyForm::FormField { .. }) {
            draft.wrap();
        }
        match scheme.timestamp.as_ref().map(|rule| &rule.at) {
            Some(Place::Header(name)) => draft.header(name, timestamp),
            Some(Place::Json(path)) => {
                let number = timestamp.parse().map(Value::Number).ok();
                let text = path.contains('.');
                let value = number.filter(|_| !text).unwrap_or_else(|| Value::String(timestamp.to_owned()));
                draft.set_json(path, value);
            }
            Some(Place::Form(name)) => draft.set_field(name, timestamp),
            _ => {}
        }
        for piece in scheme.pieces() {
            match piece {
                Piece::Json(path) if scheme.each.is_none() && draft.document().scalar(path).is_none() => {
                    draft.set_json(path, Value::String(out.id.to_owned()));
                }
                Piece::Form(name) if draft.delivery("POST", "").get().field(name).is_none() => {
                    draft.set_field(name, out.id)
                }
                _ => {}
            }
        }
        draft
    }

    fn header(&mut self, name: &str, value: &str) {
        if !self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// A body that is events already is sent as such, any other as the data of one.
    fn as_cloud_event(&mut self, out: &Outgoing<'_>) {
        let document = self.document();
        if document.scalar("specversion").is_some() {
            return self.header("Content-Type", "application/cloudevents+json");
        }
        if document.scalar("[].specversion").is_some() {
            return self.header("Content-Type", "application/cloudevents-batch+json");
        }
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-source", "/hookbox/send"),
            ("ce-id", out.id),
            ("ce-type", out.event_type.unwrap_or("test")),
        ] {
            self.header(name, value);
        }
    }

    fn is_form(&self) -> bool {
        self.delivery("POST", "").get().is_form()
    }

    fn delivery<'d>(&'d self, method: &'d str, url: &'d str) -> OwnedDelivery<'d> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        OwnedDelivery { method, url, headers, body: &self.body }
    }

    fn document(&self) -> Document<'static> {
        Document(Cow::Owned(self.delivery("POST", "").get().document(&self.scheme.body).into_owned()))
    }

    /// The entries of the signature header before the signature.
    fn other_entries(&self, method: &Method, timestamp: &str) -> Vec<String> {
        let mut list = Vec::new();
        if let Some(Place::Entry(tag)) = self.scheme.timestamp.as_ref().map(|rule| &rule.at) {
            list.push(format!("{tag}{timestamp}"));
        }
        for piece in method.content.iter() {
            if let Piece::HeadersOf { entry, .. } = piece {
                let names: Vec<String> = self.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
                list.push(format!("{entry}{}", names.join(" ")));
            }
        }
        list
    }

    fn wrap(&mut self) {
        if let BodyForm::FormField { field } = &self.scheme.body
            && self.body.starts_with(b"{")
        {
            let json = std::mem::take(&mut self.body);
            self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            self.header("Content-Type", "application/x-www-form-urlencoded");
            self.set_field(&field.clone(), &String::from_utf8_lossy(&json));
        }
    }

    fn set_field(&mut self, name: &str, value: &str) {
        let pairs = form_urlencoded::parse(&self.body).filter(|(other, _)| other != name);
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (other, text) in pairs {
            form.append_pair(&other, &text);
        }
        form.append_pair(name, value);
        self.body = form.finish().into_bytes();
    }

    fn set_json(&mut self, path: &str, value: Value) {
        let mut json: Value = serde_json::from_slice(&self.document().0).unwrap_or_else(|_| Value::Object(Map::new()));
        set(&mut json, path, value);
        self.put_document(&json);
    }

    fn put_document(&mut self, json: &Value) {
        let text = json.to_string();
        match &self.scheme.body {
            BodyForm::FormField { field } => self.set_field(&field.clone(), &text),
            BodyForm::Json | BodyForm::JsonOrForm { .. } | BodyForm::CloudEvents => self.body = text.into_bytes(),
        }
    }

    /// Puts its signature into each part of the body; `None` where there is no such part.
    fn sign_each(
        &mut self,
        each: &str,
        path: &str,
        signature: impl Fn(&Document<'_>, &Draft<'_>) -> Option<String>,
    ) -> Option<()> {
        let mut json: Value = serde_json::from_slice(&self.document().0).ok()?;
        let (list, member) = each.split_once("[]")?;
        let items = json.pointer_mut(&format!("/{}", list.replace('.', "/")))?.as_array_mut()?;
        if items.is_empty() {
            return None;
        }
        for item in items {
            let item = match member.trim_start_matches('.') {
                "" => item,
                name => item.pointer_mut(&format!("/{}", name.replace('.', "/")))?,
            };
            let document = Document(Cow::Owned(item.to_string().into_bytes()));
            let signature = signature(&document, self)?;
            set(item, path, Value::String(signature));
        }
        self.put_document(&json);
        Some(())
    }
}

/// A delivery and the list of its headers.
struct OwnedDelivery<'d> {
    method: &'d str,
    url: &'d str,
    headers: Vec<(&'d str, &'d [u8])>,
    body: &'d [u8],
}

impl OwnedDelivery<'_> {
    fn get(&self) -> Delivery<'_> {
        Delivery { method: self.method, url: self.url, query: "", headers: &self.headers, body: self.body }
    }
}

fn set(json: &mut Value, path: &str, value: Value) {
    let mut at = json;
    for name in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(name.to_owned()).or_insert(Value::Null);
    }
    *at = value;
}
