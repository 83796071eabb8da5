//! YAML as a tree of values that know their lines.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Spanned};

use super::{Mistake, TEXT_BYTES_MAX, size};

/// Maps and lists within each other.
const DEPTH_MAX: usize = 32;
/// Values of one file, those that aliases repeat not counted.
const NODES_MAX: usize = 100_000;
/// `*aliases` of one file.
const ALIASES_MAX: usize = 1000;
/// Parser events that aliases repeat, all together: a bomb ends here.
const REPEATED_EVENTS_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, each key once.
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Value,
}

/// Reads one document. YAML 1.2 core: `no` and `09:00` are text. A syntax error, a key that is
/// there twice and a tree over the budget are one mistake, and end the reading.
pub(super) fn parse(text: &str) -> Result<Node, Mistake> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("must have at most {}, has {}", size::show(TEXT_BYTES_MAX as u64), text.len());
        return Err(Mistake { path: String::new(), message, line: None });
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| mistake(&error))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_recorded_anchor_events: 4 * NODES_MAX,
            max_recorded_anchor_bytes: 4 * TEXT_BYTES_MAX,
            max_total_scalar_bytes: 4 * TEXT_BYTES_MAX,
            max_documents: 1,
            max_merge_keys: ALIASES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPEATED_EVENTS_MAX,
            max_replay_stack_depth: DEPTH_MAX,
        },
        emit_comments: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        // A snippet would show the lines around, secrets that should not be there included.
        with_snippet: false,
    }
}

fn mistake(error: &Error) -> Mistake {
    let line = error.location().and_then(|at| usize::try_from(at.line()).ok()).filter(|line| *line > 0);
    let message = words(error).chars().filter(|c| !c.is_control()).take(300).collect();
    Mistake { path: String::new(), message, line }
}

fn words(error: &Error) -> String {
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("key {key:?} is there twice; leave one out"),
        Error::DuplicateMappingKey { key: None, .. } => "a key is there twice; leave one out".to_owned(),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "must be one document; leave out `---` and what follows".to_owned()
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => format!("must be at most {DEPTH_MAX} levels deep"),
        Error::Budget { .. } => format!("must have at most {NODES_MAX} values and {ALIASES_MAX} aliases"),
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            "aliases repeat too much; write out what they stand for".to_owned()
        }
        Error::AliasError { error, .. } => words(error),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias must not stand in what it repeats".to_owned(),
        Error::NullIntoString { .. } => "a key must be text".to_owned(),
        Error::UnsupportedTag { .. } => "tags such as !env have no meaning here; leave it out".to_owned(),
        other => {
            let text = other.to_string();
            // The line is told already.
            let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
            format!("is no valid YAML: {words}")
        }
    }
}

/// What came as JSON has no lines.
impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Node {
        Node { line: 0, value: Value::from(value) }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(value) => Value::Number(value),
            serde_json::Value::String(value) => Value::Text(value),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Node::from).collect()),
            serde_json::Value::Object(entries) => {
                let entry = |(key, value)| Entry { key, line: 0, value: Value::from(value) };
                Value::Map(entries.into_iter().map(entry).collect())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let line = usize::try_from(spanned.referenced.line()).unwrap_or(0);
        Ok(Node { line, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let line = usize::try_from(key.referenced.line()).unwrap_or(0);
            entries.push(Entry { key: key.value, line, value: access.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}

/// As JSON: what a payload and the values of `config` become.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(value) => value.serialize(serializer),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(items) => serializer.collect_seq(items.iter().map(|item| &item.value)),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &entry.value)?;
                }
                map.end()
            }
        }
    }
}
