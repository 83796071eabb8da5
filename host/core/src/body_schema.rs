//! What a provider's bodies must be: JSON Schema, from the operator's own files.
//!
//! A reference leads nowhere but into the same file, and patterns are matched in linear time: neither a schema nor a
//! body can make the host fetch something or think for long.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Longest file with a schema.
pub const SCHEMA_BYTES_MAX: u64 = 256 << 10;
/// The event's attribute that says what is wrong with its body, where it was taken in all the same.
pub const ATTRIBUTE: &str = "schema-fault";

/// Longest pointer and longest message, in characters: names of members are the sender's.
const SHOWN_CHARS_MAX: usize = 200;

/// Longest body in which the place of a fault is looked for: the library keeps an error for every item that is wrong.
const POINTED_BYTES_MAX: usize = 64 << 10;

/// A schema that was compiled, once.
#[derive(Clone)]
pub struct BodySchema {
    validator: Arc<Validator>,
    refers_to_itself: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSchema(String);

/// The first thing that is wrong with a body. Values are not quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where in the body, as a JSON Pointer; empty for the whole of it.
    pub pointer: String,
    pub message: String,
}

/// What is done with a body that its schema does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// The sender is told.
    Refuse,
    /// The event is kept, and its runs wait for an operator.
    DeadLetter,
}

impl BodySchema {
    /// `$schema` says which draft it is of, 2020-12 where it is silent.
    pub fn compile(text: &str) -> Result<BodySchema, BadSchema> {
        let schema: Value = serde_json::from_str(text).map_err(|error| BadSchema(format!("is no JSON: {error}")))?;
        let options = jsonschema::options().offline().with_pattern_options(PatternOptions::regex());
        let compiled = options.build(&schema).map_err(|error| {
            let at = error.instance_path().to_string();
            let place = if at.is_empty() { String::new() } else { format!(" at {at}") };
            BadSchema(shortened(&format!("is no JSON Schema that can be used{place}: {}", error.masked())))
        })?;
        Ok(BodySchema { validator: Arc::new(compiled), refers_to_itself: refers_to_itself(&schema) })
    }

    /// A body that is no JSON is allowed by no schema.
    pub fn check(&self, body: &[u8]) -> Result<(), Fault> {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Err(Fault { pointer: String::new(), message: "the body is no JSON".to_owned() });
        };
        if self.validator.is_valid(&value) {
            return Ok(());
        }
        // Looking for the place visits every branch of every level anew, and so for ever where a schema leads to itself.
        if self.refers_to_itself || body.len() > POINTED_BYTES_MAX {
            return Err(Fault { pointer: String::new(), message: "it is not as its schema wants it".to_owned() });
        }
        self.validator.validate(&value).map_err(|error| Fault {
            pointer: shortened(&error.instance_path().to_string()),
            message: shortened(&error.masked_with("the value").to_string()),
        })
    }
}

/// Whether following references may lead to where one was. A reference that is no pointer is taken for such a one.
fn refers_to_itself(schema: &Value) -> bool {
    let mut open = vec![String::new()];
    leads_back(schema, schema, &mut open, &mut BTreeSet::new())
}

/// `open` are the places that are being looked into, `done` those that lead nowhere.
fn leads_back(root: &Value, at: &Value, open: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
    match at {
        Value::Array(items) => items.iter().any(|item| leads_back(root, item, open, done)),
        Value::Object(members) => members.iter().any(|(name, value)| match (name.as_str(), value) {
            ("$ref", Value::String(target)) => match target.strip_prefix('#').filter(|rest| !rest.contains('%')) {
                Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => {
                    if done.contains(pointer) {
                        return false;
                    }
                    // A place within one that is open, or around it, may be come back to.
                    let within = |one: &str, other: &str| one.starts_with(other);
                    if open.iter().skip(1).any(|place| within(place, pointer) || within(pointer, place))
                        || pointer.is_empty()
                    {
                        return true;
                    }
                    let Some(place) = root.pointer(pointer) else { return true };
                    open.push(pointer.to_owned());
                    let back = leads_back(root, place, open, done);
                    open.pop();
                    done.insert(pointer.to_owned());
                    back
                }
                _ => true,
            },
            ("$dynamicRef" | "$recursiveRef", Value::String(_)) => true,
            (_, value) => leads_back(root, value, open, done),
        }),
        _ => false,
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

impl fmt::Debug for BodySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodySchema")
    }
}

