//! Who may do what, before the real binary: by the commands, by curl over TLS, and in a browser.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::{Ended, Host, Project, Said, said, until};
use crate::pages::browse;

const ROLES: [&str; 4] = ["metrics", "viewer", "operator", "admin"];

/// A command by somebody with that token.
fn by(project: &Project, host: &Host<'_>, token: &str, arguments: &[&str]) -> Said {
    let mut command = project.command(arguments);
    said(command.env("HOOKBOX_URL", &host.operator).env("HOOKBOX_TOKEN", token))
}

fn create(host: &Host<'_>, name: &str, role: &str) -> String {
    let said = host.cli(&["tokens", "create", name, "--role", role]);
    assert!(said.err.contains("shown once"), "{said:?}");
    said.text().trim().to_owned()
}

/// Nothing below the folder holds the text.
fn assert_nowhere(folder: &Path, text: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path, text);
        } else {
            let bytes = fs::read(&path).unwrap();
            assert!(!bytes.windows(text.len()).any(|part| part == text.as_bytes()), "{} has it", path.display());
        }
    }
}

#[test]
fn tokens_of_each_role_may_what_their_role_may_until_they_are_revoked() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let [metrics, viewer, operator, admin] = ROLES.map(|role| create(&host, &format!("my-{role}"), role));
    let reads: &[&str] = &["runs", "list"];
    let writes: &[&str] = &["schedules", "run", "ticker.new-year"];
    let administers: &[&str] = &["tokens", "list"];
    for (token, role, may) in [
        (&metrics, "metrics", [false, false, false]),
        (&viewer, "viewer", [true, false, false]),
        (&operator, "operator", [true, true, false]),
        (&admin, "admin", [true, true, true]),
    ] {
        for (arguments, may) in [reads, writes, administers].into_iter().zip(may) {
            let said = by(&project, &host, token, arguments);
            assert_eq!(said.code, Some(i32::from(!may)), "{role} {arguments:?}: {said:?}");
            assert!(may || said.err.contains(&format!("my-{role} has {role}")), "{said:?}");
        }
        let scraped =
            Request::get(format!("{}/metrics", host.operator)).header("Authorization", format!("Bearer {token}"));
        assert_eq!(host.request(scraped.body(Vec::new()).unwrap()).status, 200);
    }
    let again = host.cli(&["tokens", "create", "my-viewer", "--role", "admin"]);
    assert!(again.code == Some(1) && again.err.contains("revoke it first"), "{again:?}");
    assert!(host.cli(&["tokens", "list"]).text().contains("my-viewer"));
    assert_eq!(host.cli(&["tokens", "revoke", "my-operator"]).code, Some(0));
    let revoked = by(&project, &host, &operator, reads);
    assert!(revoked.code == Some(1) && revoked.err.contains("revoked"), "{revoked:?}");

    let log = by(&project, &host, &admin, &["audit", "--json", "--limit", "200"]).json();
    let told: Vec<_> = log["items"].as_array().unwrap().iter().map(told).collect();
    for wanted in [
        "my-operator run schedule ticker.new-year done",
        "my-viewer run schedule ticker.new-year forbidden",
        "loopback revoke token my-operator done",
        "loopback create token  done",
    ] {
        assert!(told.iter().any(|line| line == wanted), "{wanted}: {told:#?}");
    }
    assert!(host.cli(&["audit", "--who", "my-viewer"]).text().contains("forbidden"));
    assert_eq!(host.stop(), Ended::Code(0));
    for token in [&metrics, &viewer, &operator, &admin] {
        assert_nowhere(&project.path("data"), token);
        assert!(!project.output().contains(token.as_str()));
    }
}

fn told(entry: &Value) -> String {
    ["who", "what", "object", "result"].map(|name| entry[name].as_str().unwrap_or("?")).join(" ")
}

