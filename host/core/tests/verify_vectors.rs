//! Published and computed signatures: each is accepted, or refused for the cause that it names.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::fs;
use std::path::Path;

use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Delivery, Scheme, Verifier};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Fixture {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    scheme: String,
    secret: OneOrMany,
    headers: Headers,
    body: String,
    expect: String,
    cause: Option<String>,
    /// In seconds since 1970.
    now: Option<u64>,
    /// In seconds.
    tolerance: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Headers {
    Once(Map<String, Value>),
    Pairs(Vec<(String, String)>),
}

impl Vector {
    /// What the verifier makes of it: the cause of its refusal, if it refuses.
    fn verdict(&self) -> Result<(), &'static str> {
        let scheme = Scheme::named(&self.scheme).unwrap();
        let secrets = match &self.secret {
            OneOrMany::One(secret) => std::slice::from_ref(secret),
            OneOrMany::Many(secrets) => secrets,
        };
        let secrets: Result<Vec<Secret>, _> = secrets.iter().map(|secret| Secret::new(secret.as_str())).collect();
        let secrets = secrets.map_err(|_| "unusable-secret")?;
        let tolerance = self.tolerance.map(|seconds| Millis(seconds * 1000));
        let verifier = Verifier::new(scheme, &secrets, tolerance).map_err(|error| error.code())?;

        let headers: Vec<(String, Vec<u8>)> = match &self.headers {
            Headers::Once(map) => {
                map.iter().map(|(name, value)| (name.clone(), bytes(value.as_str().unwrap()))).collect()
            }
            Headers::Pairs(pairs) => pairs.iter().map(|(name, value)| (name.clone(), bytes(value))).collect(),
        };
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let now = Timestamp(self.now.unwrap_or_default() * 1000);
        let delivery = Delivery { headers: &headers, body: self.body.as_bytes() };
        verifier.verify(&delivery, now).map(|_| ()).map_err(|refusal| refusal.code())
    }

    fn expected(&self) -> Result<(), &str> {
        match (self.expect.as_str(), &self.cause) {
            ("valid", None) => Ok(()),
            ("invalid", Some(cause)) => Err(cause),
            _ => panic!("{}: neither valid nor invalid with a cause", self.id),
        }
    }
}

/// Header values are written with one character for each byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// How many vectors of those schemes were accepted and refused as they should be.
fn run(file: &str, schemes: &[&str]) -> (usize, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(file);
    let all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let ours = |vector: &Value| schemes.contains(&vector["scheme"].as_str().unwrap());
    let ours: Vec<Value> = all["vectors"].as_array().unwrap().iter().filter(|vector| ours(vector)).cloned().collect();
    let fixture: Fixture = serde_json::from_value(serde_json::json!({ "vectors": ours })).unwrap();
    for vector in &fixture.vectors {
        assert_eq!(vector.verdict(), vector.expected(), "{}", vector.id);
    }
    let valid = fixture.vectors.iter().filter(|vector| vector.expect == "valid").count();
    (valid, fixture.vectors.len() - valid)
}

#[test]
fn published_signatures_of_github_are_told_right_from_wrong() {
    assert_eq!(run("signatures.json", &["github-256"]), (4, 4));
}

#[test]
fn published_signatures_of_stripe_are_told_right_from_wrong() {
    assert_eq!(run("signatures.json", &["stripe"]), (1, 4));
}

#[test]
fn published_signatures_of_standard_webhooks_are_told_right_from_wrong() {
    assert_eq!(run("signatures.json", &["standard-webhooks"]), (7, 8));
}

#[test]
fn generic_signatures_are_told_right_from_wrong() {
    assert_eq!(run("signatures-generic.json", &["generic"]), (8, 31));
}
