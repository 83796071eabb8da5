//! The walk over the tree: takes values out by their keys, and collects what is wrong with them.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::tree::{Entry, Node, Value};
use super::{Mistake, size};
use crate::time::{Millis, NotADuration};

/// Longest message and longest key in a path, in characters: both may quote the file.
const MESSAGE_CHARS_MAX: usize = 600;
const KEY_CHARS_MAX: usize = 63;

/// Names at least so alike are taken for one another.
const LIKENESS_MIN: f64 = 0.8;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Report(RefCell<Vec<Mistake>>);

/// Where in the file.
#[derive(Clone)]
pub(super) struct Place<'r> {
    path: String,
    line: usize,
    report: &'r Report,
}

/// A map whose keys are known. What is not there reads like an empty one.
#[must_use = "finish tells the unknown keys"]
pub(super) struct Section<'r> {
    place: Place<'r>,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

/// A value that is there, and is not null.
pub(super) struct Field<'r> {
    place: Place<'r>,
    value: Value,
}

impl Report {
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes = self.0.into_inner();
        mistakes.sort_by_key(|mistake| mistake.line);
        mistakes
    }
}

impl<'r> Place<'r> {
    pub(super) fn wrong(&self, message: impl Display) {
        let message = message.to_string().chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect();
        let line = Some(self.line).filter(|line| *line > 0);
        self.report.0.borrow_mut().push(Mistake { path: self.path.clone(), message, line });
    }

    pub(super) fn key(&self, key: &str, line: usize) -> Place<'r> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let shown = match key.chars().all(plain) && (1..=KEY_CHARS_MAX).contains(&key.len()) {
            true => key.to_owned(),
            false => format!("{:?}", key.chars().take(KEY_CHARS_MAX).collect::<String>()),
        };
        let path = if self.path.is_empty() { shown } else { format!("{}.{shown}", self.path) };
        Place { path, line, report: self.report }
    }

    pub(super) fn field(self, value: Value) -> Field<'r> {
        Field { place: self, value }
    }

    fn item(&self, position: usize, line: usize) -> Place<'r> {
        Place { path: format!("{}[{position}]", self.path), line, report: self.report }
    }
}

impl<'r> Section<'r> {
    pub(super) fn root(node: Node, report: &'r Report) -> Section<'r> {
        Field { place: Place { path: String::new(), line: node.line, report }, value: node.value }.section()
    }

    pub(super) fn place(&self) -> &Place<'r> {
        &self.place
    }

    /// The place of a key, whether it is there or not.
    pub(super) fn place_of(&self, key: &str) -> Place<'r> {
        self.place.key(key, self.place.line)
    }

    /// A key that stands elsewhere: where it is here, `cure` is told.
    pub(super) fn refuse(&mut self, key: &str, cure: &str) {
        if let Some(position) = self.entries.iter().position(|entry| entry.key == key) {
            let entry = self.entries.remove(position);
            self.place.key(key, entry.line).wrong(cure);
        }
    }

    /// Nothing also where the value is null: all of it is commented out.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'r>> {
        self.known.push(key);
        let position = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(position);
        let place = self.place.key(key, entry.line);
        (entry.value != Value::Null).then_some(Field { place, value: entry.value })
    }

    pub(super) fn section(&mut self, key: &'static str) -> Section<'r> {
        match self.take(key) {
            Some(field) => field.section(),
            None => Section { place: self.place_of(key), entries: Vec::new(), known: Vec::new() },
        }
    }

    pub(super) fn list(&mut self, key: &'static str, items: RangeInclusive<usize>) -> Option<Vec<Field<'r>>> {
        self.take(key)?.list(items)
    }

    /// A value of one line, read by `parse`; numbers and booleans as they are written.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.take(key)?.parsed(parse)
    }

    /// As [`Section::parsed`]; a mistake where the key is missing.
    pub(super) fn required<T>(&mut self, key: &'static str, what: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        match self.take(key) {
            Some(field) => field.parsed(str::parse),
            None => {
                self.place_of(key).wrong(format_args!("is missing; write {what}"));
                None
            }
        }
    }

    pub(super) fn span(&mut self, key: &'static str, range: RangeInclusive<Millis>) -> Option<Millis> {
        self.take(key)?.span(range)
    }

    pub(super) fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.parsed(key, |text| {
            let bytes = size::parse(text)?;
            let (min, max) = (size::show(*range.start()), size::show(*range.end()));
            if range.contains(&bytes) { Ok(bytes) } else { Err(format!("must be {min}..={max}, got {text}")) }
        })
    }

    pub(super) fn number<N>(&mut self, key: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: FromStr + PartialOrd + Display,
    {
        self.parsed(key, |text| match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("must be {}..={}, got {}", range.start(), range.end(), quoted(text))),
        })
    }

    /// Every entry of a map whose keys people choose, with the name that `parse` makes of the key.
    pub(super) fn entries<N, E: Display>(
        self,
        parse: impl Fn(&str) -> Result<N, E>,
    ) -> impl Iterator<Item = (N, Section<'r>)> {
        let place = self.place;
        self.entries.into_iter().filter_map(move |entry| {
            let place = place.key(&entry.key, entry.line);
            let name = parse(&entry.key).map_err(|error| place.wrong(error)).ok()?;
            Some((name, Field { place, value: entry.value }.section()))
        })
    }

    /// The entries as they are.
    pub(super) fn into_values(self) -> (Place<'r>, Vec<Entry>) {
        (self.place, self.entries)
    }

    /// Whoever took every key that there is calls this: what is left is unknown.
    pub(super) fn finish(self) {
        for entry in &self.entries {
            let known = not_known(&entry.key, self.known.iter().copied());
            self.place.key(&entry.key, entry.line).wrong(format_args!("unknown key; {known}"));
        }
    }
}

