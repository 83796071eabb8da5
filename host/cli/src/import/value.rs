//! A value as it is written in a file, whichever language that is in.

use std::fmt;

use serde_json::Value as Json;

/// Of what Python can say, this much is data.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    /// In the order in which it is written.
    Map(Vec<(String, Value)>),
    /// A timedelta, in seconds.
    Span(f64),
    /// A call that means something here: `crontab`, `solar`, `schedule`.
    Call(Call),
    /// Made by code: its text.
    Code(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) args: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

impl Call {
    /// An argument by its place or by its name.
    pub(super) fn argument(&self, place: usize, name: &str) -> Option<&Value> {
        let named = self.named.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
        named.or_else(|| self.args.get(place))
    }

    /// Arguments that have none of these names and none of their places, as they are written.
    pub(super) fn unknown(&self, names: &[&str]) -> Vec<String> {
        let args = self.args.iter().skip(names.len()).map(ToString::to_string);
        let named = self.named.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        args.chain(named.map(|(name, value)| format!("{name}={value}"))).collect()
    }
}

impl Value {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(members) => members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// None, and what is empty: Celery asks no further.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Value::None => true,
            Value::List(items) => items.is_empty(),
            Value::Map(members) => members.is_empty(),
            _ => false,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) | Value::Span(number) => Some(*number),
            _ => None,
        }
    }

    /// As a payload has it; the part that is no data where there is one.
    pub(super) fn to_json(&self) -> Result<Json, String> {
        Ok(match self {
            Value::None => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Int(number) => Json::from(*number),
            Value::Float(number) => serde_json::Number::from_f64(*number).map(Json::Number).ok_or("a number")?,
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect::<Result<_, _>>()?),
            Value::Map(members) => {
                let member = |(name, value): &(String, Value)| Ok::<_, String>((name.clone(), value.to_json()?));
                Json::Object(members.iter().map(member).collect::<Result<_, _>>()?)
            }
            Value::Span(_) | Value::Call(_) | Value::Code(_) => return Err(self.to_string()),
        })
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Value {
        match json {
            Json::Null => Value::None,
            Json::Bool(truth) => Value::Bool(truth),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Value::Int(number),
                (None, Some(float)) if number.is_f64() => Value::Float(float),
                // As a float it would be another number.
                _ => Value::Code(number.to_string()),
            },
            Json::String(text) => Value::Text(text),
            Json::Array(items) => Value::List(items.into_iter().map(Value::from).collect()),
            Json::Object(members) => {
                Value::Map(members.into_iter().map(|(name, value)| (name, Value::from(value))).collect())
            }
        }
    }
}

/// For comments.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Span(seconds) => write!(f, "timedelta(seconds={seconds})"),
            Value::Code(text) => f.write_str(text),
            Value::Call(call) => {
                let args = call.args.iter().map(ToString::to_string);
                let named = call.named.iter().map(|(name, value)| format!("{name}={value}"));
                write!(f, "{}({})", call.name, args.chain(named).collect::<Vec<_>>().join(", "))
            }
            other => match other.to_json() {
                Ok(json) => write!(f, "{json}"),
                Err(code) => f.write_str(&code),
            },
        }
    }
}
