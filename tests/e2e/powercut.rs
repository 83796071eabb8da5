//! Power cuts. A `kill -9` leaves the kernel's cache in place and so proves little about durability. Here a real host
//! works under strace, which records every write and sync; then its data is rebuilt as a power cut at a random moment
//! could have left it, again and again. Each time everything that was acknowledged before the cut must be there.
//!
//! `HOOKBOX_POWERCUTS` says how many cuts, `HOOKBOX_POWERCUT_SEED` another seed.

mod disk;
mod trace;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::harness::{DROPBOX, Host, Project, Webhook, now, number, shop, until};
use crate::random::Random;
use disk::{Base, Disk};
use trace::{Step, Trace};

const CUTS: u64 = 24;
const SEED: u64 = 1;
const SENDERS: u32 = 4;
const WEBHOOKS_PER_SENDER: u32 = 40;
/// A third of the cuts are within so many steps of the first acknowledgement: little is on disk then.
const EARLY: usize = 400;
/// So many places are the ones where the most writes wait for a sync.
const LADEN: usize = 40;

/// What is kept for a moment only is removed at the start that follows.
const SHORT: &str = "keep: { succeeded_for: 1s, dead_for: 1s, events_for: 1s }\n";
const KEPT_MS: u64 = 1000;
/// Large events that wait for their removal.
const OLD_EVENTS: u32 = 24;
/// So many of each sender's webhooks are large and come first, all senders at once, while old ones are removed.
const LARGE_FIRST: u32 = 6;
/// As large as a body may be, but for what is around it.
const LARGE: usize = (1 << 20) - 200;

fn project() -> Project {
    Project::with(&["steps"]).env(&DROPBOX.variable(), DROPBOX.secret)
}

fn padded(event_type: &str, id: &str, bytes: usize) -> Webhook {
    shop(event_type, id, json!({ "padding": "x".repeat(bytes) }))
}

/// Small and large bodies, handlers that write, delete, emit and enqueue, and deliveries that come again.
fn send(host: &Host<'_>) {
    let send = |sender: u32| {
        for number in 0..WEBHOOKS_PER_SENDER {
            let id = format!("{sender}-{number}");
            host.accept(&match number % 8 {
                _ if number < LARGE_FIRST => padded("count", &id, LARGE),
                0 => shop("chain", &id, json!({})),
                1 => padded("count", &id, 20_000),
                2 => padded("flaky", &id, 3000),
                3 if number % 16 == 3 => padded("count", &id, LARGE),
                4 => keep(sender, number),
                5 => padded("nobody", &id, 10_000),
                7 => DROPBOX.sign("", json!({ "id": id, "padding": "x".repeat(10_000) }).to_string()),
                _ => shop("count", &id, json!({})),
            });
            if number % 8 == 6 {
                // The same id with another body, and once more.
                for _ in 0..2 {
                    assert_eq!(host.post(&padded("count", &id, 30_000)).status, 200);
                }
            }
        }
    };
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            scope.spawn(move || send(sender));
        }
    });
}

/// A key for the one that the sender's last such webhook left.
fn keep(sender: u32, number: u32) -> Webhook {
    let (key, before) = (format!("{sender}-{number}"), number.checked_sub(8).map(|last| format!("{sender}-{last}")));
    shop("keep", &key, json!({ "key": key, "before": before, "padding": "x".repeat(20_000) }))
}

