//! One request, and the values that it holds.

use std::borrow::Cow;

use super::json::{self, Scalar};
use super::scheme::{BodyForm, Text};
use super::{HEADER_BYTES_MAX, Refusal};

/// One request as it came in: the raw body, never a parsed and rewritten one.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// In capitals.
    pub method: &'a str,
    /// The URL that the sender called, query included, put together from the operator's `public_url`;
    /// empty where none is set. Never taken from the request: Host and X-Forwarded-* are anybody's.
    pub url: &'a str,
    /// The request's own, without the question mark.
    pub query: &'a str,
    /// Names in any case; a repeated header as several pairs.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// The header's value without the white space around it.
    pub(super) fn header(&self, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
        let mut values = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let Some((_, value)) = values.next() else {
            return Ok(None);
        };
        let header = || Text::Owned(name.to_owned());
        if values.next().is_some() {
            return Err(Refusal::DuplicateHeader { header: header() });
        }
        if value.len() > HEADER_BYTES_MAX {
            return Err(Refusal::MalformedHeader { header: header(), why: "it is too long" });
        }
        Ok(Some(value.trim_ascii()))
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a [u8], Refusal> {
        self.header(name)?.ok_or_else(|| Refusal::MissingHeader { header: Text::Owned(name.to_owned()) })
    }

    /// The only value of that parameter; `None` also where there are two.
    pub(super) fn query(&self, name: &str) -> Option<Cow<'a, str>> {
        only(form_urlencoded::parse(self.query.as_bytes()), name)
    }

    /// A field of the body as a form, plain or multipart.
    pub(super) fn field(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        match self.boundary() {
            Some(boundary) => part(self.body, &boundary, name).map(Cow::Borrowed),
            None => only(form_urlencoded::parse(self.body), name).map(|text| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
        }
    }

    pub(super) fn is_form(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// The JSON that the body is, or has in it.
    pub(super) fn document(&self, form: &BodyForm) -> Cow<'a, [u8]> {
        match form {
            BodyForm::Json | BodyForm::CloudEvents => Cow::Borrowed(self.body),
            // It is looked for at the start and nowhere else: JSON can hold the same text in a string.
            BodyForm::JsonOrForm { field } => match form_urlencoded::parse(self.body).next() {
                Some((name, value)) if name == field.as_ref() && !self.body.starts_with(b"{") => {
                    Cow::Owned(value.into_owned().into_bytes())
                }
                _ => Cow::Borrowed(self.body),
            },
            BodyForm::FormField { field } => self.field(field).unwrap_or_default(),
        }
    }

    pub(super) fn media_type(&self) -> &'a str {
        let text = self.content_type();
        text.split(';').next().unwrap_or_default().trim()
    }

    pub(super) fn content_type(&self) -> &'a str {
        let value = self.header("content-type").ok().flatten().unwrap_or_default();
        std::str::from_utf8(value).unwrap_or_default()
    }

    fn boundary(&self) -> Option<Vec<u8>> {
        if !self.media_type().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let parameters = self.content_type().split(';').skip(1);
        let boundary =
            parameters.filter_map(|p| p.trim().split_once('=')).find(|(n, _)| n.eq_ignore_ascii_case("boundary"));
        let boundary = boundary?.1.trim_matches('"');
        (1..=70).contains(&boundary.len()).then(|| format!("--{boundary}").into_bytes())
    }
}

/// Every pair of a form, sorted, equal ones once.
pub(super) fn sorted_form(body: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<_> = form_urlencoded::parse(body).collect();
    pairs.sort();
    pairs.dedup();
    let mut joined = Vec::with_capacity(body.len());
    for (name, value) in &pairs {
        joined.extend_from_slice(name.as_bytes());
        joined.extend_from_slice(value.as_bytes());
    }
    joined
}

fn only<'a>(pairs: form_urlencoded::Parse<'a>, name: &str) -> Option<Cow<'a, str>> {
    let mut values = pairs.filter(|(other, _)| other == name).map(|(_, value)| value);
    let value = values.next();
    value.filter(|_| values.next().is_none())
}

/// The content of the part of that name, if there is one such part. What readers of forms could take in different ways
/// has none: a boundary within a line or with anything behind it, a name in another alphabet, a body that ends early.
fn part<'a>(body: &'a [u8], boundary: &[u8], name: &str) -> Option<&'a [u8]> {
    let delimiter = [b"\r\n", boundary].concat();
    let mut rest = match body.strip_prefix(boundary) {
        Some(rest) => rest,
        None => body.get(find(body, &delimiter)? + delimiter.len()..)?,
    };
    let mut found = None;
    while !rest.starts_with(b"--") {
        let head = rest.strip_prefix(b"\r\n")?;
        let head_end = find(head, b"\r\n\r\n")?;
        let content = head.get(head_end + 2..)?;
        let end = find(content, &delimiter)?;
        let is_named = is_named(&String::from_utf8_lossy(head.get(..head_end)?), name)?;
        if is_named && found.replace(content.get(2..end).unwrap_or_default()).is_some() {
            return None;
        }
        rest = content.get(end + delimiter.len()..)?;
    }
    found
}

/// Whether the head of a part names it so, with or without quotes. `None` where it names it in the way of RFC 5987.
fn is_named(head: &str, name: &str) -> Option<bool> {
    let mut parameters = head.split([';', '\r', '\n']).filter_map(|parameter| parameter.split_once('='));
    let mut is_named = false;
    parameters.try_for_each(|(key, value)| match key.trim().to_ascii_lowercase().as_str() {
        "name" => {
            is_named |= value.trim().trim_matches('"') == name;
            Some(())
        }
        "name*" | "name*0" | "name*0*" => None,
        _ => Some(()),
    })?;
    Some(is_named)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

/// What places in the JSON of one delivery, or of one signed part of it, are read from.
pub(super) struct Document<'a>(pub(super) Cow<'a, [u8]>);

impl Document<'_> {
    /// `None` also for several that are not the same.
    pub(super) fn scalar(&self, path: &str) -> Option<String> {
        match json::scalar(&self.0, path) {
            Scalar::Text(text) => Some(text),
            Scalar::Mixed | Scalar::Missing => None,
        }
    }
}
