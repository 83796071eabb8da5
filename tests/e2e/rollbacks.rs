//! Going back to a version that served before: by an operator, and by the host itself.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Host, Project, digest, marked, shop, until};

const ONE: &str = "one.............";
const TWO: &str = "two.............";
const THREE: &str = "three...........";
const BAD: &str = "bad.............";

fn short(version: &[u8]) -> String {
    digest(version)["sha256:".len()..][..12].to_owned()
}

fn steps(host: &Host<'_>) -> Value {
    host.get("plugins/steps")
}

/// Puts a version in place and waits until it serves.
fn put(project: &Project, host: &Host<'_>, version: &[u8]) {
    project.put("steps", version);
    serves(host, version);
}

fn serves(host: &Host<'_>, version: &[u8]) {
    let wanted = digest(version);
    until("the version serves", || {
        // At first there may be no such plugin.
        let steps = host.ask("plugins/steps").body;
        (steps["digest"] == wanted && steps["state"] == "active").then_some(())
    });
}

/// A webhook is handled by the version with this mark.
#[track_caller]
fn assert_tells(host: &Host<'_>, id: &str, mark: &str) {
    let run = host.follow(&shop("version", id, json!({})));
    assert_eq!((&run["state"], &run["result"]["data"]), (&json!("succeeded"), &json!(mark)), "{run:#}");
}

fn serving(project: &Project, versions: &[&str]) {
    let host = project.serve();
    for mark in versions {
        put(project, &host, &marked(mark));
    }
    host.stop();
}

#[test]
fn a_rollback_outlives_restarts_until_the_file_changes() {
    let project = Project::with(&[]);
    let (one, two, three) = (marked(ONE), marked(TWO), marked(THREE));
    serving(&project, &[ONE, TWO]);
    let host = project.serve();
    assert_tells(&host, "1", TWO);
    let said = host.cli(&["plugins", "rollback", "steps"]);
    let cure = format!("hookbox plugins rollback steps {}", short(&two));
    for part in [format!("steps serves version {}", short(&one)), "rolled back from".to_owned(), cure.clone()] {
        assert!(said.text().contains(&part), "{part}: {said:?}");
    }
    let assert_stays = |host: &Host<'_>, id: &str| {
        let steps = steps(host);
        assert_eq!((&steps["digest"], &steps["state"]), (&json!(digest(&one)), &json!("active")), "{steps:#}");
        assert_eq!(
            (&steps["refused"]["digest"], &steps["refused"]["code"]),
            (&json!(digest(&two)), &json!("rolled-back"))
        );
        assert!(steps["refused"]["reason"].as_str().unwrap().contains(&cure), "{steps:#}");
        assert_eq!(steps["rejected"][0]["digest"], digest(&two));
        assert_tells(host, id, ONE);
    };
    assert_stays(&host, "2");
    host.stop();
    let before = project.log_lines("was rolled back from");
    let host = project.serve();
    assert_stays(&host, "3");
    assert!(project.log_lines("was rolled back from") > before, "the start says it again:\n{}", project.log());
    host.kill();
    let host = project.serve();
    assert_stays(&host, "4");

    // The file goes and comes back: so does the version that served.
    project.take_away("steps");
    until("it is missed", || (steps(&host)["state"] == "missing").then_some(()));
    project.put("steps", &two);
    serves(&host, &one);
    assert_stays(&host, "5");

    // Another file is another version.
    put(&project, &host, &three);
    assert_tells(&host, "6", THREE);
    assert_eq!(steps(&host)["refused"], Value::Null);
    project.put("steps", &two);
    until("it stays out", || (steps(&host)["refused"]["digest"] == digest(&two)).then_some(()));
    assert_tells(&host, "7", THREE);

    // Until an operator wants it.
    host.cli(&["plugins", "rollback", "steps", &short(&two)]).text();
    assert_tells(&host, "8", TWO);
    let steps = steps(&host);
    assert_eq!((&steps["digest"], &steps["refused"]), (&json!(digest(&two)), &Value::Null), "{steps:#}");
    let ends: Vec<&str> = steps["history"].as_array().unwrap().iter().filter_map(|past| past["how"].as_str()).collect();
    assert_eq!(ends, ["rolled-back", "replaced", "rolled-back", "replaced"], "{steps:#}");
    host.stop();
    let host = project.serve();
    assert_tells(&host, "9", TWO);
    let page = host.get_text("/metrics");
    assert!(page.contains(r#"hookbox_plugins_rolled_back_total{plugin="steps",by="operator"} 2"#), "{page}");
}

#[test]
fn a_rollback_that_cannot_be_done_says_why() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let serving = steps(&host)["digest"].as_str().unwrap()["sha256:".len()..][..12].to_owned();
    for (arguments, code, part) in [
        (vec!["steps"], 1, "no earlier version"),
        (vec!["steps", &serving], 1, "serves already"),
        (vec!["steps", "000000000000"], 1, "There are: "),
        (vec!["steps", "latest"], 2, "digits of a digest"),
        (vec!["nobody"], 1, "there is no plugin nobody"),
    ] {
        let said = host.cli(&[vec!["plugins", "rollback"], arguments.clone()].concat());
        assert!(said.code == Some(code) && said.err.contains(part), "{arguments:?}: {said:?}");
    }
    project.take_away("steps");
    until("it is gone", || (steps(&host)["state"] == "missing").then_some(()));
    let said = host.cli(&["plugins", "rollback", "steps"]);
    assert!(said.err.contains("put its file in plugins/"), "{said:?}");
}

