//! TLS in the process: curl and our own commands speak it, and a renewed certificate is taken over.

use std::fs;
use std::process::Command;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::harness::{Host, Project, SHOP, Said, Webhook, said, shop, until};

/// A certificate for loopback, as two PEM files; both appear as a whole.
fn renew(project: &Project, trusted: &str) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    project.write(trusted, cert.pem());
    for (name, text) in [("hooks.pem", cert.pem()), ("hooks.key", signing_key.serialize_pem())] {
        project.write("draft", text);
        fs::rename(project.path("draft"), project.path(name)).unwrap();
    }
}

/// Posts with curl, which trusts that certificate alone.
fn curl(project: &Project, host: &Host<'_>, trusted: &str, options: &[&str], webhook: &Webhook) -> Said {
    let mut command = Command::new("curl");
    project.surround(&mut command);
    command.args(["--silent", "--show-error", "--cacert", trusted, "--data-binary", "@body"]).args(options);
    for (name, value) in &webhook.headers {
        command.arg("--header").arg(format!("{name}: {value}"));
    }
    project.write("body", &webhook.body);
    said(command.arg(host.webhook_url(&webhook.provider)))
}

#[test]
fn webhooks_come_by_tls_and_a_renewed_certificate_counts_at_once() {
    let project = Project::with(&["welcome"]);
    renew(&project, "first.pem");
    project.write("hooks.yaml", "server: { tls: { cert: hooks.pem, key: hooks.key } }\n");
    let host = project.serve();
    assert!(host.ingress.starts_with("https://127.0.0.1:"), "{}", host.ingress);
    for (n, version) in ["--tlsv1.2", "--tlsv1.3"].into_iter().enumerate() {
        let webhook = shop("user.created", &format!("t-{n}"), json!({ "name": "Ada" }));
        let taken = curl(&project, &host, "first.pem", &[version], &webhook).json();
        assert_eq!(taken["status"], "accepted");
        assert_eq!(host.run_of(taken["id"].as_str().unwrap())["state"], "succeeded");
    }
    let forged = shop("user.created", "t-9", json!({})).without("X-Webhook-Signature");
    let told = curl(&project, &host, "first.pem", &["--write-out", "%{http_code}"], &forged);
    assert!(told.text().ends_with("401"), "{told:?}");

    renew(&project, "second.pem");
    until("the certificate is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    let webhook = shop("user.created", "t-3", json!({}));
    assert_eq!(curl(&project, &host, "first.pem", &[], &webhook).code, Some(60), "the old one is trusted no more");
    assert_eq!(curl(&project, &host, "second.pem", &[], &webhook).json()["status"], "accepted");

    // A key of another certificate is told, and the old pair stays.
    project.write("hooks.key", "no key");
    until("the fault is told", || (project.log_lines("the key file holds no private key") > 0).then_some(()));
    let webhook = shop("user.created", "t-4", json!({}));
    assert_eq!(curl(&project, &host, "second.pem", &[], &webhook).json()["status"], "accepted");
}

#[test]
fn a_certificate_is_taken_over_with_that_of_the_other_listener_or_not_at_all() {
    let project = Project::with(&["welcome"]);
    renew(&project, "first.pem");
    for (from, to) in [("hooks.pem", "ops.pem"), ("hooks.key", "ops.key")] {
        fs::copy(project.path(from), project.path(to)).unwrap();
    }
    let tls =
        "server: { tls: { cert: hooks.pem, key: hooks.key } }\noperator: { tls: { cert: ops.pem, key: ops.key } }\n";
    project.write("hooks.yaml", tls);
    let host = project.serve();
    let faults = || project.log_lines("operator.tls: the key file holds no private key");
    project.write("ops.key", "no key");
    until("the fault is told", || (faults() > 0).then_some(()));
    renew(&project, "second.pem");
    // The first of two more may be of a look that was under way.
    let before = faults();
    until("it is told of the renewed pair", || {
        host.hang_up();
        (faults() >= before + 2).then_some(())
    });
    let webhook = shop("user.created", "1", json!({}));
    assert_eq!(curl(&project, &host, "second.pem", &[], &webhook).code, Some(60), "half of a reload counts");
    assert_eq!(curl(&project, &host, "first.pem", &[], &webhook).json()["status"], "accepted");
}

#[test]
fn commands_speak_tls_and_trust_what_they_are_told_to() {
    let project = Project::with(&[]).env("SSL_CERT_FILE", "trusted.pem");
    renew(&project, "trusted.pem");
    project.write("hooks.yaml", "server: { tls: { cert: hooks.pem, key: hooks.key } }\n");
    let host = project.serve();
    assert_eq!(host.cli(&["send", SHOP.provider, "--json"]).json()["status"], "accepted");
    renew(&project, "other.pem");
    fs::copy(project.path("other.pem"), project.path("trusted.pem")).unwrap();
    until("the certificate is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    assert_eq!(host.cli(&["send", SHOP.provider, "--json"]).json()["status"], "accepted");
    project.write("trusted.pem", "");
    let refused = host.cli(&["send", SHOP.provider]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn a_start_and_a_check_tell_what_is_wrong_with_the_files() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "server: { tls: { cert: hooks.pem, key: hooks.key } }\n");
    for _ in 0..2 {
        let told = project.serve_in_vain();
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.err.contains("server.tls"), "{told:?}");
        let checked = project.run(&["check"]);
        assert_eq!(checked.code, Some(2), "{checked:?}");
        assert!(checked.out.contains("mistake: server.tls"), "{checked:?}");
        project.write("hooks.pem", "no certificate");
        project.write("hooks.key", "no key");
    }
}