#[test]
fn what_was_done_and_who_is_logged_in_survive_a_kill() {
    let project = Project::with(&["ticker"]).env("HOOKBOX_TOKEN", "hush-operator-30");
    let host = project.serve();
    let log_in = |host: &Host<'_>, token: &str| {
        let request = Request::post(format!("{}/login", host.operator)).header("Origin", &host.operator);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        // The answer leads to a page: what matters is the cookie before it.
        let agent: ureq::Agent =
            ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into();
        let answer = agent.run(request.body(format!("token={token}").into_bytes()).unwrap()).unwrap();
        assert_eq!(answer.status().as_u16(), 303);
        answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let cookie = log_in(&host, "hush-operator-30");
    let request = Request::post(host.api("schedules/ticker.new-year/run")).header("Cookie", &cookie);
    let request = request.header("Content-Type", "application/json").header("Origin", &host.operator);
    assert_eq!(host.request(request.body(b"{}".to_vec()).unwrap()).status, 201);
    host.kill();
    let host = project.serve();
    let whoami = Request::get(host.api("whoami")).header("Cookie", &cookie).body(Vec::new()).unwrap();
    assert_eq!(host.request(whoami).body, json!({ "who": "configured", "via": "session", "role": "admin" }));
    let log = host.cli(&["audit", "--json"]).json();
    let told: Vec<_> = log["items"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(told, ["configured run schedule ticker.new-year done", "configured log in  done"]);
    host.kill();
    // With another token of the configuration the session is over.
    let project = project.env("HOOKBOX_TOKEN", "hush-operator-31");
    let host = project.serve();
    let whoami = Request::get(host.api("whoami")).header("Cookie", &cookie).body(Vec::new()).unwrap();
    assert_eq!(host.request(whoami).status, 401);
}

#[test]
fn a_host_for_others_starts_once_somebody_can_log_in() {
    let project = Project::with(&[]);
    let host = project.serve();
    create(&host, "weak", "viewer");
    let for_others = ["serve", "--listen", "127.0.0.1:0", "--operator", "0.0.0.0:0"];
    assert_eq!(host.stop(), Ended::Code(0));
    let refused = project.run(&for_others);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("hookbox tokens create"), "{refused:?}");
    let host = project.serve();
    let admin = create(&host, "ann", "admin");
    assert_eq!(host.stop(), Ended::Code(0));
    let host = Host::start_by(&project, project.command(&for_others));
    let url = host.operator.replace("0.0.0.0", "127.0.0.1");
    let ask = |token: Option<&str>| {
        let mut request = Request::get(format!("{url}/api/v1/whoami"));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        host.request(request.body(Vec::new()).unwrap())
    };
    assert_eq!(ask(None).status, 401);
    assert_eq!(ask(Some(&admin)).body["who"], "ann");
}

/// A certificate for loopback, as two PEM files; both appear as a whole.
fn renew(project: &Project, trusted: &str) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    project.write(trusted, cert.pem());
    for (name, text) in [("ops.pem", cert.pem()), ("ops.key", signing_key.serialize_pem())] {
        project.write("draft", text);
        fs::rename(project.path("draft"), project.path(name)).unwrap();
    }
}

#[test]
fn operators_log_in_over_tls_whose_certificate_is_renewed() {
    let project = Project::with(&["ticker"]).env("HOOKBOX_TOKEN", "hush-operator-30").env("SSL_CERT_FILE", "first.pem");
    renew(&project, "first.pem");
    project.write("hooks.yaml", "operator: { tls: { cert: ops.pem, key: ops.key } }\n");
    let host = project.serve();
    assert!(host.operator.starts_with("https://127.0.0.1:"), "{}", host.operator);
    let viewer = create(&host, "ann", "viewer");
    let curl = |trusted: &str, arguments: &[&str], path: &str| {
        let mut command = Command::new("curl");
        project.surround(&mut command);
        command.args(["--silent", "--show-error", "--cacert", trusted, "--cookie", "jar", "--cookie-jar", "jar"]);
        command.args(["--header", &format!("Origin: {}", host.operator), "--write-out", "\n%{http_code}"]);
        said(command.args(arguments).arg(format!("{}{path}", host.operator)))
    };
    assert!(curl("first.pem", &[], "/").text().ends_with("401"), "without Accept nobody is led anywhere");
    let wrong = curl("first.pem", &["--data", "token=hunter2"], "/login");
    assert!(wrong.text().ends_with("401"), "{wrong:?}");
    let form = format!("token={viewer}&next=/schedules");
    let shown = curl("first.pem", &["--location", "--data", &form], "/login");
    assert!(shown.text().ends_with("200") && shown.out.contains("ann (viewer)"), "{shown:?}");
    let jar = fs::read_to_string(project.path("jar")).unwrap();
    assert!(
        jar.contains("#HttpOnly_127.0.0.1") && jar.contains("__Host-hookbox_session") && !jar.contains(&viewer),
        "{jar}"
    );
    let json = ["--header", "Content-Type: application/json", "--data", "{}"];
    let refused = curl("first.pem", &json, "/api/v1/schedules/ticker.new-year/run");
    assert!(refused.text().ends_with("403") && refused.out.contains("this needs the role operator"), "{refused:?}");
    let headers = curl("first.pem", &["--head"], "/schedules");
    for part in
        ["strict-transport-security", "content-security-policy: default-src 'none'", "x-content-type-options: nosniff"]
    {
        assert!(headers.text().contains(part), "{headers:?}");
    }

    renew(&project, "second.pem");
    until("the certificate is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    assert_eq!(curl("first.pem", &[], "/schedules").code, Some(60), "the old one is trusted no more");
    assert!(curl("second.pem", &[], "/schedules").text().ends_with("200"), "the session goes on");
}

#[test]
fn each_role_logs_in_with_a_browser_and_is_refused_what_it_may_not_do() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let [_, viewer, operator, admin] = ROLES.map(|role| create(&host, &format!("my-{role}"), role));
    host.stop();
    project.write("hooks.yaml", "operator: { login: everybody }\n");
    let host = project.serve();
    browse("login.mjs", &host, &[&viewer, &operator, &admin]);
}
