//! One write, with what makes it safe to ask for it again.

use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use ureq::http::Method;

use super::{TIMEOUT, within};
use crate::args::{ConditionArgs, OnceArgs};

/// The longest wait for what is compiled first, for what another command goes before, and for thousands of runs.
const LONG_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Write {
    pub(super) method: Method,
    /// Below `/api/v1`.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Duration,
    key: Option<String>,
    look: String,
}

impl Write {
    /// With an empty object; `look` is the command that shows whether it was done, such as `runs list`.
    pub(crate) fn post(path: impl Into<String>, look: impl Into<String>) -> Write {
        Write::new(Method::POST, path.into(), look.into()).with(&json!({}))
    }

    pub(crate) fn put(path: impl Into<String>, look: impl Into<String>) -> Write {
        Write::new(Method::PUT, path.into(), look.into())
    }

    pub(crate) fn delete(path: impl Into<String>, look: impl Into<String>) -> Write {
        Write::new(Method::DELETE, path.into(), look.into())
    }

    fn new(method: Method, path: String, look: String) -> Write {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Write { method, path, headers, body: Vec::new(), timeout: TIMEOUT, key: None, look }
    }

    pub(crate) fn with(self, body: &Value) -> Write {
        Write { body: body.to_string().into_bytes(), ..self }
    }

    pub(crate) fn with_component(mut self, bytes: Vec<u8>, headers: Vec<(&'static str, String)>) -> Write {
        self.headers = [vec![("Content-Type", "application/wasm".to_owned())], headers].concat();
        Write { body: bytes, ..self }
    }

    /// Done once, however often it is asked for with its key. Fails where the system gives no random numbers.
    pub(crate) fn once(mut self, args: &OnceArgs) -> Result<Write> {
        let key = args.idempotency_key.clone().map_or_else(random_key, Ok)?;
        self.headers.push(("Idempotency-Key", format!("\"{key}\"")));
        Ok(Write { key: Some(key), ..self })
    }

    pub(crate) fn on_condition(mut self, args: &ConditionArgs) -> Write {
        let quoted = |tag: &String| if tag == "*" { tag.clone() } else { format!("\"{}\"", tag.trim_matches('"')) };
        self.headers.extend(args.if_match.as_ref().map(|tag| ("If-Match", quoted(tag))));
        self
    }

    /// The host may wait for so many seconds before it answers.
    pub(crate) fn waiting(self, seconds: Option<u64>) -> Write {
        Write { timeout: within(seconds), ..self }
    }

    /// The host may take minutes for it.
    pub(crate) fn patiently(self) -> Write {
        Write { timeout: LONG_TIMEOUT, ..self }
    }

    #[cfg(test)]
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What to do where no answer came.
    pub(super) fn cure(&self) -> String {
        let look = &self.look;
        match &self.key {
            Some(key) => format!("look with `hookbox {look}`, or repeat it with `--idempotency-key {key}`"),
            None => format!("look with `hookbox {look}` before you repeat it"),
        }
    }
}

fn random_key() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    Ok(hex::encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(write: &'a Write, name: &str) -> Option<&'a str> {
        write.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn each_write_has_a_key_of_its_own_unless_one_is_given() {
        let once = |key: Option<&str>| {
            let args = OnceArgs { idempotency_key: key.map(str::to_owned) };
            Write::post("runs/run_1/replay", "runs list").once(&args).unwrap()
        };
        let (first, second) = (once(None), once(None));
        assert!(first.key.as_ref().is_some_and(|key| key.len() == 32), "{first:?}");
        assert_ne!(first.key, second.key);
        assert_eq!(header(&once(Some("order-7")), "Idempotency-Key"), Some("\"order-7\""));
        assert!(
            once(Some("order-7")).cure().contains("`hookbox runs list`, or repeat it with `--idempotency-key order-7`")
        );
        let many = Write::post("runs/replay", "runs list");
        assert_eq!(header(&many, "Idempotency-Key"), None);
        assert!(many.cure().ends_with("before you repeat it"), "{many:?}");
    }

    #[test]
    fn a_condition_is_sent_as_a_tag_however_it_is_typed() {
        for (typed, sent) in [("abc", "\"abc\""), ("\"abc\"", "\"abc\""), ("*", "*")] {
            let args = ConditionArgs { if_match: Some(typed.to_owned()) };
            let write = Write::delete("holds/steps", "holds list").on_condition(&args);
            assert_eq!(header(&write, "If-Match"), Some(sent));
        }
        let write = Write::delete("holds/steps", "holds list").on_condition(&ConditionArgs::default());
        assert_eq!(header(&write, "If-Match"), None);
    }
}
