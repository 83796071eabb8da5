//! Writes that are asked for twice, with the host killed in between; and those that somebody else came before.

use serde_json::json;
use ureq::http::Request;

use crate::harness::{Answer, Host, Project, shop};

fn replay(host: &Host<'_>, run: &str, key: &str) -> Answer {
    let request = Request::post(host.api(&format!("runs/{run}/replay"))).header("Content-Type", "application/json");
    host.request(request.header("Idempotency-Key", key).body(b"{}".to_vec()).unwrap())
}

#[test]
fn what_was_answered_is_answered_again_after_the_host_was_killed() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let dead = host.follow(&shop("broken", "1", json!({})));
    let id = dead["id"].as_str().unwrap();
    let first = replay(&host, id, "\"once-1\"");
    assert_eq!(first.status, 201, "{first:?}");
    host.kill();

    let host = project.serve();
    let again = replay(&host, id, "\"once-1\"");
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(host.all("runs").len(), 2, "the dead letter and one replay");
    assert_eq!(replay(&host, id, "\"once-2\"").status, 201, "another key asks anew");
    assert_eq!(host.all("runs").len(), 3);
}

#[test]
fn a_command_with_a_key_is_done_once() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let make = |text: &str, key: &str| {
        host.cli(&["enqueue", "steps/link", "--text", text, "--idempotency-key", key, "--json"])
    };
    let first = make("1", "order-7").json()["run"].clone();
    assert_eq!(make("1", "order-7").json()["run"], first);
    assert_ne!(make("1", "order-8").json()["run"], first);
    assert_eq!(host.all("runs").len(), 2);
    let other = make("2", "order-7");
    assert!(other.code == Some(2) && other.out.contains("for another request"), "{other:?}");
    let many = host.cli(&["runs", "cancel", "--all", "--yes", "--idempotency-key", "order-9"]);
    assert!(many.code == Some(2) && many.err.contains("is for one run"), "{many:?}");
    let unusable = make("1", "order 7");
    assert_eq!(unusable.code, Some(2), "{unusable:?}");
}

#[test]
fn a_command_changes_only_what_nobody_has_changed_since() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let tag = |noun: &str, name: &str| {
        let shown = host.cli(&[noun, "show", name, "--json"]).json()["etag"].as_str().unwrap().to_owned();
        assert!(host.cli(&[noun, "show", name]).text().contains(&shown), "{noun} show {name} tells it");
        shown
    };
    let refused = |arguments: &[&str]| {
        let late = host.cli(arguments);
        assert!(late.code == Some(1) && late.err.contains("412"), "{arguments:?}: {late:?}");
    };
    let put = ["schedules", "put", "nightly", "--plugin", "steps", "--handler", "work", "--every", "1h"];
    host.cli(&put).text();
    let seen = tag("schedules", "nightly");
    let put = [&put[..], &["--timeout", "5m", "--if-match", &seen]].concat();
    host.cli(&put).text();
    refused(&put);
    refused(&["schedules", "remove", "nightly", "--if-match", &seen]);
    host.cli(&["schedules", "remove", "nightly", "--if-match", &tag("schedules", "nightly")]).text();

    host.cli(&["holds", "add", "steps"]).text();
    let seen = tag("holds", "steps");
    host.cli(&["holds", "remove", "steps", "--if-match", &seen]).text();
    host.cli(&["holds", "add", "steps", "--note", "the shop moves"]).text();
    refused(&["holds", "remove", "steps", "--if-match", &seen]);
    refused(&["plugins", "rollback", "steps", "--if-match", &seen]);
    assert_eq!(tag("plugins", "steps").len(), seen.len());
}
