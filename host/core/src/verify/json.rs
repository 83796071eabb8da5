//! Values of a JSON text by their paths. The text is read as far as it must be, and never built up.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The scalar at `a.b`; numbers as they are written. Where a member is repeated, the first counts.
/// `a[].b` is the value that all elements have, and `Mixed` where they differ.
pub(super) fn scalar(text: &[u8], path: &str) -> Scalar {
    let mut found: Option<String> = None;
    for raw in at(text, path) {
        match (text_of(raw), &found) {
            (None, _) => return Scalar::Missing,
            (Some(value), Some(other)) if *other != value => return Scalar::Mixed,
            (value, _) => found = value,
        }
    }
    found.map_or(Scalar::Missing, Scalar::Text)
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar {
    Text(String),
    /// Several that are not the same.
    Mixed,
    Missing,
}

/// Every value at the path; none where the text is no JSON as far as it was read.
pub(super) fn at<'a>(text: &'a [u8], path: &str) -> Vec<&'a RawValue> {
    let mut values: Vec<&'a [u8]> = vec![text];
    let mut raws = Vec::new();
    for segment in path.split('.') {
        let (name, list) = match segment.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (segment, false),
        };
        raws.clear();
        for value in values {
            if name.is_empty() {
                raws.extend(serde_json::from_slice::<&RawValue>(value).ok());
            } else {
                raws.extend(member(value, name));
            }
        }
        if list {
            raws = raws.iter().flat_map(|raw| elements(raw.get().as_bytes())).collect();
        }
        values = raws.iter().map(|raw| raw.get().as_bytes()).collect();
    }
    raws
}

/// The name of the first member of an object that is not `beside`.
pub(super) fn member_beside(text: &[u8], beside: &str) -> Option<String> {
    let mut found = None;
    let wanted = Wanted::Beside(beside);
    let _ = serde_json::Deserializer::from_slice(text).deserialize_map(Pick {
        wanted,
        name: Some(&mut found),
        value: None,
    });
    found
}

/// Whether the text is JSON in which every object has each of its members once. What cannot be read to its end, such
/// as a number out of range, is not: another reader may get behind that place, and find a member's second value there.
pub(super) fn has_each_member_once(text: &[u8]) -> bool {
    let mut repeated = false;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = reader.deserialize_any(Repeats(&mut repeated)).and_then(|()| reader.end());
    read.is_ok() && !repeated
}

/// Goes through every object; its depth is bounded by serde_json.
struct Repeats<'f>(&'f mut bool);

impl<'de> DeserializeSeed<'de> for Repeats<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Repeats<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            *self.0 |= !names.insert(name);
            map.next_value_seed(Repeats(&mut *self.0))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Repeats(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn member<'a>(text: &'a [u8], name: &str) -> Option<&'a RawValue> {
    let mut found = None;
    let wanted = Wanted::Named(name);
    // Reading stops at the wanted member, which serde_json reports as an error.
    let _ = serde_json::Deserializer::from_slice(text).deserialize_map(Pick {
        wanted,
        name: None,
        value: Some(&mut found),
    });
    found
}

fn elements(text: &[u8]) -> Vec<&RawValue> {
    let mut found = Vec::new();
    let whole = serde_json::Deserializer::from_slice(text).deserialize_seq(Each(&mut found));
    if whole.is_err() {
        found.clear();
    }
    found
}

fn text_of(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(raw.get().to_owned()),
    }
}

#[derive(Clone, Copy)]
enum Wanted<'n> {
    Named(&'n str),
    Beside(&'n str),
}

struct Pick<'n, 'f, 'de> {
    wanted: Wanted<'n>,
    name: Option<&'f mut Option<String>>,
    value: Option<&'f mut Option<&'de RawValue>>,
}

impl<'de> Visitor<'de> for Pick<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name(self.wanted))? {
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if let Some(found) = self.name {
                *found = Some(name);
            }
            if let Some(found) = self.value {
                *found = Some(map.next_value()?);
            }
            break;
        }
        Ok(())
    }
}

/// The name of a member, if it is wanted.
struct Name<'n>(Wanted<'n>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<String>, E> {
        let wanted = match self.0 {
            Wanted::Named(wanted) => name == wanted,
            Wanted::Beside(other) => name != other,
        };
        Ok(wanted.then(|| name.to_owned()))
    }
}

struct Each<'f, 'de>(&'f mut Vec<&'de RawValue>);

impl<'de> Visitor<'de> for Each<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            self.0.push(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, path: &str) -> Option<String> {
        match scalar(text.as_bytes(), path) {
            Scalar::Text(text) => Some(text),
            Scalar::Mixed => Some("(mixed)".to_owned()),
            Scalar::Missing => None,
        }
    }

    #[test]
    fn a_repeated_member_is_found_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[1,{"b":{"a":1,"\u0061":2}}]"#, r#"{"a":1,"a":"#] {
            assert!(!has_each_member_once(text.as_bytes()), "{text}");
        }
        for text in [r#"{"a":{"a":1},"b":[{"a":1},{"a":null}]}"#, "1", " [] "] {
            assert!(has_each_member_once(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_another_reader_could_read_on_in_is_not_taken() {
        let deep = format!(r#"{{"x":{}{},"a":1}}"#, "[".repeat(200), "]".repeat(200));
        let broken: [&[u8]; 6] =
            [br#"{"x":1e999,"a":1}"#, br#"{"x":"\ud800","a":1}"#, b"{\"x\":\"\xff\"}", b"{} {}", b"", deep.as_bytes()];
        for text in broken {
            assert!(!has_each_member_once(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_path_leads_through_objects() {
        let text = r#"{"a":{"b":"x","n":-1.50e3,"t":true,"z":null,"o":{}},"a":{"b":"second"},"":{"k":"v"}}"#;
        assert_eq!(read(text, "a.b").as_deref(), Some("x"), "the first of two members counts");
        assert_eq!(read(text, "a.n").as_deref(), Some("-1.50e3"), "numbers stay as they are written");
        assert_eq!(read(text, "a.t").as_deref(), Some("true"));
        for none in ["a", "a.z", "a.o", "a.c", "b", "a.b.c"] {
            assert_eq!(read(text, none), None, "{none}");
        }
        assert_eq!(read(r#"{"\u0061":"\u0062"}"#, "a").as_deref(), Some("b"), "escapes are read");
    }

    #[test]
    fn a_path_through_a_list_gives_what_all_elements_have() {
        assert_eq!(read(r#"{"e":[{"t":"x"},{"t":"x"}]}"#, "e[].t").as_deref(), Some("x"));
        assert_eq!(read(r#"{"e":[{"t":"x"},{"t":"y"}]}"#, "e[].t").as_deref(), Some("(mixed)"));
        assert_eq!(read(r#"[{"t":"x"}]"#, "[].t").as_deref(), Some("x"));
        assert_eq!(read(r#"{"e":[]}"#, "e[].t"), None);
        assert_eq!(read(r#"{"e":{"t":"x"}}"#, "e[].t"), None);
    }

    #[test]
    fn the_first_other_member_is_found() {
        assert_eq!(member_beside(br#"{"update_id":1,"message":{}}"#, "update_id").as_deref(), Some("message"));
        assert_eq!(member_beside(br#"{"update_id":1}"#, "update_id"), None);
        assert_eq!(member_beside(b"[]", "x"), None);
    }
}
