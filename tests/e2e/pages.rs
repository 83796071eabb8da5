//! The operator's pages before a real browser.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::harness::{Host, Project, environment, marked, number, shop, until};
use crate::schedules::TICK;

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");
/// Among which the failed one is found.
const RUNS: u64 = 10_000;
const SENDERS: u64 = 4;
const TOKEN: &str = "hush-operator-31";
/// Where the pictures are kept that the README shows.
const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screenshots");

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
            "/runs?not_payload=nothing-says-this&count=true",
            "/runs?sort=-duration&state=dead&state=succeeded&columns=run,state,source,topic,size,result,version,cpu,memory",
            &good,
            &bad,
            "/events",
            "/events?unrouted=true",
            &event,
            "/schedules",
            "/schedules/ticker.tick",
            "/new-schedule",
            "/new-schedule?name=x&target=ticker/tick&kind=daily&when=09:00&jitter=5s",
            "/new-schedule?edit=ticker.tick",
            "/plugins",
            "/plugins/welcome",
            "/plugins/bad",
            "/providers",
            "/providers/shop",
            "/alerts",
            "/system",
        ],
    );
}

#[test]
fn an_operator_chooses_a_theme_an_order_and_columns_and_copies_an_id() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let run = host.follow(&shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    browse("lists.mjs", &host, &[run["id"].as_str().unwrap()]);
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

#[test]
fn an_operator_makes_and_pauses_a_schedule_and_uploads_a_plugin() {
    let project = Project::with(&["ticker"]).env("HOOKBOX_TOKEN", TOKEN);
    let host = project.serve();
    project.write("steps.wasm", marked("by-browser......"));
    browse("steer.mjs", &host, &[TOKEN, project.path("steps.wasm").to_str().unwrap()]);
    let made = host.cli(&["schedules", "show", "workdays", "--json"]).json();
    assert_eq!(made["origin"], "operator");
    assert!(made["when"]["words"].as_str().unwrap().contains("Monday") && made["paused"].is_object(), "{made:#}");
    assert_eq!(host.cli(&["plugins", "show", "steps", "--json"]).json()["state"], "active");
}

/// `HOOKBOX_PICTURES=write` keeps them.
#[test]
fn a_picture_of_each_page_is_small_enough_to_be_kept() {
    let project = Project::with(&["welcome", "ticker"]);
    let host = project.serve();
    host.follow(&shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    let dead = host.follow(&broken("2"));
    let run = format!("run=/runs/{}", dead["id"].as_str().unwrap());
    let kept = environment("HOOKBOX_PICTURES").is_some_and(|value| value == "write");
    let folder = if kept { PathBuf::from(PICTURES) } else { project.path("pictures") };
    browse(
        "shots.mjs",
        &host,
        &[
            folder.to_str().unwrap(),
            "overview:960=/",
            "runs=/runs",
            "dead-letters=/runs?state=dead",
            &run,
            "events=/events",
            "schedules=/schedules",
            "schedule=/schedules/ticker.tick",
            "new-schedule=/new-schedule?name=workdays&target=ticker/tick&kind=weekly&when=MON+09:30&timezone=Europe/London",
            "plugins=/plugins",
            "plugin=/plugins/welcome",
            "providers=/providers",
            "provider=/providers/shop",
            "system=/system",
        ],
    );
}
