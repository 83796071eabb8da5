//! The operator's pages before a real browser.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::harness::{Host, Project, number, shop, until};
use crate::schedules::TICK;

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");
/// Among which the failed one is found.
const RUNS: u64 = 10_000;
const SENDERS: u64 = 4;

#[track_caller]
pub(crate) fn browse(script: &str, host: &Host<'_>, arguments: &[&str]) {
    let packages = Path::new(BROWSER).join("node_modules");
    assert!(packages.is_dir(), "{} is missing: run tests/run", packages.display());
    let mut command = Command::new("node");
    command.current_dir(BROWSER).arg(script).arg(&host.operator).args(arguments);
    let done = command.output().unwrap_or_else(|error| panic!("node: {error}; run tests/run, which installs it"));
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A run that fails until its payload is mended.
fn broken(id: &str) -> crate::harness::Webhook {
    shop("user.created", id, json!({ "data": "no object, alas" }))
}

#[test]
fn every_page_reads_well_in_light_and_dark_on_a_phone_and_without_a_script() {
    let project = Project::with(&["welcome", "ticker", "steps"]);
    project.put("bad", b"no component");
    let host = project.serve();
    let good = host.follow(&shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    let bad = host.follow(&broken("2"));
    host.accept(&shop("nobody", "3", json!({})));
    let mut forged = shop("user.created", "4", json!({}));
    forged.body.push(b' ');
    assert_eq!(host.post(&forged).status, 401);
    until("a slot has fired", || (host.get(TICK)["counts"]["fired"] != 0).then_some(()));
    let id = |run: &serde_json::Value| format!("/runs/{}", run["id"].as_str().unwrap());
    let event = format!("/events/{}", good["event"].as_str().unwrap());
    let (good, bad) = (id(&good), id(&bad));
    browse(
        "pages.mjs",
        &host,
        &[
            "/",
            "/runs",
            "/runs?state=dead",
            "/runs?error=nothing-says-this",
            &good,
            &bad,
            "/events",
            "/events?unrouted=true",
            &event,
            "/schedules",
            "/schedules/ticker.tick",
            "/plugins",
            "/plugins/welcome",
            "/plugins/bad",
            "/providers",
            "/providers/shop",
            "/system",
        ],
    );
}

#[test]
fn an_operator_finds_a_failed_run_among_many_mends_it_and_sees_it_succeed() {
    let project = Project::with(&["welcome", "ticker"]);
    let host = project.serve();
    let runs = number("HOOKBOX_PAGES_RUNS", RUNS);
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let host = &host;
            scope.spawn(move || {
                for number in 0..runs / SENDERS {
                    host.accept(&shop("user.created", &format!("{sender}-{number}"), json!({ "data": {} })));
                    if (sender, number) == (0, runs / SENDERS / 2) {
                        host.accept(&broken("broken"));
                    }
                }
            });
        }
    });
    host.idle();
    let mended = json!({ "event_id": "mended", "type": "user.created", "data": { "name": "Ada" } }).to_string();
    browse("operate.mjs", &host, &["no object, alas", &mended]);
}
