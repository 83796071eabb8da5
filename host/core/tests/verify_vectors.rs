//! Published and computed signatures: each is accepted, or refused for the cause that it names.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Delivery, Refusal, Scheme, Verifier};
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
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    url: String,
    secret: OneOrMany,
    headers: Headers,
    body: String,
    expect: String,
    cause: Option<String>,
    /// In seconds since 1970.
    now: Option<u64>,
    /// In seconds.
    tolerance: Option<u64>,
    expected_response_token: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
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

/// A preset, or one that is written as in hooks.yaml.
fn scheme(name: &str) -> Scheme {
    let file = fixtures().join("schemes").join(format!("{name}.yaml"));
    let custom =
        || Scheme::from_yaml(&fs::read_to_string(file).unwrap()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    Scheme::named(name).cloned().unwrap_or_else(custom)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

impl Vector {
    /// What the verifier makes of it: the cause of its refusal, if it refuses.
    fn verdict(&self) -> Result<(), &'static str> {
        let scheme = &scheme(&self.scheme);
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
        let body = match self.scheme.as_str() {
            // Published by itself, and sent in a list.
            "adyen-item" => format!(r#"{{"notificationItems":[{{"NotificationRequestItem":{}}}]}}"#, self.body),
            _ => self.body.clone(),
        };
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let delivery =
            Delivery { method: &self.method, url: &self.url, query, headers: &headers, body: body.as_bytes() };
        if self.scheme == "twitter-crc" {
            let answer = verifier.challenge(&delivery).map_err(|refusal| refusal.code())?.body;
            let token = self.expected_response_token.as_ref().unwrap();
            assert_eq!(String::from_utf8(answer).unwrap(), format!(r#"{{"response_token":"{token}"}}"#));
            return Ok(());
        }
        match verifier.verify(&delivery, now) {
            // The vector pins no clock: the delivery's own time counts.
            Err(Refusal::OutsideTolerance { signed_at, .. }) if self.now.is_none() => {
                verifier.verify(&delivery, signed_at).map(|_| ()).map_err(|refusal| refusal.code())
            }
            verdict => verdict.map(|_| ()).map_err(|refusal| refusal.code()),
        }
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
fn run(file: &str, wanted: impl Fn(&str) -> bool) -> (usize, usize) {
    let path = fixtures().join(file);
    let all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let ours = |vector: &Value| wanted(vector["scheme"].as_str().unwrap());
    let ours: Vec<Value> = all["vectors"].as_array().unwrap().iter().filter(|vector| ours(vector)).cloned().collect();
    let fixture: Fixture = serde_json::from_value(serde_json::json!({ "vectors": ours })).unwrap();
    let wrong = fixture.vectors.iter().filter(|vector| vector.verdict() != vector.expected());
    let wrong: Vec<_> = wrong.map(|vector| (&vector.id, vector.verdict(), vector.expected())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let valid = fixture.vectors.iter().filter(|vector| vector.expect == "valid").count();
    (valid, fixture.vectors.len() - valid)
}

#[test]
fn published_signatures_are_told_right_from_wrong() {
    assert_eq!(run("signatures.json", |_| true), (56, 37));
}

#[test]
fn more_published_signatures_are_told_right_from_wrong() {
    assert_eq!(run("signatures-more.json", |_| true), (23, 10));
}

/// Who sends, whatever the vector calls it: products of one company and senders through one service
/// count once.
fn sender(provider: &str) -> &str {
    const FOLDED: [(&str, &[&str]); 8] = [
        ("standard webhooks", &["Standard Webhooks", "Svix", "OpenAI"]),
        ("atlassian", &["Bitbucket", "bitbucket", "Jira"]),
        ("hook0", &["Hook0", "Coinbase CDP"]),
        ("dropbox", &["Dropbox"]),
        ("hookdeck", &["Hookdeck", "Outpost"]),
        ("mailgun", &["Mailgun"]),
        ("twilio", &["Twilio", "SendGrid"]),
        ("meta", &["Meta", "Facebook", "WhatsApp"]),
    ];
    let is_of = |begins: &[&str]| begins.iter().any(|begin| provider.starts_with(begin));
    FOLDED.iter().find(|(_, begins)| is_of(begins)).map_or(provider, |(sender, _)| *sender)
}

#[test]
fn signatures_of_many_senders_were_published() {
    let mut senders = BTreeSet::new();
    for file in ["signatures.json", "signatures-more.json"] {
        let all: Value = serde_json::from_str(&fs::read_to_string(fixtures().join(file)).unwrap()).unwrap();
        let right = |vector: &&Value| vector["origin"] == "published" && vector["expect"] == "valid";
        let published = all["vectors"].as_array().unwrap().iter().filter(right);
        senders.extend(published.map(|vector| sender(vector["provider"].as_str().unwrap()).to_lowercase()));
    }
    senders.retain(|sender| !sender.starts_with("generic"));
    assert!(senders.len() >= 25, "{} {senders:?}", senders.len());
}

#[test]
fn a_scheme_that_changes_a_preset_is_read_from_its_file() {
    let all: Value = serde_json::from_str(&fs::read_to_string(fixtures().join("signatures.json")).unwrap()).unwrap();
    let old = |vector: &&Value| vector["id"] == "zendesk-01-invalid-old-order-under-current-scheme";
    let mut vector = all["vectors"].as_array().unwrap().iter().find(old).unwrap().clone();
    vector["scheme"] = "zendesk-old".into();
    let vector: Vector = serde_json::from_value(vector).unwrap();
    assert_eq!(vector.verdict(), Ok(()));
}

#[test]
fn generic_signatures_are_told_right_from_wrong() {
    assert_eq!(run("signatures-generic.json", |scheme| scheme == "generic"), (8, 31));
}
