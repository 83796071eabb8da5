//! The operator's pages before a real browser.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::harness::{Host, Project, marked, said, shop};

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");
/// Among which the failed one is found.
const RUNS: u64 = 10_000;
const SENDERS: u64 = 4;
const TOKEN: &str = "hush-operator-31";

/// A script before a browser, which looks at nothing but this origin.
pub(crate) fn script(script: &str, origin: &str) -> Command {
    let packages = Path::new(BROWSER).join("node_modules");
    assert!(packages.is_dir(), "{} is missing: run tests/run", packages.display());
    let mut command = Command::new("node");
    command.current_dir(BROWSER).arg(script).arg(origin);
    command
}

/// Fails with all that the script found wrong.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) {
    let done = said(command);
    assert_eq!(done.code, Some(0), "{command:?}: {}", done.err);
}

#[track_caller]
pub(crate) fn browse(name: &str, host: &Host<'_>, arguments: &[&str]) {
    succeed(script(name, &host.operator).args(arguments));
}

/// A run that fails until its payload is mended.
pub(crate) fn broken(id: &str) -> crate::harness::Webhook {
    shop("user.created", id, json!({ "data": "no object, alas" }))
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
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let host = &host;
            scope.spawn(move || {
                for number in 0..RUNS / SENDERS {
                    host.accept(&shop("user.created", &format!("{sender}-{number}"), json!({ "data": {} })));
                    if (sender, number) == (0, RUNS / SENDERS / 2) {
                        host.accept(&broken("broken"));
                    }
                }
            });
        }
    });
    let ended = host.idle();
    assert!(ended["counts"]["succeeded"].as_u64().unwrap() >= RUNS, "{ended:#}");
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

#[test]
fn somebody_chooses_light_or_dark_and_finds_it_so_again() {
    let project = Project::with(&[]);
    let host = project.serve();
    browse("theme.mjs", &host, &[]);
}
