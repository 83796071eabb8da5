//! A section of the file, read key by key. What is wrong is noted and the
//! default is taken, so that one reading finds every mistake.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::Mistake;
use super::size;
use crate::time::Millis;

/// Mistakes that are listed.
const MISTAKES_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Mistaken(RefCell<Vec<Mistake>>);

impl Mistaken {
    fn note(&self, path: &str, message: String) {
        let mut mistakes = self.0.borrow_mut();
        if mistakes.len() < MISTAKES_MAX {
            mistakes.push(Mistake { path: path.to_owned(), message });
        }
    }

    pub(super) fn into_inner(self) -> Vec<Mistake> {
        self.0.into_inner()
    }
}

/// A map of the file and where it is. Keys that were asked for are taken out; [`Section::finish`] reports the others.
pub(super) struct Section<'m> {
    path: String,
    entries: Map<String, Value>,
    asked: Vec<&'static str>,
    mistaken: &'m Mistaken,
}

impl<'m> Section<'m> {
    pub(super) fn root(tree: Value, mistaken: &'m Mistaken) -> Section<'m> {
        Section::of(String::new(), tree, mistaken)
    }

    fn of(path: String, value: Value, mistaken: &'m Mistaken) -> Section<'m> {
        let entries = match value {
            Value::Object(entries) => entries,
            Value::Null => Map::new(),
            other => {
                mistaken.note(&path, format!("must be a map of keys and values, got {}", shown(&other)));
                Map::new()
            }
        };
        Section { path, entries, asked: Vec::new(), mistaken }
    }

    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn mistake(&self, key: &str, message: impl Display) {
        let path = if key.is_empty() { self.path.clone() } else { self.at(key) };
        self.mistaken.note(&path, message.to_string());
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        self.entries.remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn section(&mut self, key: &'static str) -> Section<'m> {
        let value = self.take(key).unwrap_or_default();
        Section::of(self.at(key), value, self.mistaken)
    }

    /// Every entry as a section of its own: the keys are names.
    pub(super) fn sections(self) -> impl Iterator<Item = (String, Section<'m>)> {
        let Section { path, entries, mistaken, .. } = self;
        entries.into_iter().map(move |(name, value)| {
            let path = format!("{path}.{name}");
            (name, Section::of(path, value, mistaken))
        })
    }

    /// The entries themselves, for keys that are the operator's own.
    pub(super) fn into_entries(self) -> Map<String, Value> {
        self.entries
    }

    /// A text; a number is taken as it is written.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            other => {
                self.mistake(key, format_args!("must be a text, got {}", shown(&other)));
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let (from, to) = range.into_inner();
            self.mistake(key, format_args!("must be {from}..={to}, got {}", shown(&value)));
        }
        number
    }

    pub(super) fn duration(&mut self, key: &'static str, range: RangeInclusive<Millis>) -> Option<Millis> {
        let text = self.text(key)?;
        let (from, to) = range.clone().into_inner();
        match text.parse::<Millis>() {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                self.mistake(key, format_args!("must be {from}..={to}, got {text}"));
                None
            }
            Err(error) => {
                self.mistake(key, error);
                None
            }
        }
    }

    /// `64MiB`, or a number of bytes.
    pub(super) fn bytes(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(key)?;
        match size::parse(&text) {
            Some(bytes) if range.contains(&bytes) => Some(bytes),
            Some(_) => {
                let (from, to) = range.into_inner();
                let (from, to) = (size::shown(from), size::shown(to));
                self.mistake(key, format_args!("must be {from}..={to}, got {text}"));
                None
            }
            None => {
                self.mistake(key, format_args!("must be a size such as 512KiB, 64MiB or 1GiB, got {text:?}"));
                None
            }
        }
    }

    pub(super) fn list(&mut self, key: &'static str) -> Vec<Value> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.mistake(key, format_args!("must be a list, got {}", shown(&other)));
                Vec::new()
            }
        }
    }

    /// A value below this section, such as an item of a list, as a section of its own.
    pub(super) fn within(&self, key: &str, value: Value) -> Section<'m> {
        Section::of(self.at(key), value, self.mistaken)
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.entries.keys() {
            self.mistake(key, unknown("key", key, &self.asked));
        }
    }
}

/// `unknown key; did you mean "timezone"? known: ...`
pub(super) fn unknown(what: &str, text: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(known, text), known)).min();
    let meant = match near {
        Some((distance, known)) if distance <= 3 && distance < text.chars().count() => {
            format!("; did you mean {known:?}?")
        }
        _ => ";".to_owned(),
    };
    format!("unknown {what}{meant} known: {}", known.join(", "))
}

/// What was found in place of what was wanted: short, and never the inside of a map.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