#[test]
fn a_version_whose_bytes_are_damaged_is_not_gone_back_to() {
    let project = Project::with(&[]);
    let (one, two) = (marked(ONE), marked(TWO));
    serving(&project, &[ONE, TWO]);
    let host = project.serve();
    let kept = format!("data/versions/{}.wasm", &digest(&one)["sha256:".len()..]);
    project.write(&kept, b"\0asm damaged");
    let said = host.cli(&["plugins", "rollback", "steps"]);
    assert!(said.code == Some(1) && said.err.contains("was changed") && said.err.contains("not-kept"), "{said:?}");
    assert_eq!(steps(&host)["digest"], digest(&two));
    assert_tells(&host, "1", TWO);
}

#[test]
fn a_plugin_is_shown_with_its_history() {
    let project = Project::with(&[]);
    serving(&project, &[ONE, TWO]);
    let host = project.serve();
    host.cli(&["plugins", "rollback", "steps"]).text();
    let said = host.cli(&["plugins", "show", "steps"]);
    let text = said.text();
    let (one, two) = (short(&marked(ONE)), short(&marked(TWO)));
    for part in [
        "steps: active",
        &format!("serves           {one}"),
        &format!("refused          {two} at "),
        "(rolled-back)",
        "flaky                on shop/flaky",
        "link                 when it is enqueued",
        "  hookbox:plugin/kv@0.1.0\n",
        "rolled back by an operator",
        ", replaced\n",
        "rolled back\n",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let mut listed = host.cli(&["plugins", "show", "steps", "--json"]).json();
    assert!(listed.as_object_mut().unwrap().remove("etag").is_some());
    assert_eq!(listed, steps(&host));
}

fn fail(host: &Host<'_>, id: &str) {
    assert_eq!(host.follow(&shop("version", id, json!({})))["state"], "dead");
}

#[test]
fn a_version_that_fails_too_often_at_first_is_rolled_back_by_the_host() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "rollback: { failures: 50%, over: 4 }\n");
    let (one, bad) = (marked(ONE), marked(BAD));
    let host = project.serve();
    put(&project, &host, &one);
    assert_eq!(steps(&host)["on_trial"], false, "there is nothing to go back to");
    put(&project, &host, &bad);
    assert_eq!(steps(&host)["on_trial"], true);
    fail(&host, "1");
    assert_eq!(steps(&host)["digest"], digest(&bad));
    fail(&host, "2");
    serves(&host, &one);
    assert_tells(&host, "3", ONE);
    let shown = steps(&host);
    assert_eq!(
        (&shown["on_trial"], &shown["history"][1]["how"]),
        (&json!(false), &json!("auto-rolled-back")),
        "{shown:#}"
    );
    let rejected = &shown["rejected"][0];
    assert_eq!((&rejected["digest"], &rejected["by"]), (&json!(digest(&bad)), &json!("host")), "{shown:#}");
    let reason = "2 of its first 2 attempts failed (rollback: failures: 50%, over: 4)";
    assert_eq!(rejected["reason"], reason);
    let logged = project.log();
    let line = logged.lines().find(|line| line.contains("was rolled back to version")).unwrap();
    assert!(line.contains("ERROR") && line.contains(reason), "{line}");
    let page = host.get_text("/metrics");
    assert!(page.contains(r#"hookbox_plugins_rolled_back_total{plugin="steps",by="host"} 1"#), "{page}");

    // It stays, and no failure brings the bad one back.
    host.stop();
    let host = project.serve();
    serves(&host, &one);
    for number in 0..4 {
        assert_eq!(host.follow(&shop("broken", &format!("b-{number}"), json!({})))["state"], "dead");
    }
    assert_tells(&host, "4", ONE);
    // It was good before, and is not on trial again.
    let shown = steps(&host);
    assert_eq!((&shown["on_trial"], &shown["digest"]), (&json!(false), &json!(digest(&one))), "{shown:#}");
}

#[test]
fn a_version_that_fails_stays_where_no_earlier_one_can_serve() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "rollback: { failures: 50%, over: 1 }\n");
    let (one, bad) = (marked(ONE), marked(BAD));
    let host = project.serve();
    put(&project, &host, &one);
    put(&project, &host, &bad);
    lose(&project, &one);
    fail(&host, "1");
    let shown = until("its trial is over", || Some(steps(&host)).filter(|steps| steps["on_trial"] == false));
    assert_eq!((&shown["trial_failed"], &shown["digest"]), (&json!(true), &json!(digest(&bad))), "{shown:#}");
    assert!(project.log().contains("stays at version"), "{}", project.log());
    assert!(host.cli(&["plugins", "show", "steps"]).text().contains("its trial failed"));
}

