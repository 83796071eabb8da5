//! The grammar of signature headers. Bytes in, never a panic.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::Refusal;
use super::delivery::{Delivery, Document};
use super::scheme::{Encoding, Method, Place, Scheme, Text, Untagged};

/// Most entries of one signature header, the skipped ones included: ten old secrets, the current
/// one and some room. It bounds the work that a stranger can ask for before the check fails.
pub const SIGNATURES_MAX: usize = 16;

/// What the place of the signatures holds, entry by entry.
pub(super) struct Entries<'a> {
    parts: Vec<Cow<'a, [u8]>>,
    shown: Text,
}

impl<'a> Entries<'a> {
    /// `MissingHeader` and `MissingSignature` where there is nothing, `MalformedHeader` beyond the limits.
    pub(super) fn read(scheme: &Scheme, delivery: &Delivery<'a>, document: &Document<'_>) -> Result<Self, Refusal> {
        let at = &scheme.signature.at;
        let shown = at.shown();
        let whole: Vec<Cow<'a, [u8]>> = match at {
            Place::Header(name) => vec![Cow::Borrowed(delivery.required(name)?)],
            Place::Numbered(name) => numbered(delivery, name)?,
            other => {
                let value = other.value(delivery, document, None);
                let missing = || Refusal::MissingSignature { place: shown.clone() };
                vec![Cow::Owned(value.ok_or_else(missing)?.into_bytes())]
            }
        };
        let mut parts = Vec::new();
        for value in whole {
            match (scheme.signature.separator, value) {
                (None, value) => parts.push(value),
                (Some(separator), Cow::Borrowed(value)) => parts.extend(split(value, separator).map(Cow::Borrowed)),
                (Some(separator), Cow::Owned(value)) => {
                    parts.extend(split(&value, separator).map(|part| Cow::Owned(part.to_vec())));
                }
            }
        }
        let mut entries = Entries { parts, shown };
        if entries.parts.len() > SIGNATURES_MAX {
            return Err(entries.malformed("it has too many entries"));
        }
        if scheme.signature.untagged == Untagged::Continue {
            entries.repeat_tags(scheme);
        }
        Ok(entries)
    }

    /// Writes the tag of a signature before the entries without one that follow it.
    fn repeat_tags(&mut self, scheme: &Scheme) {
        let signatures: Vec<&str> = scheme.methods.iter().map(|method| method.tag.as_ref()).collect();
        let mut tag = None;
        for part in &mut self.parts {
            let begins = |tag: &&str| !tag.is_empty() && part.starts_with(tag.as_bytes());
            if let Some(own) = signatures.iter().copied().filter(begins).max_by_key(|tag| tag.len()) {
                tag = Some(own);
            } else if scheme.entry_tags().any(|entry| begins(&entry)) {
                tag = None;
            } else if let Some(tag) = tag {
                *part = Cow::Owned([tag.as_bytes(), part].concat());
            }
        }
    }

    /// The entries that a sender is about to write.
    pub(super) fn of(scheme: &Scheme, list: &str) -> Entries<'static> {
        let parts = match scheme.signature.separator {
            Some(separator) => split(list.as_bytes(), separator).map(|part| Cow::Owned(part.to_vec())).collect(),
            None => vec![Cow::Owned(list.as_bytes().to_vec())],
        };
        Entries { parts, shown: scheme.signature.at.shown() }
    }

    /// The text of the entry with this tag.
    pub(super) fn entry(&self, tag: &str) -> Result<Option<&[u8]>, Refusal> {
        let mut texts = self.parts.iter().filter_map(|part| part.strip_prefix(tag.as_bytes()));
        let text = texts.next();
        match texts.next() {
            Some(_) => Err(self.malformed("it has an entry twice that may be there once")),
            None => Ok(text),
        }
    }

    /// Every entry with the method's tag, decoded. What does not decode is a candidate of no bytes,
    /// which matches nothing.
    pub(super) fn candidates(&self, method: &Method) -> Vec<Vec<u8>> {
        let texts = self.parts.iter().filter_map(|part| part.strip_prefix(method.tag.as_bytes()));
        texts.map(|text| decode(method.encoding, text).unwrap_or_default()).collect()
    }

    pub(super) fn has(&self, method: &Method) -> bool {
        self.parts.iter().any(|part| part.starts_with(method.tag.as_bytes()))
    }

    pub(super) fn malformed(&self, why: &'static str) -> Refusal {
        Refusal::MalformedHeader { header: self.shown.clone(), why }
    }

    pub(super) fn shown(&self) -> Text {
        self.shown.clone()
    }
}

fn split(value: &[u8], separator: char) -> impl Iterator<Item = &[u8]> {
    value.split(move |byte| char::from(*byte) == separator).map(<[u8]>::trim_ascii)
}

/// `NAME-1`, `NAME-2` and so on, up to the first that is not there.
fn numbered<'a>(delivery: &Delivery<'a>, name: &str) -> Result<Vec<Cow<'a, [u8]>>, Refusal> {
    let mut values = Vec::new();
    for position in 1..=SIGNATURES_MAX {
        match delivery.header(&format!("{name}-{position}"))? {
            Some(value) => values.push(Cow::Borrowed(value)),
            None => break,
        }
    }
    match values.is_empty() {
        true => Err(Refusal::MissingHeader { header: Text::Owned(format!("{name}-1")) }),
        false => Ok(values),
    }
}

fn decode(encoding: Encoding, text: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => BASE64_STANDARD.decode(text).ok(),
        Encoding::Plain => Some(text.to_vec()),
    }
}

pub(super) fn encode(encoding: Encoding, signature: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(signature),
        Encoding::Base64 => BASE64_STANDARD.encode(signature),
        Encoding::Plain => String::from_utf8_lossy(signature).into_owned(),
    }
}
