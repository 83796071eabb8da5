//! A sender that brings its secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Project, Sender, Webhook, said, until};

const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
const NOTION: Sender = Sender { provider: "notion", scheme: "notion", secret: TOKEN };

#[test]
fn a_token_that_the_operator_agrees_to_becomes_the_secret() {
    let project = Project::with(&[]).bare();
    project.write("hooks.yaml", "providers: { notion: { secrets: [ { file: notion.key } ] } }\n");
    let host = project.serve();
    let event = NOTION.sign("", r#"{"type":"page.created","id":"1"}"#);
    let first = Webhook {
        provider: "notion".to_owned(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: json!({ "verification_token": TOKEN }).to_string().into_bytes(),
    };
    assert_eq!(host.post(&first).status, 401, "nobody waits for it");
    assert_eq!(host.post(&event).status, 401);

    let unasked = host.cli(&["providers", "pair", "notion"]);
    assert_eq!(unasked.code, Some(1), "{unasked:?}");
    assert!(unasked.err.contains("--yes"), "{unasked:?}");
    let mut pair = project.command(&["providers", "pair", "notion", "--yes", "--url", &host.operator]);
    let pair = pair.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the window is open", || (host.ask("providers/notion/pairing").status == 200).then_some(()));
    assert_eq!(host.post(&first).status, 200);
    let told = pair.wait_with_output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let told = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.contains("secret_tMrlL") && !told.contains(TOKEN), "{told}");

    assert_eq!(fs::read_to_string(project.path("notion.key")).unwrap(), TOKEN);
    assert_eq!(fs::metadata(project.path("notion.key")).unwrap().permissions().mode() & 0o777, 0o600);
    until("the secret is read", || (project.log_lines("were read anew") == 1).then_some(()));
    assert!(host.post(&event).status < 300);
    assert_eq!(host.all("events").len(), 1);
    assert!(!project.output().contains(TOKEN), "the secret is told");
    let said = said(&mut project.command(&["providers", "show", "notion"]));
    assert!(said.text().contains("WEBHOOK_SECRET_NOTION"), "{said:?}");
}
