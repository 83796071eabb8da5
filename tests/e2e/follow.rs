//! Commands that go on until something has happened, and those for shells and watchers.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::harness::{Host, Project, now, shop};

/// A command that is at work; it ends with its handle.
struct Working(Child);

impl Working {
    fn begin(
        project: &Project,
        host: &Host<'_>,
        arguments: &[&str],
    ) -> (Working, impl Iterator<Item = String> + use<>) {
        let mut command = project.command(arguments);
        let mut child = command.args(["--url", &host.operator]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        (Working(child), lines)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn runs_are_followed_as_they_change() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let follow = ["runs", "list", "--follow", "--state", "succeeded", "--count", "2", "--json"];
    let (mut working, mut lines) = Working::begin(&project, &host, &follow);
    // It may not have begun to look yet: it is given runs until it has seen two.
    let mut number = 0;
    let seen = std::thread::scope(|scope| {
        let seen = scope.spawn(|| lines.by_ref().take(2).collect::<Vec<String>>());
        while !seen.is_finished() {
            number += 1;
            host.follow(&shop("count", &number.to_string(), json!({})));
        }
        seen.join().unwrap()
    });
    assert!(working.0.wait().unwrap().success());
    for line in seen {
        let run: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&run["state"], &run["handler"]), (&json!("succeeded"), &json!("count")));
    }
    let narrowed = host.cli(&["runs", "list", "--follow", "--payload", "x"]);
    assert_eq!(narrowed.code, Some(2), "{narrowed:?}");
}

#[test]
fn a_log_is_followed_until_its_run_ends() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let run = host.follow(&shop("flaky", "1", json!({})));
    let id = run["id"].as_str().unwrap();
    let said = host.cli(&["runs", "logs", id, "--follow"]);
    assert_eq!(said.text().lines().last(), Some("the run is succeeded"));
    let ends = said.out.lines().filter(|line| line.contains("ended: ")).count();
    assert_eq!(ends, 3, "{}", said.out);
    let logged = run["attempts"].as_array().unwrap().iter().map(|a| a["log"]["lines"].as_array().unwrap().len());
    let as_json = host.cli(&["runs", "logs", id, "--json"]);
    let lines: Vec<Value> = as_json.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), logged.sum::<usize>());
    let followed = host.cli(&["runs", "logs", id, "--follow", "--json"]);
    assert_eq!(followed.text(), as_json.text());
    let unknown = host.cli(&["runs", "logs", "run_01JABCDEFGHJKMNPQRSTVWXYZ0", "--follow"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
}

#[test]
fn a_watch_ends_when_its_token_is_revoked() {
    let project = Project::with(&[]);
    let host = project.serve();
    let token = host.cli(&["tokens", "create", "ci", "--role", "viewer"]).text().trim().to_owned();
    let mut command = project.command(&["plugins", "watch", "--url", &host.operator]);
    let piped = command.env("HOOKBOX_TOKEN", token).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut working = Working(piped.spawn().unwrap());
    let first = BufReader::new(working.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(first.contains("watching the plugins"), "{first}");
    assert_eq!(host.cli(&["tokens", "revoke", "ci"]).code, Some(0));
    let mut told = String::new();
    working.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(working.0.wait().unwrap().code(), Some(1), "{told}");
    assert!(told.contains("revoked"), "{told}");
}

#[test]
fn a_line_is_told_while_its_attempt_is_under_way() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let event = host.accept(&shop("slow", "1", json!({ "until": now() + 3_600_000 })));
    let id = host.get(&format!("events/{event}"))["run_ids"][0].as_str().unwrap().to_owned();
    let (mut working, mut lines) = Working::begin(&project, &host, &["runs", "logs", &id, "--follow"]);
    let line = lines.next().unwrap();
    assert!(line.contains("waits until"), "{line}");
    assert_eq!(host.get(&format!("runs/{id}"))["state"], "leased");
    assert_eq!(host.write(&format!("runs/{id}/cancel")).status, 200);
    let rest: Vec<String> = lines.collect();
    assert_eq!(rest.last().map(String::as_str), Some("the run is cancelled"), "{rest:?}");
    assert!(rest.iter().all(|line| !line.contains("waits until")), "{rest:?}");
    assert!(working.0.wait().unwrap().success());
}

#[test]
fn health_is_one_word_and_an_exit_code() {
    let project = Project::with(&[]);
    let host = project.serve();
    assert_eq!(host.cli(&["health"]).text(), "ok\n");
    assert_eq!(host.cli(&["health", "--json"]).json()["status"], "ok");
    let url = host.operator.clone();
    host.kill();
    let gone = project.run(&["health", "--url", &url]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.err.contains("no host answers"), "{gone:?}");
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    let project = Project::with(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let script = project.run(&["completion", shell]);
        for word in ["enqueue", "backfill", "rollback"] {
            assert!(script.text().contains(word), "{shell} lacks {word}");
        }
    }
    let page = project.run(&["man"]);
    assert!(page.text().starts_with(".ie") || page.text().contains(".TH hookbox 1"), "{}", page.out);
    assert!(page.out.contains("hookbox\\-doctor(1)"), "{}", page.out);
    project.run(&["man", "--out", "pages"]).text();
    for name in ["hookbox.1", "hookbox-runs-list.1", "hookbox-schedules-backfill.1"] {
        assert!(project.path("pages").join(name).is_file(), "{name}");
    }
}
