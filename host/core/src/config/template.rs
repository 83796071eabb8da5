//! `{timestamp}.{body}`: text with places in braces, as hooks.yaml writes signed content and names.

use crate::verify::scheme::{Piece, Place, Text};

/// Longest template and most parts of one.
pub(super) const TEMPLATE_BYTES_MAX: usize = 1024;
const PARTS_MAX: usize = 32;

const PIECES: &str = "{body}, {timestamp}, {id}, {method}, {url}, {secret}, {sorted_form}, {header:NAME}, \
     {entry:TAG}, {headers-of:TAG}, {json:PATH}, {form:NAME}";
const PLACES: &str = "{header:NAME}, {json:PATH}, {form:NAME}, {query:NAME}, {beside:MEMBER}";

/// A part of a template: literal text, or what stands in braces.
enum Part<'t> {
    Literal(String),
    Braces(&'t str),
}

/// The signed content. `{{` and `}}` stand for braces.
pub(super) fn content(text: &str) -> Result<Vec<Piece>, String> {
    let piece = |part| match part {
        Part::Literal(text) => Ok(Piece::Literal(text.into())),
        Part::Braces(inside) => piece(inside),
    };
    parts(text)?.into_iter().map(piece).collect()
}

/// Where one name is: places and texts with dots between them.
pub(super) fn names(text: &str) -> Result<Vec<Place>, String> {
    let wrong =
        || format!("must be places with dots between them, such as {{header:X-Event}}.{{json:action}}, got {text:?}");
    let parts = parts(text)?;
    let last = parts.len().saturating_sub(1);
    let mut places = Vec::new();
    let mut behind_place = false;
    for (position, part) in parts.into_iter().enumerate() {
        match part {
            Part::Braces(_) if behind_place => return Err(wrong()),
            Part::Braces(inside) => {
                places.push(place(inside)?);
                behind_place = true;
            }
            Part::Literal(dot) if dot == "." && 0 < position && position < last => behind_place = false,
            Part::Literal(literal) => {
                let constant = if position > 0 { literal.strip_prefix('.') } else { Some(literal.as_str()) };
                let constant =
                    constant.and_then(|text| if position < last { text.strip_suffix('.') } else { Some(text) });
                let constant = constant.filter(|text| !text.is_empty()).ok_or_else(wrong)?;
                places.push(Place::Constant(constant.to_owned().into()));
                behind_place = false;
            }
        }
    }
    match places.is_empty() {
        true => Err(format!("must name a place; known: {PLACES}")),
        false => Ok(places),
    }
}

/// One place, in braces.
pub(super) fn one_place(text: &str) -> Result<Place, String> {
    match names(text)?.as_slice() {
        [place] => Ok(place.clone()),
        _ => Err(format!("must be one place, such as {{json:type}}, got {text:?}")),
    }
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(format!("must have at most {TEMPLATE_BYTES_MAX} bytes"));
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else if let Some((inside, after)) = from.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Braces(inside));
            rest = after;
        } else {
            return Err("has a brace without its other; write {{ or }} for one that is meant".to_owned());
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    if parts.len() > PARTS_MAX {
        return Err(format!("must have at most {PARTS_MAX} parts"));
    }
    Ok(parts)
}

fn piece(inside: &str) -> Result<Piece, String> {
    let name = |text: &str| -> Text { text.to_owned().into() };
    Ok(match inside.split_once(':') {
        None => match inside {
            "body" => Piece::Body,
            "timestamp" | "ts" => Piece::Timestamp,
            "id" => Piece::Id,
            "method" => Piece::Method,
            "url" => Piece::Url,
            "secret" => Piece::Secret,
            "sorted_form" => Piece::SortedForm,
            _ => return Err(unknown(inside, PIECES)),
        },
        Some(("header", text)) => Piece::Header(header(text)?.into()),
        Some(("entry", text)) => Piece::Entry(tag(text)?.into()),
        Some(("headers-of", text)) => Piece::HeadersOf { entry: tag(text)?.into(), separator: ".".into() },
        Some(("json", text)) if is_path(text) => Piece::Json(name(text)),
        Some(("form", text)) if !text.is_empty() => Piece::Form(name(text)),
        Some(_) => return Err(unknown(inside, PIECES)),
    })
}

