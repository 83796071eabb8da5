//! `hookbox verify`: every known delivery, and what is said of it.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Project, SHOP, STRIPE, Said, Sender, Webhook};

const VECTORS: &str = include_str!("../fixtures/signatures.json");

/// What is no preset.
const SCHEMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/schemes");

fn vectors() -> Vec<Value> {
    serde_json::from_str::<Value>(VECTORS).unwrap()["vectors"].as_array().unwrap().clone()
}

/// What is said of a vector, by the binary.
fn asked(project: &Project, vector: &Value) -> (Option<i32>, Value) {
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let mut arguments = vec!["verify".to_owned(), "--json".to_owned(), "--body".to_owned(), "body".to_owned()];
    let mut give = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    let scheme = text("scheme");
    match project.path(&scheme).is_file() {
        true => give("--scheme", scheme),
        false => give("--provider", scheme),
    }
    let secrets = vector["secret"].as_array().cloned().unwrap_or_else(|| vec![vector["secret"].clone()]);
    for secret in secrets {
        // A value that begins with a dash is a value.
        give("--secret", secret.as_str().unwrap().to_owned());
    }
    for (name, value) in vector["headers"].as_object().unwrap() {
        give("-H", format!("{name}: {}", value.as_str().unwrap()));
    }
    give("--method", text("method"));
    if !text("url").is_empty() {
        give("--url", text("url"));
    }
    match vector["now"].as_u64() {
        Some(now) => give("--now", now.to_string()),
        None => give("--tolerance", "none".to_owned()),
    }
    if let Some(tolerance) = vector["tolerance"].as_u64() {
        give("--tolerance", tolerance.to_string());
    }
    project.write("body", text("body"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = project.run(&arguments);
    let told = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (said.code, told)
}

fn expected(vector: &Value) -> (Option<i32>, Value) {
    let valid = vector["expect"] == "valid";
    let answer = match vector["expected_response_token"].as_str() {
        Some(token) => json!(json!({ "response_token": token }).to_string()),
        None => Value::Null,
    };
    (Some(i32::from(!valid)), json!({ "valid": valid, "cause": vector["cause"], "answer": answer }))
}

#[test]
fn every_known_delivery_is_judged_with_its_cause() {
    let project = Project::with(&[]).bare();
    for entry in std::fs::read_dir(SCHEMES).unwrap() {
        let file = entry.unwrap().path();
        project.write(file.file_stem().unwrap().to_str().unwrap(), std::fs::read_to_string(&file).unwrap());
    }
    let vectors = vectors();
    assert_eq!(vectors.len(), 93);
    let wrong: Vec<String> = vectors
        .iter()
        .filter_map(|vector| {
            let (told, expected) = (asked(&project, vector), expected(vector));
            (told != expected).then(|| format!("{}: told {told:?}, expected {expected:?}", vector["id"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Asks of a webhook, with its body as a file.
fn ask(project: &Project, webhook: &Webhook, more: &[&str]) -> Said {
    project.write("body", &webhook.body);
    let headers: Vec<String> = webhook.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let headers = headers.iter().flat_map(|header| ["-H", header]);
    let arguments: Vec<&str> =
        ["verify", "--body", "body"].into_iter().chain(headers).chain(more.iter().copied()).collect();
    project.run(&arguments)
}

#[track_caller]
fn refused(said: &Said, cause: &str, part: &str) {
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.starts_with(&format!("refused: {cause}\n")) && said.out.contains(part), "{said:?}");
}

#[test]
fn what_matched_is_told() {
    let project = Project::with(&[]).bare().env("STRIPE", STRIPE.secret);
    let webhook = STRIPE.sign("", "{}");
    let said = ask(&project, &webhook, &["--provider", "stripe", "--secret", "whsec_old", "--secret", "env:STRIPE"]);
    assert!(said.text().starts_with("valid\n") && said.text().contains("secret 2"), "{said:?}");
    assert!(said.text().contains("every byte of the body"), "{said:?}");
    let said = ask(&project, &webhook, &["--provider", "stripe", "--secret", "env:STRIPE", "--json"]);
    assert_eq!(said.text(), "{\"valid\":true,\"cause\":null,\"answer\":null}\n");
}

#[test]
fn the_provider_of_hooks_yaml_brings_its_scheme_and_secrets() {
    let project = Project::with(&[]).bare();
    project.write("hooks.yaml", "providers: { acme: { scheme: stripe, secrets: [ { file: acme.key } ] } }\n");
    project.write("acme.key", STRIPE.secret);
    let webhook = STRIPE.sign("", "{}");
    assert_eq!(ask(&project, &webhook, &["--provider", "acme"]).code, Some(0));
    project.write("acme.key", "whsec_other");
    refused(&ask(&project, &webhook, &["--provider", "acme"]), "mismatch", "no guess fits");
    // A mistake in it is no matter where a preset is meant, and one where it is not.
    project.write("hooks.yaml", "colour: red\n");
    assert_eq!(ask(&project, &webhook, &["--provider", "stripe", "--secret", STRIPE.secret]).code, Some(0));
    assert_eq!(ask(&project, &webhook, &["--provider", "acme", "--secret", STRIPE.secret]).code, Some(2));
}

#[test]
fn a_refusal_is_told_with_what_may_help() {
    let project = Project::with(&[]).bare();
    let webhook = STRIPE.sign("", "{\"id\": \"evt_1\"}");
    let with = |more: &[&str]| ask(&project, &webhook, &[&["--provider", "stripe"], more].concat());
    refused(&with(&["--secret", "hush-stripe-19c0"]), "mismatch", "with whsec_ before the secret");
    refused(&with(&["--secret", STRIPE.secret, "--now", "1700000000"]), "outside-tolerance", "--tolerance none");
    let changed = Webhook { body: b"{\"id\":\"evt_1\"}\n".to_vec(), ..webhook.clone() };
    let said = ask(&project, &changed, &["--provider", "stripe", "--secret", STRIPE.secret]);
    refused(&said, "mismatch", "JSON written anew");
    let shop = SHOP.sign("1", "{}");
    refused(
        &ask(&project, &shop, &["--provider", "stripe", "--secret", SHOP.secret]),
        "missing-header",
        "preset generic",
    );
    assert!(!said.out.contains(STRIPE.secret) && !said.out.contains(&webhook.value("Stripe-Signature")[20..]));
}

#[test]
fn a_secret_that_cannot_be_used_is_told_with_the_reason() {
    let project = Project::with(&[]).bare();
    let webhook = SHOP.sign("1", "{}");
    for (provider, secret, why) in [
        ("stripe", "", "must not be empty"),
        ("stripe", "env:NOBODY_SET_THIS", "env NOBODY_SET_THIS is not set"),
        ("stripe", "file:nothing.key", "file nothing.key is not set"),
        ("standard-webhooks", "whsec_AAAA", "24 to 64 bytes"),
        ("standard-webhooks", "hush", "must begin with whsec_ or whpk_"),
    ] {
        refused(&ask(&project, &webhook, &["--provider", provider, "--secret", secret]), "unusable-secret", why);
    }
    let said = ask(&project, &webhook, &["--provider", "stripe", "--secret", "", "--json"]);
    assert_eq!(said.out, "{\"valid\":false,\"cause\":\"unusable-secret\",\"answer\":null}\n");
}

#[test]
fn a_question_that_makes_no_sense_is_a_mistake() {
    let project = Project::with(&[]).bare();
    let webhook = SHOP.sign("1", "{}");
    for more in [
        &["--provider", "nobody", "--secret", "hush"][..],
        &["--provider", "stripe"],
        &["--secret", "hush"],
        &["--provider", "stripe", "--secret", "hush", "--tolerance", "soon"],
        &["--provider", "stripe", "--secret", "hush", "-H", "no colon"],
    ] {
        assert_eq!(ask(&project, &webhook, more).code, Some(2), "{more:?}");
    }
}

#[test]
fn a_body_comes_from_the_standard_input() {
    let project = Project::with(&[]).bare();
    let webhook = SHOP.sign("1", b"{\"n\":1}\r\n\xff".to_vec());
    let signature = format!("X-Webhook-Signature: {}", webhook.value("X-Webhook-Signature"));
    let arguments = ["verify", "--provider", "generic", "--secret", SHOP.secret, "-H", &signature, "--body", "-"];
    for (body, code) in [(webhook.body.as_slice(), 0), (b"{\"n\":1}\r\n", 1)] {
        let mut child = project.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(body).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_caught_delivery_is_judged_by_the_time_it_came() {
    let project = Project::with(&[]).bare();
    let at = 1_764_000_000_123;
    let webhook = STRIPE.sign_at(at, "", "{}");
    let headers: Vec<Value> = webhook.headers.iter().map(|(name, value)| json!([name, value])).collect();
    let caught = json!({
        "format": 1, "received_at_ms": at, "method": "POST", "path": "/api/v1/webhooks/webhook/stripe",
        "headers": headers, "body": "{}",
    });
    project.write("caught", caught.to_string());
    let judged = |more: &[&str]| project.run(&[&["verify", "--delivery", "caught"], more].concat());
    assert_eq!(judged(&["--secret", STRIPE.secret]).code, Some(0), "the provider is that of its path");
    refused(&judged(&["--secret", STRIPE.secret, "--now", "1764009000"]), "outside-tolerance", "5m before");
    refused(&judged(&["--secret", STRIPE.secret, "-H", "Stripe-Signature: t=1"]), "malformed-header", "");
    let other = Sender { secret: "whsec_other", ..STRIPE };
    refused(&judged(&["--secret", other.secret]), "mismatch", "");
}
