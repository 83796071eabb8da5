//! The plugins folder changes while the host works.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Host, Project, shop, until, version};

const SWAPS: u8 = 12;
/// Webhooks that are sent while the plugin is swapped.
const WEBHOOKS_MAX: usize = 4000;
/// Of so many runs one is asked for its version.
const ONE_IN: usize = 20;

fn digest(host: &Host<'_>, plugin: &str) -> Value {
    host.get(&format!("plugins/{plugin}"))["digest"].clone()
}

/// Puts another version in place and waits until it serves.
fn swap(project: &Project, host: &Host<'_>, plugin: &str, bytes: &[u8]) {
    let before = digest(host, plugin);
    project.put(plugin, bytes);
    until("another version serves", || (digest(host, plugin) != before).then_some(()));
}

#[test]
fn a_plugin_is_swapped_under_load_and_no_run_fails_or_is_lost() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let component = hookbox_tests::sample("steps");
    let swapped = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let more = |number: &usize| *number < WEBHOOKS_MAX && !swapped.load(Ordering::Relaxed);
            let send = |number| host.accept(&shop("count", &format!("n-{number}"), json!({})));
            (0..).take_while(more).map(send).count()
        });
        for number in 0..SWAPS {
            swap(&project, &host, "steps", &version(&component, number));
        }
        swapped.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    host.idle();

    let runs = host.all("runs");
    assert_eq!(runs.len(), sent, "no run is lost");
    for run in &runs {
        assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    }
    let versions: BTreeSet<String> = runs
        .iter()
        .step_by(ONE_IN)
        .map(|run| host.get(&format!("runs/{}", run["id"].as_str().unwrap())))
        .map(|run| run["attempts"][0]["version"].as_str().unwrap().to_owned())
        .collect();
    assert!(versions.len() >= 2, "{sent} runs of {versions:?}");
    assert_eq!(host.follow(&shop("total", "sum", json!({})))["result"]["data"], sent);
}

#[test]
fn an_attempt_ends_on_the_version_it_began_with() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let old = digest(&host, "steps");
    let until_ms = crate::harness::now() + 4000;
    let event = host.accept(&shop("slow", "1", json!({ "until": until_ms })));
    until("it runs", || (host.get("health")["queue"]["leased"] == 1).then_some(()));
    swap(&project, &host, "steps", &version(&hookbox_tests::sample("steps"), 1));
    let run = host.run_of(&event);
    assert_eq!((&run["state"], &run["attempts"][0]["version"]), (&json!("succeeded"), &old));
    let run = host.follow(&shop("count", "2", json!({})));
    assert_eq!(run["attempts"][0]["version"], digest(&host, "steps"));
}

#[test]
fn a_bad_file_leaves_the_old_version_serving_and_says_why() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let good = digest(&host, "welcome");
    project.put("welcome", b"\0asm\x01\0\0\0");
    let assert_serves = |host: &Host<'_>, id: &str| {
        let listed = until("the bad file is refused", || {
            let listed = host.get("plugins/welcome");
            (!listed["refused"].is_null()).then_some(listed)
        });
        assert_eq!((&listed["state"], &listed["digest"]), (&json!("active"), &good), "{listed:#}");
        assert_eq!(listed["refused"]["code"], "core-module");
        let run = host.follow(&shop("user.created", id, json!({})));
        assert_eq!((&run["state"], &run["attempts"][0]["version"]), (&json!("succeeded"), &good));
    };
    assert_serves(&host, "before");
    assert!(project.log().contains("goes on serving"), "{}", project.log());
    host.stop();
    let host = project.serve();
    assert_serves(&host, "after a restart");

    project.put("welcome", &version(&hookbox_tests::sample("welcome"), 1));
    let cured = until("the good file serves", || {
        let listed = host.get("plugins/welcome");
        (listed["digest"] != good).then_some(listed)
    });
    assert_eq!(cured["refused"], Value::Null, "{cured:#}");
}

#[test]
fn runs_of_a_deleted_plugin_wait_until_it_returns() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    project.take_away("steps");
    until("the plugin is gone", || (host.get("plugins/steps")["state"] == "missing").then_some(()));
    let event = host.accept(&shop("count", "1", json!({})));
    let waiting = host.get(&format!("events/{event}"));
    assert_eq!(waiting["runs"][0]["state"], "pending", "{waiting:#}");
    host.kill();
    let host = project.serve();
    assert_eq!(host.get(&format!("events/{event}"))["runs"][0]["state"], "pending");
    project.put("steps", &hookbox_tests::sample("steps"));
    let run = host.run_of(&event);
    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    assert_eq!(host.get("plugins/steps")["state"], "active");
}

#[test]
fn a_plugin_that_is_dropped_in_serves_without_a_restart() {
    let project = Project::with(&[]);
    let host = project.serve();
    assert_eq!(host.get("plugins")["items"], json!([]));
    project.put("welcome", &hookbox_tests::sample("welcome"));
    until("it is listed", || (host.ask("plugins/welcome").status == 200).then_some(()));
    assert_eq!(host.follow(&shop("user.created", "1", json!({})))["state"], "succeeded");
}
