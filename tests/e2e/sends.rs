//! `hookbox send`: what a sender posts, and what it must not get away with.

use std::fs;

use hookbox_core::secret::Secret;
use hookbox_core::verify::{Scheme, sample, schemes};
use serde_json::json;

use crate::harness::{Host, Project, STRIPE};

#[test]
fn what_is_bad_is_refused_and_told_so() {
    let project = Project::with(&[]);
    let host = project.serve();
    for (provider, bad, reason) in [
        ("shop", "signature", "mismatch"),
        ("stripe", "signature", "mismatch"),
        ("standard-webhooks", "signature", "mismatch"),
        ("stripe", "time", "outside-tolerance"),
        ("standard-webhooks", "time", "outside-tolerance"),
    ] {
        let before = project.log_lines(&format!("reason=\"{reason}\""));
        let said = host.cli(&["send", provider, "--bad", bad]);
        assert!(said.text().contains("refused it, as it must (401)"), "{provider} {bad}: {said:?}");
        assert_eq!(project.log_lines(&format!("reason=\"{reason}\"")), before + 1, "{provider} {bad}");
    }
    assert_eq!(host.get("events")["items"], json!([]));
    let said = host.cli(&["send", "shop", "--bad", "time"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("signs no time"), "{said:?}");
}

#[test]
fn a_host_that_takes_what_is_bad_is_told_off() {
    // A host that knows what `send` takes for a stranger's secret.
    let stranger = sample(Scheme::generic(), &[2; 32]).unwrap().secret;
    let stranger = String::from_utf8(stranger.expose().to_vec()).unwrap();
    let project = Project::with(&[]).env("WEBHOOK_SECRET_SHOP", stranger);
    let host = project.serve();
    let said = host.cli(&["send", "shop", "--bad", "signature", "--json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("\"good\": false"), "{said:?}");
}

#[test]
fn every_preset_is_sent_taken_and_refused() {
    let presets = schemes();
    assert!(presets.len() > 55);
    let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
    let mut project = Project::with(&[]).bare();
    for scheme in presets {
        let variable = scheme.name().to_uppercase().replace('-', "_");
        let made = sample(scheme, &[7; 32]).unwrap();
        project = project.env(&format!("WEBHOOK_SECRET_{variable}"), text(&made.secret));
        project = project.env(&format!("SIGNING_KEY_{variable}"), text(&made.signing));
    }
    // Some senders sign the URL that they were given.
    project.write("hooks.yaml", "server: { public_url: https://hooks.example.com }\n");
    let host = project.serve();
    for (n, scheme) in presets.iter().enumerate() {
        let key = format!("env:SIGNING_KEY_{}", scheme.name().to_uppercase().replace('-', "_"));
        let send = |more: &[&str]| host.cli(&[&["send", scheme.name(), "--signing-key", &key], more].concat());
        let said = send(&["--type", "test"]);
        assert_eq!(said.code, Some(0), "{}: {said:?}", scheme.name());
        assert_eq!(host.all("events").len(), n + 1, "{}: {said:?}", scheme.name());
        let said = send(&["--bad", "signature"]);
        assert_eq!(said.code, Some(0), "{}: {said:?}", scheme.name());
        if scheme.tolerance().is_some() {
            let said = send(&["--bad", "time"]);
            assert_eq!(said.code, Some(0), "{}: {said:?}", scheme.name());
        }
    }
}

#[test]
fn a_public_key_cannot_sign_and_says_what_can() {
    let made = sample(Scheme::named("discord").unwrap(), &[7; 32]).unwrap();
    let public = String::from_utf8(made.secret.expose().to_vec()).unwrap();
    let project = Project::with(&[])
        .bare()
        .env("WEBHOOK_SECRET_SENDGRID_ECDSA", "bm8ga2V5")
        .env("WEBHOOK_SECRET_DISCORD", public);
    for provider in ["sendgrid-ecdsa", "discord"] {
        let said = project.run(&["send", provider]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("--signing-key"), "{said:?}");
    }
}

#[test]
fn a_duplicate_is_taken_once() {
    let project = Project::with(&[]);
    let host = project.serve();
    for provider in ["shop", "stripe", "github", "standard-webhooks"] {
        let said = host.cli(&["send", "--provider", provider, "--bad", "duplicate", "--json"]).json();
        assert_eq!(
            (&said["good"], &said["first"]["status"], &said["second"]["status"]),
            (&json!(true), &json!("accepted"), &json!("duplicate")),
            "{said}"
        );
        assert_eq!(said["first"]["id"], said["second"]["id"]);
    }
    assert_eq!(host.all("events").len(), 4);
}

#[test]
fn a_body_is_sent_as_it_is() {
    let project = Project::with(&[]);
    let host = project.serve();
    project.write("body.json", "{\"type\": \"a.b\",  \"n\": 1.0}\r\n");
    for arguments in [&["--body", "body.json"][..], &["--text", "{\"type\": \"a.b\",  \"n\": 1.0}\r\n"]] {
        host.cli(&[&["send", "stripe", "--json"], arguments].concat());
    }
    let events = host.all("events");
    assert_eq!(events.len(), 1, "one is a duplicate of the other: {events:?}");
    assert_eq!(events[0]["topic"], "stripe/a.b");
    assert_eq!(events[0]["data_bytes"], 28);
    for arguments in [&["send"][..], &["send", "shop", "--provider", "shop"], &["send", "shop", "--resign"]] {
        assert_eq!(host.cli(arguments).code, Some(2), "{arguments:?}");
    }
}

/// A delivery of Stripe's, an hour ago, as `capture` writes it.
fn recorded(project: &Project) {
    let at = crate::harness::now() - 3_600_000;
    let webhook = STRIPE.sign_at(at, "", "{\"id\": \"evt_7\",  \"type\": \"a.b\"}\n");
    let headers: Vec<_> = webhook.headers.iter().map(|(name, value)| json!([name, value])).collect();
    let recorded = json!({
        "format": 1, "received_at_ms": at, "method": "POST", "path": "/in/stripe", "headers": headers,
        "body": "{\"id\": \"evt_7\",  \"type\": \"a.b\"}\n",
    });
    fs::write(project.path("stripe.delivery.json"), recorded.to_string()).unwrap();
}

fn replay(host: &Host<'_>, more: &[&str]) -> crate::harness::Said {
    host.cli(&[&["send", "--delivery", "stripe.delivery.json", "--json"], more].concat())
}

#[test]
fn a_caught_delivery_is_sent_again_as_it_came_or_signed_anew() {
    let project = Project::with(&[]);
    recorded(&project);
    let host = project.serve();
    let said = replay(&host, &[]);
    assert_eq!(said.code, Some(1), "its time is over: {said:?}");
    assert_eq!(project.log_lines("reason=\"outside-tolerance\""), 1);
    let said = replay(&host, &["--resign"]).json();
    assert_eq!(said["status"], "accepted");
    let event = host.get(&format!("events/{}", said["id"].as_str().unwrap()));
    assert_eq!((&event["topic"], &event["attributes"]["delivery-id"]), (&json!("stripe/a.b"), &json!("evt_7")));
    assert_eq!(replay(&host, &["--resign"]).json()["status"], "duplicate");
}
