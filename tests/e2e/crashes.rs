//! The host is cut off or asked to stop in the middle of its work.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Ended, Host, Project, now, shop, until};

const SENDERS: u32 = 4;
const WEBHOOKS_PER_SENDER: u32 = 75;
/// The host drains for 25 s; a run that takes longer is put back. A slow machine has the rest to come to the stop.
const LONGER_THAN_THE_DRAIN: u64 = 45_000;
/// The same for one that is waited for: it may even have ended before.
const SHORTER_THAN_THE_DRAIN: u64 = 6000;
/// Runs that begin and end after others have begun.
const LATER_RUNS: u32 = 3;
/// Times that a host is started and stopped at once.
const STARTS: u32 = 20;

/// Sends many at once; returns the ids that were acknowledged.
fn send_many(host: &Host<'_>, until_ms: u64) -> Vec<String> {
    let send = |sender: u32| {
        let webhook = |number| shop("slow", &format!("{sender}-{number}"), json!({ "until": until_ms }));
        (0..WEBHOOKS_PER_SENDER).map(|number| host.accept(&webhook(number))).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(move || send(sender))).collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    })
}

#[test]
fn everything_that_was_acknowledged_is_finished_after_a_kill() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let acknowledged = send_many(&host, now() + 6000);
    let health = host.get("health");
    host.kill();
    assert!(health["queue"]["leased"].as_u64().unwrap() > 0, "some were running: {health:#}");

    let host = project.serve();
    host.idle();
    for event in &acknowledged {
        let run = host.run_of(event);
        assert_eq!(run["state"], "succeeded", "{run:#}");
    }
    assert_eq!(host.all("runs").len(), acknowledged.len(), "none was made twice");
    let lost = host.all("runs").iter().filter(|run| run["attempts_begun"] == 2).count();
    assert!(lost > 0, "an attempt that a crash cut off counts");
}

#[test]
fn a_host_that_is_killed_again_and_again_loses_nothing() {
    let project = Project::with(&["steps"]);
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let host = project.serve();
        for number in 0..40 {
            acknowledged.push(host.accept(&shop("count", &format!("{round}-{number}"), json!({}))));
        }
        host.kill();
    }
    let host = project.serve();
    host.idle();
    for event in &acknowledged {
        assert_eq!(host.run_of(event)["state"], "succeeded");
    }
    let total = host.follow(&shop("total", "sum", json!({})));
    assert_eq!(total["result"]["data"], acknowledged.len(), "each run counted once, whatever was cut off");
}

#[test]
fn a_stop_waits_for_runs_and_puts_back_what_takes_too_long() {
    let project = Project::with(&["steps"]);
    let mut host = project.serve();
    let long = host.accept(&shop("slow", "long", json!({ "until": now() + LONGER_THAN_THE_DRAIN })));
    let short = host.accept(&shop("slow", "short", json!({ "until": now() + SHORTER_THAN_THE_DRAIN })));
    for event in [&long, &short] {
        let run = host.get(&format!("events/{event}"))["run_ids"][0].as_str().unwrap().to_owned();
        until("it was leased", || (host.get(&format!("runs/{run}"))["state"] != "pending").then_some(()));
    }
    // What is leased begins a moment later; others that were leased after it, one after the other, have ended.
    for number in 0..LATER_RUNS {
        host.follow(&shop("count", &format!("later-{number}"), json!({})));
    }
    host.ask_to_stop();
    // Until the listener is closed, it says that it takes nothing more.
    until("no webhook is taken in", || {
        host.try_post(&shop("count", "late", json!({}))).map_or(true, |answer| answer.status == 503).then_some(())
    });
    assert_eq!(host.wait(), Ended::Code(0), "{}", project.log());

    let host = project.serve();
    let short = host.run_of(&short);
    assert_eq!((&short["state"], &short["drains"]), (&json!("succeeded"), &json!(0)), "{short:#}");
    let long = host.run_of(&long);
    assert_eq!((&long["state"], &long["drains"]), (&json!("succeeded"), &json!(1)), "{long:#}");
    let revoked = &long["revoked"][0];
    assert_eq!((&revoked["outcome"], long["revoked"].as_array().unwrap().len()), (&json!("revoked"), 1), "{long:#}");
    assert!(revoked["message"].as_str().unwrap().contains("the host stopped"), "{revoked:#}");
    assert!(revoked["cost"]["wall_us"].as_u64().unwrap() > 0 && revoked["version"].is_string(), "{revoked:#}");
    assert_eq!((&long["attempts_begun"], &long["result"]["data"]), (&json!(1), &json!({ "attempt": 1 })));
}

#[test]
fn an_idle_host_stops_at_once_and_well() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    host.follow(&shop("user.created", "1", json!({})));
    assert_eq!(host.stop(), Ended::Code(0));
    assert!(project.log().lines().last().unwrap().contains("stopped"), "{}", project.log());
    let doctor = project.run(&["doctor", "--data", "data", "--json"]).json();
    assert_eq!((&doctor["well"], &doctor["events"], &doctor["live_runs"]), (&json!(true), &json!(1), &json!(0)));
}

#[test]
fn who_reads_that_a_host_is_ready_may_ask_it_to_stop_in_the_same_moment() {
    let project = Project::with(&[]);
    for _ in 0..STARTS {
        let mut command = project.command(&Host::arguments("serve"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let ended = child.wait().unwrap();
        assert!(line.starts_with("hookbox is ready"), "{line}");
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
}