/// Events that a host has brought to their end, and whose time is over; returns their ids.
fn prepare(project: &Project) -> Vec<String> {
    project.write("hooks.yaml", SHORT);
    let host = project.serve();
    let large = |n| DROPBOX.sign("", json!({ "n": n, "padding": "x".repeat(LARGE) }).to_string());
    let mut old: Vec<String> = (0..OLD_EVENTS).map(|n| host.accept(&large(n))).collect();
    for number in 0..60 {
        old.push(host.accept(&DROPBOX.sign("", json!({ "small": number }).to_string())));
        // Its runs, keys and what it emits go; it is known as long as its id is.
        host.accept(&shop("keep", &format!("old-key-{number}"), json!({ "key": format!("old-{number}") })));
        host.accept(&shop("chain", &format!("old-chain-{number}"), json!({})));
    }
    host.idle();
    host.stop();
    let ended = now();
    until("their time is over", || (now() > ended + KEPT_MS).then_some(()));
    old
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

/// Where a trace may be cut.
struct Cuts {
    first: usize,
    end: usize,
    /// Right before the syncs that the most writes wait for, and as many before an acknowledgement.
    laden: Vec<usize>,
}

impl Cuts {
    fn of(trace: &Trace) -> Cuts {
        let first = trace.steps.iter().position(|step| !step.acknowledged().is_empty()).unwrap();
        let mut waiting: Vec<(usize, usize)> = trace.unsynced().into_iter().enumerate().skip(first + 1).collect();
        waiting.sort_by_key(|(_, writes)| Reverse(*writes));
        let laden: Vec<usize> = waiting.iter().take(LADEN).map(|(at, _)| *at).collect();
        eprintln!("of writes to one file, at most {:?} waited for a sync", waiting.first().map(|(_, writes)| *writes));
        Cuts { first: first + 1, end: trace.steps.len(), laden }
    }

    /// Where the n-th is: a third early, a third anywhere, a third where much is not synced.
    fn at(&self, n: u64, random: &mut Random) -> usize {
        match n % 3 {
            0 => self.first + random.below(EARLY.min(self.end - self.first) + 1),
            1 => self.first + random.below(self.end - self.first + 1),
            _ => self.laden[random.below(self.laden.len())],
        }
    }
}

/// A delivery that comes again is answered with the id of the first.
fn acknowledged(steps: &[Step]) -> BTreeSet<String> {
    steps.iter().flat_map(Step::acknowledged).collect()
}

/// Those of them that the data does not have.
fn missing(project: &Project, ids: &BTreeSet<String>) -> BTreeSet<String> {
    project.write("ids", ids.iter().map(|id| format!("{id}\n")).collect::<String>());
    let said = project.run(&["doctor", "--data", "data", "--has", "ids", "--json"]);
    let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!(told["faults"], json!([]), "{said:?}");
    told["missing"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let project = project();
    let old = BTreeSet::from_iter(prepare(&project));
    let base = Base::read(&project.path("data"));
    let trace = record(&project);
    let all = acknowledged(&trace.steps);
    assert_eq!(all.len(), (SENDERS * WEBHOOKS_PER_SENDER + 4) as usize, "the trace has every acknowledgement");
    assert!(trace.syncs() > 10, "{} syncs", trace.syncs());
    assert!(missing(&project, &old).len() > old.len() / 2, "while it worked, the host removed what was old");
    // What the host itself has removed by the end may be missing after any cut, and nothing else.
    let removed = missing(&project, &all);
    assert!(removed.len() < all.len() / 2, "most is kept: {} of {} are not", removed.len(), all.len());

    let places = Cuts::of(&trace);
    let (cuts, seed) = (number("HOOKBOX_POWERCUTS", CUTS), number("HOOKBOX_POWERCUT_SEED", SEED));
    let image = project.path("image");
    let mut failures = Vec::new();
    for n in 0..cuts {
        let mut random = Random::new(seed, n);
        let at = places.at(n, &mut random);
        let acks: Vec<String> = acknowledged(&trace.steps[..at]).difference(&removed).cloned().collect();
        let how = Disk::after(&base, &trace.steps[..at]).cut_off(&mut random, &image);
        if let Err(words) = examine(&project, &image, &acks) {
            failures.push(format!("seed {seed}, cut {n} at step {at} ({how:?}), {} acknowledged: {words}", acks.len()));
        }
    }
    let (steps, gone) = (trace.steps.len(), removed.len());
    eprintln!(
        "{cuts} cuts in {steps} steps, {} acknowledged, {gone} of them removed: {} failed",
        all.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "{} of {cuts} cuts failed:\n{}", failures.len(), failures.join("\n"));
}

fn examine(project: &Project, image: &Path, acks: &[String]) -> Result<(), String> {
    project.write("acks", acks.join("\n"));
    let said = project.run(&["doctor", "--data", image.to_str().unwrap(), "--has", "acks"]);
    if said.code == Some(0) { Ok(()) } else { Err(format!("{:?} {} {}", said.code, said.out.trim(), said.err.trim())) }
}

#[test]
fn a_host_goes_on_after_a_power_cut_and_finishes_everything() {
    let project = project();
    let trace = record(&project);
    let cut = trace.steps.iter().position(|step| !step.acknowledged().is_empty()).unwrap() + EARLY;
    let steps = &trace.steps[..cut.min(trace.steps.len())];
    let data = project.path("data");
    Disk::after(&Base::default(), steps).cut_off(&mut Random::new(SEED, 0), &data);
    let host = project.serve();
    for event in acknowledged(steps) {
        let shown = host.get(&format!("events/{event}"));
        if shown["type"] != "slow" && shown["type"] != "nobody" {
            assert_eq!(host.run_of(&event)["state"], "succeeded", "{shown:#}");
        }
    }
}

#[test]
fn the_doctor_misses_what_is_not_there() {
    let project = project();
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
