//! The plugins folder changes while the host works.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Host, Project, shop, until, version};

const SWAPS: u8 = 12;
/// After each swap so many webhooks must have been taken in before the next one.
const WEBHOOKS_PER_SWAP: usize = 25;

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
    let total = usize::from(SWAPS) * WEBHOOKS_PER_SWAP;
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for number in 0..total {
                host.accept(&shop("count", &format!("n-{number}"), json!({})));
            }
        });
        for number in 0..SWAPS {
            let sent = usize::from(number) * WEBHOOKS_PER_SWAP;
            until("webhooks come in", || {
                (sender.is_finished() || host.get("health")["counts"]["events"].as_u64()? >= sent as u64).then_some(())
            });
            swap(&project, &host, "steps", &version(&component, number));
        }
        sender.join().unwrap();
    });
    host.idle();

    let runs = host.all("runs");
    assert_eq!(runs.len(), total, "no run is lost");
    let mut versions = BTreeSet::new();
    for run in &runs {
        let run = host.get(&format!("runs/{}", run["id"].as_str().unwrap()));
        assert_eq!((&run["state"], run["attempts"].as_array().unwrap().len()), (&json!("succeeded"), 1), "{run:#}");
        versions.insert(run["attempts"][0]["version"].as_str().unwrap().to_owned());
    }
    assert!(versions.len() >= 2, "runs of {} versions", versions.len());
    assert_eq!(host.follow(&shop("total", "sum", json!({})))["result"]["data"], total);
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
