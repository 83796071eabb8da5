//! Which runs belong together: a path into the payload, such as `data.customer.id`, in the language of filters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cel::Value;
use cel::common::ast::IdedExpr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::filter::{self, BadFilter, Subject};

/// An expression in CEL, compiled once, that gives the key of an event or job. Names are those of filters: `customer.id`
/// is a member of the JSON body.
#[derive(Clone)]
pub struct Key {
    text: Arc<str>,
    /// Nothing where it was stored by a release that took it, and this one does not.
    program: Option<Arc<IdedExpr>>,
}

/// Why a text gives no key, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: write a path into the body, such as customer.id or items[0].sku")]
pub struct BadKey(String);

impl Key {
    pub fn parse(text: &str) -> Result<Key, BadKey> {
        let text = text.trim();
        let program = filter::compile(text).map_err(|bad| match bad {
            BadFilter::Empty => BadKey("is empty".to_owned()),
            // Its own hint is for conditions.
            BadFilter::Syntax(cause) => BadKey(cause),
            other => BadKey(other.to_string()),
        })?;
        Ok(Key { text: text.into(), program: Some(Arc::new(program)) })
    }

    /// Nothing where the payload has no such member, or it is null, a list or an object: such a run has no key.
    pub fn of(&self, subject: &Subject<'_>) -> Option<String> {
        match subject.evaluate(self.program.as_deref()?).ok()? {
            Value::String(text) => Some(text.as_ref().clone()),
            Value::Int(number) => Some(number.to_string()),
            Value::UInt(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Key, BadKey> {
        Key::parse(text)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// What was stored reads back always: a release that takes less must still open the store.
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = String::deserialize(deserializer)?;
        let program = filter::compile(&text).ok().map(Arc::new);
        Ok(Key { text: text.into(), program })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Job, JobOrigin};
    use crate::id::JobId;
    use crate::time::Timestamp;

    fn key(text: &str, body: &str) -> Option<String> {
        let job = Job {
            id: JobId::new(Timestamp(1), 1),
            origin: JobOrigin::Operator,
            scheduled_at: Timestamp(1),
            content_type: "application/json".into(),
            data: body.as_bytes().to_vec(),
            hops: 0,
            trace: None,
        };
        Key::parse(text).unwrap().of(&Subject::of_job(&job))
    }

    #[test]
    fn a_key_is_what_the_path_leads_to() {
        let body = r#"{"customer":{"id":42,"vip":true},"items":[{"sku":"a-1"}],"data":{"n":1.5}}"#;
        let cases = [
            ("customer.id", "42"),
            ("items[0].sku", "a-1"),
            ("body.customer.vip", "true"),
            ("data.n", "1.5"),
            ("string(customer.id) + '/' + items[0].sku", "42/a-1"),
        ];
        for (path, expected) in cases {
            assert_eq!(key(path, body).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_payload_without_the_member_has_no_key() {
        for body in ["", "no json", "{}", r#"{"customer":null}"#, r#"{"customer":{"id":{"a":1}}}"#] {
            assert_eq!(key("customer.id", body), None, "{body}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_a_cure() {
        for text in ["", "a b", "customer.", "[1].all(x, true)"] {
            assert!(Key::parse(text).unwrap_err().to_string().contains("customer.id"), "{text}");
        }
    }
}
