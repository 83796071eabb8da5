//! The operator's pages before a real browser.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::harness::{Host, Project, marked, said, shop, until};

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
    let project = Project::with(&["welcome", "ticker", "steps"]);
    let host = project.serve();
    let order = |total: serde_json::Value| json!({ "data": { "customer": "Ada", "total": total } });
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let host = &host;
            scope.spawn(move || {
                for number in 0..RUNS / SENDERS {
                    host.accept(&shop("user.created", &format!("{sender}-{number}"), json!({ "data": {} })));
                    if (sender, number) == (0, RUNS / SENDERS / 2) {
                        host.accept(&shop("checkout", "no-total", order(json!("12 pounds"))));
                    }
                }
            });
        }
    });
    // Each quarter has the time that everything else has.
    for quarter in 1..=4 {
        let executed = || host.get("health")["counts"]["succeeded"].as_u64().unwrap();
        until("a quarter more is executed", || (executed() >= RUNS * quarter / 4).then_some(()));
    }
    let ended = host.idle();
    assert!(ended["counts"]["succeeded"].as_u64().unwrap() >= RUNS, "{ended:#}");
    browse("operate.mjs", &host, &["has no total", &order(json!(1200)).to_string()]);
}

#[test]
fn an_operator_replays_keeps_holds_rolls_back_tests_takes_in_and_backfills() {
    let project = Project::with(&["welcome", "ticker"]);
    project.write("plugins/steps.wasm", marked("first..........."));
    project.write("hooks.yaml", "alerts: { channels: { own: { handler: steps/link } } }\n");
    let host = project.serve();
    for number in 1..=3 {
        host.follow(&broken(&number.to_string()));
    }
    host.follow(&shop("user.created", "4", json!({ "data": { "name": "Ada" } })));
    assert_eq!(host.post(&shop("user.created", "4", json!({ "data": { "name": "Eve" } }))).status, 200);
    let duplicate = host.get("suppressed")["items"][0]["id"].as_str().unwrap().to_owned();
    let digest = || host.get("plugins/steps")["digest"].clone();
    let first = digest();
    project.write("plugins/steps.wasm", marked("second.........."));
    until("the second version serves", || (digest() != first).then_some(()));
    browse("buttons.mjs", &host, &[&duplicate]);
    assert_eq!(digest(), first);
    assert_eq!(host.get("holds")["items"], json!([]));
    assert_eq!(host.get("searches")["items"][0]["name"], "no objects");
    assert_eq!(host.idle()["counts"]["dead"], 6, "three, and their replays");
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

#[test]
fn the_charts_go_on_after_a_restart() {
    let project = Project::with(&["welcome"]);
    {
        let host = project.serve();
        for number in 0..7 {
            host.accept(&shop("user.created", &number.to_string(), json!({ "data": { "name": "Ada" } })));
        }
        host.idle();
        host.stop();
    }
    let host = project.serve();
    let lately = until("it has looked", || {
        let overview = host.get("overview");
        overview["lately"].is_object().then(|| overview["lately"].clone())
    });
    assert_eq!((&lately["accepted"], &lately["attempts"]), (&json!(7), &json!(7)), "{lately:#}");
}