/// `/data/amount: the value is not of type "integer"`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => write!(f, "the body: {}", self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r##"{
        "type": "object",
        "required": ["id", "data"],
        "properties": { "id": { "$ref": "#/$defs/id" }, "data": { "properties": { "amount": { "type": "integer", "minimum": 1 } } } },
        "$defs": { "id": { "type": "string", "pattern": "^(o_)+[0-9]+$", "maxLength": 20 } }
    }"##;

    fn fault(body: &str) -> String {
        BodySchema::compile(ORDER).unwrap().check(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_body_is_allowed_or_its_first_fault_is_pointed_at() {
        let schema = BodySchema::compile(ORDER).unwrap();
        assert_eq!(schema.check(br#"{"id":"o_1","data":{"amount":5}}"#), Ok(()));
        insta::assert_snapshot!(fault(r#"{"id":"o_1","data":{"amount":"secret"}}"#), @r#"/data/amount: the value is not of type "integer""#);
        insta::assert_snapshot!(fault(r#"{"id":"o_1","data":{"amount":0}}"#), @"/data/amount: the value is less than the minimum of 1");
        insta::assert_snapshot!(fault(r#"{"id":"o_1"}"#), @r#"the body: "data" is a required property"#);
        insta::assert_snapshot!(fault("a=1"), @"the body: the body is no JSON");
    }

    #[test]
    fn no_value_and_no_long_name_is_told() {
        for secret in ["hush-hush", "\\u0000", "x\\ny"] {
            assert!(!fault(&format!(r#"{{"id":"{secret}","data":1}}"#)).contains("hush"));
        }
        let closed = BodySchema::compile(r#"{"additionalProperties":false}"#).unwrap();
        let body = format!(r#"{{"{}":1}}"#, "n".repeat(5000));
        assert!(closed.check(body.as_bytes()).unwrap_err().to_string().len() < 500);
    }

    #[test]
    fn a_schema_fetches_nothing() {
        for reference in ["https://example.com/order.json", "file:///etc/passwd", "other.json", "#/nowhere"] {
            let error = BodySchema::compile(&format!(r##"{{"$ref":"{reference}"}}"##)).unwrap_err();
            assert!(error.to_string().starts_with("is no JSON Schema that can be used"), "{error}");
        }
    }

    #[test]
    fn what_is_no_schema_is_told_so() {
        for (text, told) in
            [("{", "is no JSON:"), (r#"{"type":"texd"}"#, "at /type"), (r#"{"pattern":"(?<=a)b"}"#, "pattern")]
        {
            let error = BodySchema::compile(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_schema_that_leads_to_itself_is_known() {
        let leads = |text: &str| refers_to_itself(&serde_json::from_str(text).unwrap());
        assert!(!leads(ORDER));
        assert!(!leads(
            r##"{"a":{"$ref":"#/$defs/x"},"b":{"$ref":"#/$defs/x"},"$defs":{"x":{"$ref":"#/$defs/y"},"y":{}}}"##
        ));
        for text in [
            r##"{"anyOf":[{"$ref":"#"}]}"##,
            r##"{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"items":{"$ref":"#/$defs/a"}}}}"##,
            r##"{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs"}}}}"##,
            r##"{"$ref":"#name"}"##,
            r##"{"$dynamicRef":"#x"}"##,
        ] {
            assert!(leads(text), "{text}");
        }
    }

    /// Looking for the place of the fault would double with each level.
    #[test]
    fn a_union_of_itself_is_judged_at_once() {
        let union = r##"{"anyOf":[
            {"type":"object","required":["op"],"properties":{"op":{"const":"and"},"arg":{"$ref":"#"}}},
            {"type":"object","required":["op"],"properties":{"op":{"const":"or"},"arg":{"$ref":"#"}}},
            {"type":"number"}
        ]}"##;
        let body = format!("{}\"bad\"{}", r#"{"op":"and","arg":"#.repeat(60), "}".repeat(60));
        let fault = BodySchema::compile(union).unwrap().check(body.as_bytes()).unwrap_err();
        assert_eq!(fault.to_string(), "the body: it is not as its schema wants it");
        let list = r#"{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"object"}]}"#;
        let body = format!("[{}0]", "0,".repeat(500_000));
        assert!(BodySchema::compile(list).unwrap().check(body.as_bytes()).is_err());
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let schema = BodySchema::compile(r#"{"pattern":"^(a+)+$"}"#).unwrap();
        let body = format!("\"{}b\"", "a".repeat(50_000));
        assert!(schema.check(body.as_bytes()).is_err());
    }
}
