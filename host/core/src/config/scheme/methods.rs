//! What a signature may be: one method in the scheme's own keys, or several as a list.

use super::super::reader::{Field, Section};
use super::super::template::content;
use super::one_of;
use crate::verify::Scheme;
use crate::verify::scheme::{Algorithm, Encoding, KeyForm, Method, Piece, Text};

/// Methods of one scheme.
const METHODS_MAX: usize = 8;
/// What is in no key's form longer than this.
const KEY_BYTES_MAX: usize = 512;

/// The keys that say a method, as far as they are there.
struct Said {
    algorithm: Option<Algorithm>,
    encoding: Option<Encoding>,
    key: Option<KeyForm>,
    content: Option<Vec<Piece>>,
}

/// Whether the scheme has methods of its own.
pub(super) fn methods(section: &mut Section<'_>, scheme: &mut Scheme) -> bool {
    let list = section.take("methods");
    let tags = section.take("prefix").and_then(tags);
    let said = Said::read(section);
    let Some(list) = list else {
        said.change(scheme, tags);
        return said.algorithm.is_some();
    };
    if tags.is_some() || said.is_any() {
        list.wrong("has its own algorithm, prefix, encoding, key and content in each item: leave out those beside it");
    }
    let items = list.list(1..=METHODS_MAX).into_iter().flatten();
    let methods: Vec<Method> = items.filter_map(|item| method(item.section())).collect();
    if !methods.is_empty() {
        scheme.methods = methods.into();
    }
    true
}

fn method(mut section: Section<'_>) -> Option<Method> {
    let tag = section.parsed("prefix", tag);
    let said = Said::read(&mut section);
    let mut method = plain();
    said.change_one(&mut method);
    method.tag = tag.unwrap_or_default();
    if said.algorithm.is_none() {
        section.place().wrong("needs algorithm, such as algorithm: hmac-sha256");
    }
    section.finish();
    said.algorithm.map(|_| method)
}

/// What a method is that says nothing.
pub(super) fn plain() -> Method {
    Method {
        tag: Text::default(),
        algorithm: Algorithm::HmacSha256,
        key: KeyForm::Literal,
        encoding: Encoding::Hex,
        content: vec![Piece::Body].into(),
    }
}

impl Said {
    fn read(section: &mut Section<'_>) -> Said {
        Said {
            algorithm: section.parsed("algorithm", algorithm),
            encoding: section.parsed("encoding", encoding),
            key: section.take("key").and_then(key),
            content: section.parsed("content", content),
        }
    }

    fn is_any(&self) -> bool {
        self.algorithm.is_some() || self.encoding.is_some() || self.key.is_some() || self.content.is_some()
    }

    /// Tags are of one method, which is the first: the others are ways that the operator did not ask for.
    fn change(&self, scheme: &mut Scheme, tags: Option<Vec<Text>>) {
        let mut methods = scheme.methods.to_vec();
        if let (Some(tags), Some(first)) = (tags, methods.first().cloned()) {
            methods = tags.into_iter().map(|tag| Method { tag, ..first.clone() }).collect();
        }
        for method in &mut methods {
            self.change_one(method);
        }
        scheme.methods = methods.into();
    }

    fn change_one(&self, method: &mut Method) {
        if let Some(algorithm) = self.algorithm {
            method.algorithm = algorithm;
            if algorithm == Algorithm::Token {
                method.content = Vec::new().into();
                method.encoding = Encoding::Plain;
            }
            let prefix = Text::default();
            match algorithm {
                Algorithm::Ed25519 if method.key == KeyForm::Literal => {
                    method.key = KeyForm::Hex { prefix, bytes_min: 32, bytes_max: 32 };
                }
                Algorithm::EcdsaP256 if method.key == KeyForm::Literal => {
                    method.key = KeyForm::Base64 { prefix, bytes_min: 1, bytes_max: KEY_BYTES_MAX };
                }
                _ => {}
            }
        }
        if let Some(encoding) = self.encoding {
            method.encoding = encoding;
        }
        if let Some(key) = &self.key {
            method.key = key.clone();
        }
        if let Some(content) = &self.content {
            method.content = content.clone().into();
        }
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    const KNOWN: [(&str, Algorithm); 7] = [
        ("hmac-sha1", Algorithm::HmacSha1),
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("sha256", Algorithm::Sha256),
        ("ed25519", Algorithm::Ed25519),
        ("ecdsa-p256", Algorithm::EcdsaP256),
        ("token", Algorithm::Token),
    ];
    one_of(text, &KNOWN)
}

fn encoding(text: &str) -> Result<Encoding, String> {
    one_of(text, &[("hex", Encoding::Hex), ("base64", Encoding::Base64), ("plain", Encoding::Plain)])
}

fn tag(text: &str) -> Result<Text, &'static str> {
    match text.len() <= 32 && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        true => Ok(text.to_owned().into()),
        false => Err("must have at most 32 printable characters"),
    }
}

fn tags(field: Field<'_>) -> Option<Vec<Text>> {
    if field.is_list() {
        return Some(field.list(1..=METHODS_MAX)?.iter().filter_map(|field| field.parsed(tag)).collect());
    }
    field.parsed(tag).map(|tag| vec![tag])
}

/// `literal`, `hex`, `base64`, or `{ base64: PREFIX, bytes: 24..64 }`.
fn key(field: Field<'_>) -> Option<KeyForm> {
    let (bytes_min, bytes_max) = (1, KEY_BYTES_MAX);
    if !field.is_map() {
        let prefix = Text::default();
        return field.parsed(|text| match text {
            "literal" => Ok(KeyForm::Literal),
            "hex" => Ok(KeyForm::Hex { prefix, bytes_min, bytes_max }),
            "base64" => Ok(KeyForm::Base64 { prefix, bytes_min, bytes_max }),
            _ => Err(format!("must be literal, hex, base64 or {{ base64: PREFIX, bytes: 24..64 }}, got {text:?}")),
        });
    }
    let mut section = field.section();
    let base64 = section.parsed("base64", key_prefix);
    let hex = section.parsed("hex", key_prefix);
    let (bytes_min, bytes_max) = section.parsed("bytes", bytes).unwrap_or((bytes_min, bytes_max));
    let place = section.place().clone();
    section.finish();
    match (base64, hex) {
        (Some(prefix), None) => Some(KeyForm::Base64 { prefix, bytes_min, bytes_max }),
        (None, Some(prefix)) => Some(KeyForm::Hex { prefix, bytes_min, bytes_max }),
        _ => {
            place.wrong(
                "must have one of base64 and hex, with what stands before the key, such as base64: whsec_ or hex: \"\"",
            );
            None
        }
    }
}

fn key_prefix(text: &str) -> Result<Text, String> {
    match text.len() <= 32 && text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(text.to_owned().into()),
        false => Err("must have at most 32 printable characters without spaces".to_owned()),
    }
}

/// `32`, or `24..64` with both of its ends.
fn bytes(text: &str) -> Result<(usize, usize), String> {
    let number = |text: &str| text.parse().ok().filter(|bytes| (1..=KEY_BYTES_MAX).contains(bytes));
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    match (number(min), number(max)) {
        (Some(min), Some(max)) if min <= max => Ok((min, max)),
        _ => Err(format!(
            "must be bytes of a key, such as 32, or 24..64 for 24 to 64, at most {KEY_BYTES_MAX}; got {text:?}"
        )),
    }
}
