//! Power cuts. A `kill -9` leaves the kernel's cache in place and so proves little about durability. Here a real host
//! works under strace, which records every write and sync; then its data is rebuilt as a power cut at a random moment
//! could have left it, again and again. Each time everything that was acknowledged before the cut must be there.
//!
//! `HOOKBOX_POWERCUTS` says how many cuts, `HOOKBOX_POWERCUT_SEED` another seed.

mod disk;
mod trace;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::harness::{Host, Project, now, number, shop, until};
use crate::random::Random;
use disk::Disk;
use trace::{Step, Trace};

const CUTS: u64 = 24;
const SEED: u64 = 1;
const SENDERS: u32 = 4;
const WEBHOOKS_PER_SENDER: u32 = 40;
/// Half of the cuts are within so many steps of the first acknowledgement: little is on disk then.
const EARLY: usize = 400;

/// Small and large bodies, handlers that write, emit and enqueue.
fn send(host: &Host<'_>) {
    let send = |sender: u32| {
        for number in 0..WEBHOOKS_PER_SENDER {
            let id = format!("{sender}-{number}");
            let webhook = match number % 4 {
                0 => shop("chain", &id, json!({})),
                1 => shop("count", &id, json!({ "padding": "x".repeat(20_000) })),
                2 => shop("flaky", &id, json!({ "padding": "x".repeat(3000) })),
                _ => shop("count", &id, json!({})),
            };
            host.accept(&webhook);
        }
    };
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            scope.spawn(move || send(sender));
        }
    });
}

/// Runs a host under strace until it was cut off in the middle of its work.
fn record(project: &Project) -> Trace {
    let trace = project.path("trace");
    let mut command = Command::new("strace");
    // With -D the process that is started is the host, and strace is beside it: killing the handle kills the host.
    command.args(["-D", "-f", "-y", "-xx", "-s", "100000000", "-e"]).arg(trace::calls()).arg("-o").arg(&trace);
    command.arg(crate::harness::binary()).args(Host::arguments("serve"));
    project.surround(&mut command);
    let host = Host::start_by(project, command);
    send(&host);
    // Some of these are running at the end.
    for number in 0..4 {
        host.accept(&shop("slow", &format!("slow-{number}"), json!({ "until": now() + 3_600_000 })));
    }
    until("runs are under way", || (host.get("health")["queue"]["leased"].as_u64()? > 0).then_some(()));
    let host_id = host.id();
    host.kill();
    // strace pads ids to five places.
    let end = format!("{host_id:<5} +++ killed by SIGKILL +++\n");
    until("strace has written everything", || fs::read(&trace).unwrap().ends_with(end.as_bytes()).then_some(()));
    let folder = project.path("").canonicalize().unwrap();
    Trace::read(&trace, &folder, &folder.join("data"))
}

/// Where the n-th cut is: half of them early, half anywhere.
fn cut(trace: &Trace, n: u64, random: &mut Random) -> usize {
    let first = trace.steps.iter().position(|step| !step.acknowledged().is_empty()).unwrap();
    let end = trace.steps.len();
    let last = if n.is_multiple_of(2) { end.min(first + EARLY) } else { end };
    first + 1 + random.below(last - first)
}

fn acknowledged(steps: &[Step]) -> Vec<String> {
    steps.iter().flat_map(Step::acknowledged).collect()
}

#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let project = Project::with(&["steps"]);
    let trace = record(&project);
    let all = acknowledged(&trace.steps);
    assert_eq!(all.len(), (SENDERS * WEBHOOKS_PER_SENDER + 4) as usize, "the trace has every acknowledgement");
    assert!(trace.syncs() > 10, "{} syncs", trace.syncs());

    let (cuts, seed) = (number("HOOKBOX_POWERCUTS", CUTS), number("HOOKBOX_POWERCUT_SEED", SEED));
    let image = project.path("image");
    let mut failures = Vec::new();
    for n in 0..cuts {
        let mut random = Random::new(seed, n);
        let at = cut(&trace, n, &mut random);
        let acks = acknowledged(&trace.steps[..at]);
        let how = Disk::after(&trace.steps[..at]).cut_off(&mut random, &image);
        if let Err(words) = examine(&project, &image, &acks) {
            failures.push(format!("seed {seed}, cut {n} at step {at} ({how:?}), {} acknowledged: {words}", acks.len()));
        }
    }
    assert!(failures.is_empty(), "{} of {cuts} cuts failed:\n{}", failures.len(), failures.join("\n"));
}

fn examine(project: &Project, image: &Path, acks: &[String]) -> Result<(), String> {
    project.write("acks", acks.join("\n"));
    let said = project.run(&["doctor", "--data", image.to_str().unwrap(), "--has", "acks"]);
    if said.code == Some(0) { Ok(()) } else { Err(format!("{:?} {} {}", said.code, said.out.trim(), said.err.trim())) }
}

#[test]
fn a_host_goes_on_after_a_power_cut_and_finishes_everything() {
    let project = Project::with(&["steps"]);
    let trace = record(&project);
    let cut = trace.steps.iter().position(|step| !step.acknowledged().is_empty()).unwrap() + EARLY;
    let steps = &trace.steps[..cut.min(trace.steps.len())];
    let data = project.path("data");
    Disk::after(steps).cut_off(&mut Random::new(SEED, 0), &data);
    let host = project.serve();
    for event in acknowledged(steps) {
        let shown = host.get(&format!("events/{event}"));
        if shown["type"] != "slow" {
            assert_eq!(host.run_of(&event)["state"], "succeeded", "{shown:#}");
        }
    }
}

#[test]
fn the_doctor_misses_what_is_not_there() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let event = host.accept(&shop("count", "1", json!({})));
    host.kill();
    let data = project.path("data");
    assert_eq!(examine(&project, &data, std::slice::from_ref(&event)), Ok(()));
    let missing = "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
    assert!(examine(&project, &data, &[event, missing.clone()]).unwrap_err().contains(&format!("missing: {missing}")));
    fs::remove_dir_all(&data).unwrap();
    assert!(examine(&project, &data, &[]).is_err(), "nothing is not well");
}