fn place(inside: &str) -> Result<Place, String> {
    let name = |text: &str| -> Text { text.to_owned().into() };
    Ok(match inside.split_once(':') {
        Some(("header", text)) => Place::Header(header(text)?.into()),
        Some(("entry", text)) => Place::Entry(tag(text)?.into()),
        Some(("json", text)) if is_path(text) => Place::Json(name(text)),
        Some(("form", text)) if !text.is_empty() => Place::Form(name(text)),
        Some(("query", text)) if !text.is_empty() => Place::Query(name(text)),
        Some(("beside", text)) if !text.is_empty() => Place::MemberBeside(name(text)),
        _ => return Err(unknown(inside, PLACES)),
    })
}

fn unknown(inside: &str, known: &str) -> String {
    format!("{{{}}} is no place; known: {known}", inside.chars().take(60).collect::<String>())
}

/// An entry `h=` is called h.
pub(super) fn tag(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_graphic());
    match good {
        true if text.ends_with(['=', ',', ':']) => Ok(text.to_owned()),
        true => Ok(format!("{text}=")),
        false => Err(format!("must be an entry's name of 1 to 32 printable characters, got {text:?}")),
    }
}

/// Names that are no signature's: they belong to the connection or to browsers.
const NO_HEADERS: [&str; 3] = ["host", "cookie", "connection"];

pub(super) fn header(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let good = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
    match good && !NO_HEADERS.iter().any(|no| no.eq_ignore_ascii_case(text)) {
        true => Ok(text.to_owned()),
        false => Err(format!("must be the name of a header, such as X-Acme-Signature, got {text:?}")),
    }
}

/// Members with dots between them; `[]` behind one is every element of a list.
pub(super) fn is_path(text: &str) -> bool {
    let segment = |segment: &str| segment == "[]" || !segment.trim_end_matches("[]").is_empty();
    (1..=200).contains(&text.len()) && text.split('.').all(segment) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_is_literal_text_and_pieces() {
        let pieces = content("v0:{timestamp}:{body}{{}}").unwrap();
        let literal = |text: &str| Piece::Literal(text.to_owned().into());
        assert_eq!(pieces, [literal("v0:"), Piece::Timestamp, literal(":"), Piece::Body, literal("{}")]);
        assert_eq!(
            content("{header:X-Id}{json:a.b}").unwrap(),
            [Piece::Header("X-Id".into()), Piece::Json("a.b".into())]
        );
        for bad in ["{bdy}", "{body", "body}", "{header:}", "{header:Cookie}", "{json:}", "{json:a..b}", "{}"] {
            assert!(content(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_places_with_dots_between_them() {
        let places = names("{header:X-Event}.{json:action}").unwrap();
        assert_eq!(places, [Place::Header("X-Event".into()), Place::Json("action".into())]);
        assert_eq!(names("order").unwrap(), [Place::Constant("order".into())]);
        assert_eq!(names("{beside:update_id}").unwrap(), [Place::MemberBeside("update_id".into())]);
        let [a, b, x] = [Place::Json("a".into()), Place::Json("b".into()), Place::Constant("x.y".into())];
        assert_eq!(names("x.y.{json:a}").unwrap(), [x.clone(), a.clone()]);
        assert_eq!(names("{json:a}.x.y.{json:b}").unwrap(), [a.clone(), x.clone(), b]);
        assert_eq!(names("{json:a}.x.y").unwrap(), [a, x]);
        for bad in ["", "{json:a}{json:b}", "{json:a}-{json:b}", "x{json:a}", "{json:a}x", "{json:a}.", ".{json:a}"] {
            assert!(names(bad).is_err(), "{bad}");
        }
        for bad in ["{json:a}..{json:b}", "{body}", "{beside:}", "{beside}"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_template_panics(text in "[{}a-z:.\\[\\]=-]{0,40}") {
            let _ = (content(&text), names(&text), one_place(&text));
        }
    }
}