impl<'r> Field<'r> {
    pub(super) fn place(&self) -> &Place<'r> {
        &self.place
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    pub(super) fn into_value(self) -> Value {
        self.value
    }

    pub(super) fn wrong(&self, message: impl Display) {
        self.place.wrong(message);
    }

    /// Empty where it is no map.
    pub(super) fn section(self) -> Section<'r> {
        let entries = match self.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            other => {
                self.place.wrong(format_args!("must be a map of keys and values, got {}", kind(&other)));
                Vec::new()
            }
        };
        Section { place: self.place, entries, known: Vec::new() }
    }

    pub(super) fn list(self, items: RangeInclusive<usize>) -> Option<Vec<Field<'r>>> {
        let Value::List(nodes) = self.value else {
            self.place.wrong(format_args!("must be a list, got {}", kind(&self.value)));
            return None;
        };
        if !items.contains(&nodes.len()) {
            let (min, max) = items.into_inner();
            self.place.wrong(format_args!("must have {min}..={max} items, has {}", nodes.len()));
            return None;
        }
        let field = |(at, node): (usize, Node)| Field { place: self.place.item(at, node.line), value: node.value };
        Some(nodes.into_iter().enumerate().map(field).collect())
    }

    pub(super) fn parsed<T, E: Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let parsed = match &self.value {
            Value::Text(text) => parse(text),
            Value::Number(number) => parse(&number.to_string()),
            Value::Bool(value) => parse(if *value { "true" } else { "false" }),
            other => {
                self.wrong(format_args!("must be a single value, got {}", kind(other)));
                return None;
            }
        };
        parsed.map_err(|error| self.wrong(error)).ok()
    }

    pub(super) fn span(&self, range: RangeInclusive<Millis>) -> Option<Millis> {
        self.parsed(|text| {
            let span: Millis = text.parse().map_err(|error: NotADuration| error.to_string())?;
            let (min, max) = (range.start(), range.end());
            if range.contains(&span) { Ok(span) } else { Err(format!("must be {min}..={max}, got {text}")) }
        })
    }
}

/// A number as it is, anything else in quotes.
fn quoted(text: &str) -> String {
    let number = text.parse::<f64>().is_ok();
    if number { text.to_owned() } else { format!("{text:?}") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

/// `did you mean "timezone"? known: plugin, handler, timezone`
pub(super) fn not_known<'k>(text: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let text: String = text.chars().take(KEY_CHARS_MAX).collect::<String>().to_lowercase();
    let alike = known.clone().map(|word| (strsim::jaro_winkler(&text, word), word));
    let best = alike.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let meant = best.filter(|best| best.0 >= LIKENESS_MIN);
    let list = known.collect::<Vec<_>>().join(", ");
    match meant {
        Some((_, word)) => format!("did you mean {word:?}? known: {list}"),
        None => format!("known: {list}"),
    }
}