/// Removes what was kept of it.
fn lose(project: &Project, version: &[u8]) {
    fs::remove_file(project.path(&format!("data/versions/{}.wasm", &digest(version)["sha256:".len()..]))).unwrap();
}

#[test]
fn the_host_goes_back_further_where_the_version_before_fails_too() {
    let project = Project::with(&[]);
    // The trials of those that fail are long.
    project.write("hooks.yaml", "rollback: { failures: 100%, over: 1000 }\n");
    let (one, lost, worse, bad) = (marked(ONE), marked(TWO), marked("bad too........."), marked(BAD));
    let host = project.serve();
    for version in [&one, &lost, &worse] {
        put(&project, &host, version);
    }
    lose(&project, &lost);
    project.write("hooks.yaml", "rollback: { failures: 50%, over: 2 }\n");
    until("the rule counts", || (project.log_lines("were read anew") == 1).then_some(()));
    put(&project, &host, &bad);
    let seen = host.get("plugin-changes")["next"].to_string();
    fail(&host, "1");
    serves(&host, &worse);
    fail(&host, "2");
    serves(&host, &one);
    assert_tells(&host, "3", ONE);
    let changes = host.get(&format!("plugin-changes?after={seen}"));
    let told: Vec<_> =
        changes["items"].as_array().unwrap().iter().map(|item| (&item["what"], &item["digest"])).collect();
    let passed_over = (&json!("refused"), &json!(digest(&lost)));
    assert!(told.contains(&passed_over), "{changes:#}");
    assert_eq!(told.iter().filter(|(what, _)| **what == "rolled-back").count(), 2, "{changes:#}");
    let shown = steps(&host);
    let how: Vec<_> = shown["history"].as_array().unwrap().iter().filter_map(|past| past["how"].as_str()).collect();
    assert_eq!(how[..2], ["auto-rolled-back", "auto-rolled-back"], "{shown:#}");
    let rejected: Vec<_> = shown["rejected"].as_array().unwrap().iter().map(|version| &version["digest"]).collect();
    assert_eq!(rejected, [&json!(digest(&worse)), &json!(digest(&bad))], "{shown:#}");
}

#[test]
fn a_version_that_passes_its_trial_stays_whatever_comes() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "plugins: { steps: { rollback: { failures: 50%, over: 4 } } }\n");
    let (one, two) = (marked(ONE), marked(TWO));
    let host = project.serve();
    put(&project, &host, &one);
    put(&project, &host, &two);
    fail_then_pass(&host);
    until("its trial is over", || (steps(&host)["on_trial"] == false).then_some(()));
    host.stop();
    let host = project.serve();
    for number in 0..4 {
        assert_eq!(host.follow(&shop("broken", &format!("b-{number}"), json!({})))["state"], "dead");
    }
    assert_tells(&host, "last", TWO);
    assert_eq!(steps(&host)["digest"], digest(&two));
}

/// One of four fails.
fn fail_then_pass(host: &Host<'_>) {
    assert_eq!(host.follow(&shop("broken", "first", json!({})))["state"], "dead");
    for number in 0..3 {
        assert_tells(host, &format!("good-{number}"), TWO);
    }
}

#[test]
fn a_plugin_without_the_rule_is_never_rolled_back_by_the_host() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "rollback: { failures: 1%, over: 1 }\nplugins: { steps: { rollback: none } }\n");
    let bad = marked(BAD);
    let host = project.serve();
    put(&project, &host, &marked(ONE));
    put(&project, &host, &bad);
    for number in 0..3 {
        fail(&host, &number.to_string());
    }
    let steps = steps(&host);
    assert_eq!((&steps["digest"], &steps["on_trial"]), (&json!(digest(&bad)), &json!(false)));
}

#[test]
fn changes_are_watched_as_they_happen() {
    let project = Project::with(&[]);
    let host = project.serve();
    let said = thread::scope(|scope| {
        let watcher = scope.spawn(|| host.cli(&["plugins", "watch", "--count", "30"]));
        // It is not known when it has begun to watch.
        for number in 0.. {
            if watcher.is_finished() {
                break;
            }
            put(&project, &host, &marked(&format!("watched{number:09}")));
            host.cli(&["plugins", "rollback", "steps"]);
            project.put("steps", b"\0asm\x01\0\0\0");
            until("it is refused", || (steps(&host)["refused"]["code"] == "core-module").then_some(()));
            project.take_away("steps");
            until("it is gone", || (steps(&host)["state"] == "missing").then_some(()));
        }
        watcher.join().unwrap()
    });
    let lines: Vec<&str> = said.text().lines().collect();
    assert_eq!(lines.len(), 31, "{said:?}");
    for part in ["found", "compiled     in ", "active", "refused      it is a core module", "rolled back  to ", "gone"]
    {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {said:?}");
    }
}
