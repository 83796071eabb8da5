//! The signed bytes of one delivery.

use std::borrow::Cow;

use super::Refusal;
use super::delivery::{Delivery, Document, sorted_form};
use super::header::Entries;
use super::scheme::{Piece, Scheme, Text};

/// Most headers that a signature header may list.
const COVERED_MAX: usize = 32;

/// What the pieces stand for.
pub(super) struct Values<'a> {
    pub(super) delivery: &'a Delivery<'a>,
    pub(super) document: &'a Document<'a>,
    pub(super) entries: &'a Entries<'a>,
    pub(super) timestamp: &'a [u8],
    pub(super) url: &'a str,
}

/// Piece by piece, so that the body is not copied.
pub(super) fn content<'a>(
    scheme: &'a Scheme,
    pieces: &'a [Piece],
    secret: &'a [u8],
    values: &Values<'a>,
) -> Result<Vec<Cow<'a, [u8]>>, Refusal> {
    let Values { delivery, document, entries, timestamp, url } = values;
    let scalar = |path: &str| Cow::Owned(document.scalar(path).unwrap_or_default().into_bytes());
    let mut content = Vec::with_capacity(pieces.len());
    for piece in pieces {
        content.push(match piece {
            Piece::Body => Cow::Borrowed(delivery.body),
            Piece::Timestamp => Cow::Borrowed(*timestamp),
            Piece::Id => Cow::Borrowed(id(scheme, pieces, delivery)?),
            Piece::Method => Cow::Borrowed(delivery.method.as_bytes()),
            Piece::Url => Cow::Borrowed(url.as_bytes()),
            Piece::Secret => Cow::Borrowed(secret),
            Piece::Header(name) => Cow::Borrowed(delivery.required(name)?),
            Piece::Entry(tag) => Cow::Borrowed(required(entries, tag)?),
            Piece::HeadersOf { entry, separator } => Cow::Owned(covered(values, entry, separator)?),
            Piece::Json(path) => scalar(path),
            Piece::Form(name) => Cow::Owned(delivery.field(name).unwrap_or_default().into_owned()),
            Piece::SortedForm if delivery.is_form() => Cow::Owned(sorted_form(delivery.body)),
            Piece::SortedForm => Cow::default(),
            Piece::Literal(text) => Cow::Borrowed(text.as_bytes()),
        });
    }
    Ok(content)
}

/// An id that contained what stands right behind it could be split elsewhere: `a` + `.1.` + `2.{}`
/// signs the same bytes as `a.1` + `.2.` + `{}`. A time of RFC 3339 ends an id without a colon: any
/// other cut would put the first colon at another place of the time, or into the id.
fn id<'a>(scheme: &Scheme, pieces: &[Piece], delivery: &Delivery<'a>) -> Result<&'a [u8], Refusal> {
    let Some(name) = scheme.id_header() else {
        return Ok(&[]);
    };
    let id = delivery.required(name)?;
    let behind = pieces.iter().zip(pieces.iter().skip(1)).find_map(|pair| match pair {
        (Piece::Id, Piece::Literal(text)) if !text.is_empty() => Some(text.as_bytes()),
        (Piece::Id, Piece::Timestamp) if scheme.times_end_ids() => Some(b":".as_slice()),
        _ => None,
    });
    if behind.is_some_and(|end| id.windows(end.len()).any(|part| part == end)) {
        let why = "an id must not contain what ends it in the signed content";
        return Err(Refusal::MalformedHeader { header: name.clone(), why });
    }
    Ok(id)
}

fn required<'a>(entries: &'a Entries<'_>, tag: &str) -> Result<&'a [u8], Refusal> {
    entries.entry(tag)?.ok_or_else(|| entries.malformed("an entry that is signed is missing"))
}

fn covered(values: &Values<'_>, entry: &str, separator: &str) -> Result<Vec<u8>, Refusal> {
    let names = required(values.entries, entry)?;
    let names = std::str::from_utf8(names).map_err(|_| values.entries.malformed("a header's name is no text"))?;
    let names: Vec<&str> = names.split_ascii_whitespace().take(COVERED_MAX + 1).collect();
    // Without a header, the content could be read as that of a signature which lists none.
    if names.is_empty() || names.len() > COVERED_MAX {
        return Err(values.entries.malformed("it lists no headers, or too many"));
    }
    let mut joined = Vec::new();
    for (position, name) in names.iter().enumerate() {
        if names.iter().take(position).any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(values.entries.malformed("it lists a header twice"));
        }
        if position > 0 {
            joined.extend_from_slice(separator.as_bytes());
        }
        let value = values.delivery.header(name)?;
        // The name is a stranger's until the signature is checked: it is not quoted.
        let missing = || Refusal::MissingHeader { header: Text::Borrowed("that the signature lists") };
        joined.extend_from_slice(value.ok_or_else(missing)?);
    }
    Ok(joined)
}
