//! Writes that are asked for twice, with the host killed in between.

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
