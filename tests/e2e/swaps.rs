//! The plugins folder changes while the host works.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Host, Project, marked, shop, until, version};

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

/// Replaced so often, as fast as the disk allows.
const REPLACEMENTS: u32 = 100;

#[test]
fn a_hundred_replacements_at_once_end_with_the_last() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let last = marked("last............");
    let versions: Vec<Vec<u8>> = (1..REPLACEMENTS).map(|number| marked(&format!("quick{number:011}"))).collect();
    // One right after the other: what takes long was done before.
    let began = crate::harness::now();
    for version in versions.iter().chain([&last]) {
        project.put("steps", version);
    }
    eprintln!("{REPLACEMENTS} replacements in {} ms", crate::harness::now() - began);
    until("the last one serves", || (digest(&host, "steps") == crate::harness::digest(&last)).then_some(()));
    let run = host.follow(&shop("version", "1", json!({})));
    assert_eq!(run["result"]["data"], "last............");
    assert_eq!(host.get("plugins/steps")["refused"], Value::Null);
}

#[test]
fn half_a_file_leaves_the_old_version_serving_until_it_is_whole() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let (old, new) = (digest(&host, "steps"), marked("whole..........."));
    let (half, rest) = new.split_at(new.len() / 2);
    project.write("plugins/steps.wasm", half);
    let refused = until("the half is refused", || {
        let steps = host.get("plugins/steps");
        steps["refused"]["code"].is_string().then_some(steps)
    });
    assert_eq!((&refused["digest"], &refused["refused"]["code"]), (&old, &json!("invalid")), "{refused:#}");
    assert!(refused["refused"]["reason"].as_str().unwrap().contains("build it anew"), "{refused:#}");
    assert_eq!(host.follow(&shop("count", "1", json!({})))["attempts"][0]["version"], old);
    project.write("plugins/steps.wasm", [half, rest].concat());
    until("the whole serves", || (digest(&host, "steps") == crate::harness::digest(&new)).then_some(()));
    assert_eq!(host.get("plugins/steps")["refused"], Value::Null);
}

/// The bytes with another text of the same length in the place of this one.
fn patched(component: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let (mut bytes, mut found) = (component.to_vec(), 0);
    for at in 0..bytes.len() - old.len() {
        if bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{old} is not there");
    bytes
}

#[test]
fn what_cannot_serve_is_refused_with_what_to_change() {
    let project = Project::with(&["welcome", "steps"]);
    let host = project.serve();
    let (good, steps) = (digest(&host, "steps"), hookbox_tests::sample("steps"));
    let newer = |interface: &str| {
        patched(&steps, &format!("hookbox:plugin/{interface}@0.1.0"), &format!("hookbox:plugin/{interface}@0.2.0"))
    };
    let files = [
        (b"".to_vec(), "not-wasm", "build a component"),
        (b"\x7fELF\x02\x01\x01\0 no wasm".to_vec(), "not-wasm", "--target wasm32-wasip2"),
        (b"\0asm\x01\0\0\0".to_vec(), "core-module", "wasm-tools component new"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "not-a-plugin", "such as with the SDK"),
        (newer("guest"), "not-a-plugin", "but hookbox:plugin/guest@0.2.0: build it against version 0.1"),
        (newer("kv"), "unserved-import", "build it against version 0.1 of the contract, or update hookbox"),
        (hookbox_tests::sample("welcome"), "bad-description", "name the file after the plugin"),
    ];
    let assert_refused = |code: &str, part: &str| {
        let shown = until(code, || {
            let shown = host.get("plugins/steps");
            let reason = shown["refused"]["reason"].as_str().unwrap_or_default();
            (shown["refused"]["code"] == code && reason.contains(part)).then_some(shown)
        });
        assert_eq!((&shown["state"], &shown["digest"]), (&json!("active"), &good), "{shown:#}");
    };
    for (bytes, code, part) in &files {
        project.put("steps", bytes);
        assert_refused(code, part);
    }
    // Neither is followed.
    project.take_away("steps");
    symlink(project.path("plugins/welcome.wasm"), project.path("link")).unwrap();
    fs::rename(project.path("link"), project.path("plugins/steps.wasm")).unwrap();
    assert_refused_or_gone(&host);
    project.put("steps", &steps);
    until("it serves again", || {
        let shown = host.get("plugins/steps");
        (shown["state"] == "active" && shown["refused"].is_null()).then_some(())
    });
    fs::remove_file(project.path("plugins/steps.wasm")).unwrap();
    fs::create_dir(project.path("plugins/steps.wasm")).unwrap();
    assert_refused_or_gone(&host);
    assert_eq!(host.follow(&shop("user.created", "1", json!({})))["state"], "succeeded", "others are not touched");
}

/// A look in between may have found no file.
fn assert_refused_or_gone(host: &Host<'_>) {
    let shown = until("it is not taken", || {
        let shown = host.get("plugins/steps");
        (shown["refused"]["code"] == "not-taken").then_some(shown)
    });
    assert!(shown["refused"]["reason"].as_str().unwrap().contains("must be a regular file"), "{shown:#}");
}

#[test]
fn a_plugin_that_is_deleted_during_a_run_ends_it() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let old = digest(&host, "steps");
    let event = host.accept(&shop("slow", "1", json!({ "until": crate::harness::now() + 4000 })));
    until("it runs", || (host.get("health")["queue"]["leased"] == 1).then_some(()));
    project.take_away("steps");
    until("the plugin is gone", || (host.get("plugins/steps")["state"] == "missing").then_some(()));
    let run = host.run_of(&event);
    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
    assert_eq!(run["attempts"][0]["version"], old);
}
