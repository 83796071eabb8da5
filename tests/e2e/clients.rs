//! The senders' own libraries sign, and the host takes it; one byte changed, and it does not.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{GITHUB, LETTERS, Project, STRIPE, Sender, Webhook, now};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
const SLACK: Sender = Sender { provider: "slack", scheme: "slack", secret: "8f742231b10e8888abcd99yyyzzz85a5" };

/// What the script makes of it: the headers that the library's user sends.
fn signed_by(program: &str, script: &str, sender: Sender, asked: &Value) -> Webhook {
    let mut child = Command::new(program)
        .arg(script)
        .current_dir(CLIENTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; run tests/run, which installs the senders' libraries"));
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{script} failed; tests/run installs the senders' libraries");
    let headers: serde_json::Map<String, Value> = serde_json::from_slice(&done.stdout).unwrap();
    Webhook {
        provider: sender.provider.to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect(),
        body: asked["body"].as_str().unwrap().into(),
    }
    .header("Content-Type", "application/json")
}

fn python() -> String {
    let python = Path::new(CLIENTS).join("venv/bin/python");
    assert!(python.is_file(), "{} is missing: run tests/run", python.display());
    python.display().to_string()
}

/// Taken as it is, and refused with any one byte of body or signature changed.
fn is_taken_as_it_is_only(sender: Sender, sign: impl Fn(&Value) -> Webhook) {
    let project = Project::with(&[]);
    project.write(".env", format!("{}={}\n", sender.variable(), sender.secret));
    let host = project.serve();
    let body =
        json!({ "id": "evt_1", "event_id": "Ev1", "type": "invoice.paid", "text": "caf\u{e9} \u{1f980}" }).to_string();
    let webhook = sign(&json!({ "secret": sender.secret, "id": "msg_1", "now": now() / 1000, "body": body }));

    let mut other = webhook.clone();
    let last = other.body.len() - 3;
    other.body[last] ^= 1;
    assert_eq!(host.post(&other).status, 401, "another body");
    let mut other = webhook.clone();
    let (_, signature) = other.headers.iter_mut().find(|(name, _)| name.to_lowercase().contains("signature")).unwrap();
    let end = signature.pop().unwrap();
    // Of base64, the bits before the padding.
    let end = if end == '=' {
        signature.pop().map(|end| format!("{}=", if end == 'A' { 'Q' } else { 'A' })).unwrap()
    } else {
        char::from(if end == '0' { b'1' } else { b'0' }).to_string()
    };
    signature.push_str(&end);
    assert_eq!(host.post(&other).status, 401, "another signature");

    let answer = host.post(&webhook);
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    assert_eq!(host.get(&format!("providers/{}", sender.provider))["accepted"], 1);
}

#[test]
fn what_the_library_of_stripe_signs_is_taken() {
    is_taken_as_it_is_only(STRIPE, |asked| with_python("stripe", STRIPE, asked));
}

#[test]
fn what_the_library_of_standard_webhooks_signs_is_taken() {
    is_taken_as_it_is_only(LETTERS, |asked| with_python("standardwebhooks", LETTERS, asked));
}

#[test]
fn what_the_library_of_slack_signs_is_taken() {
    is_taken_as_it_is_only(SLACK, |asked| with_python("slack", SLACK, asked));
}

#[test]
fn what_the_library_of_github_signs_is_taken() {
    is_taken_as_it_is_only(GITHUB, |asked| {
        signed_by("node", "sign.mjs", GITHUB, asked).header("X-GitHub-Event", "push").header("X-GitHub-Delivery", "1")
    });
}

fn with_python(library: &str, sender: Sender, asked: &Value) -> Webhook {
    let mut asked = asked.clone();
    asked["library"] = library.into();
    signed_by(&python(), "sign.py", sender, &asked)
}
