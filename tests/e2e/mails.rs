//! Mails go over TLS, to whoever shows the certificate that is trusted, and the password with them.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::ToSocketAddrs;
use std::process::{Child, ChildStdout, Command, Stdio};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use crate::harness::{Project, until};

const SINK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mail/sink.py");
const PASSWORD: &str = "hush-mail-31";

/// Another program, which takes mails.
struct Sink {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Sink {
    fn start(project: &Project, mode: &str) -> Sink {
        let mut command = Command::new("python3");
        command.arg(SINK).arg(mode).args([project.path("mail.pem"), project.path("mail.key")]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = told.next().unwrap().unwrap().parse().unwrap();
        Sink { child, told, port }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.told.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A name of this machine that is not that of loopback, where plain text would do.
fn own_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let known = (name.as_str(), 0).to_socket_addrs();
    assert!(known.is_ok(), "this machine does not know its own name {name}: put it into /etc/hosts");
    name
}

/// By TLS from the start.
fn secured_sink(project: &Project) -> Sink {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    project.write("mail.pem", cert.pem());
    project.write("mail.key", signing_key.serialize_pem());
    Sink::start(project, "smtps")
}

#[test]
fn a_mail_is_sent_over_tls_from_the_start_or_once_it_is_spoken() {
    for (mode, scheme, name) in [("smtps", "smtps", "localhost".to_owned()), ("starttls", "smtp", own_name())] {
        let project = Project::with(&[]).env("MAIL_PASSWORD", PASSWORD).env("SSL_CERT_FILE", "trusted.pem");
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![name.clone()]).unwrap();
        project.write("mail.pem", cert.pem());
        project.write("mail.key", signing_key.serialize_pem());
        project.write("trusted.pem", cert.pem());
        let mut sink = Sink::start(&project, mode);
        let mail = json!({
            "server": format!("{scheme}://{name}:{}", sink.port),
            "from": "hookbox@example.com",
            "to": ["ops@example.com"],
            "user": "hookbox",
            "password": { "env": "MAIL_PASSWORD" },
        });
        project.write("hooks.yaml", json!({ "alerts": { "channels": { "mail": { "mail": mail } } } }).to_string());
        {
            let host = project.serve();
            let sent = host.cli(&["alerts", "test", "mail"]);
            assert_eq!(sent.code, Some(0), "{mode}: {sent:?}");
            let taken = sink.next();
            assert_eq!(taken["login"], json!(["hookbox", PASSWORD]), "{mode}");
            assert!(taken["mail"].as_str().unwrap().contains("To: ops@example.com"), "{taken}");
        }
        // Somebody else stands there.
        let other = generate_simple_self_signed(vec![name]).unwrap();
        project.write("trusted.pem", other.cert.pem());
        let host = project.serve();
        let refused = host.cli(&["alerts", "test", "mail"]);
        assert!(refused.code == Some(1) && refused.err.contains("was not taken"), "{mode}: {refused:?}");
        assert!(sink.next()["broken"].is_string(), "{mode}: and nothing was said to it");
        drop(host);
        assert!(!project.output().contains(PASSWORD));
    }
}

#[test]
fn an_address_that_is_put_off_gets_the_mail_with_the_others() {
    let project = Project::with(&[]).env("SSL_CERT_FILE", "mail.pem");
    let mut sink = secured_sink(&project);
    let server = format!("smtps://localhost:{}", sink.port);
    let to = ["later@example.com", "ops@example.com"];
    let mail = json!({ "mail": { "server": server, "from": "hookbox@example.com", "to": to } });
    let rules = json!({ "disk-low": { "free": "100%" } });
    let alerts = json!({ "every": "1s", "group": "0s", "channels": { "some": mail }, "rules": rules });
    project.write("hooks.yaml", json!({ "alerts": alerts }).to_string());
    let host = project.serve();
    let taken = sink.next();
    assert_eq!(taken["to"], json!(to), "{taken}");
    until("that is shown", || (host.get("alerts")["channels"][0]["delivered"] == 1).then_some(()));
}

#[test]
fn an_address_that_is_refused_keeps_a_mail_from_nobody_else() {
    let project = Project::with(&[]).env("SSL_CERT_FILE", "mail.pem");
    let mut sink = secured_sink(&project);
    let (server, from) = (format!("smtps://localhost:{}", sink.port), "hookbox@example.com");
    let mail = |to: &[&str]| json!({ "mail": { "server": server, "from": from, "to": to } });
    let channels =
        json!({ "some": mail(&["gone@example.com", "ops@example.com"]), "none": mail(&["gone@example.com"]) });
    let rules = json!({ "disk-low": { "free": "100%" } });
    let alerts = json!({ "every": "1s", "group": "0s", "to": ["some"], "channels": channels, "rules": rules });
    project.write("hooks.yaml", json!({ "alerts": alerts }).to_string());
    let host = project.serve();
    let taken = sink.next();
    assert_eq!(taken["to"], json!(["ops@example.com"]), "{taken}");
    assert!(taken["mail"].as_str().unwrap().contains("Subject: hookbox: 1 firing"), "{taken}");
    let shown = until("that is shown", || {
        let channels = host.get("alerts")["channels"].clone();
        channels.as_array().unwrap().iter().find(|channel| channel["delivered"] == 1).cloned()
    });
    assert_eq!((&shown["name"], &shown["waiting"], &shown["lost"]), (&json!("some"), &json!(0), &json!(0)));
    assert!(shown["failure"].as_str().unwrap().starts_with("some do not get it: gone@example.com"), "{shown}");
    let some = host.cli(&["alerts", "test", "some"]);
    assert!(some.code == Some(1) && some.err.contains("gone@example.com"), "{some:?}");
    assert_eq!(sink.next()["to"], json!(["ops@example.com"]));
    let none = host.cli(&["alerts", "test", "none"]);
    assert!(none.code == Some(1) && none.err.contains("the mail was not taken: gone@example.com"), "{none:?}");
}
