//! A plugin is swapped again and again while webhooks arrive: no run fails or is lost, and each is recorded with the
//! version that really ran it, which the version itself tells.
//!
//! `HOOKBOX_SWAPS` says how many swaps and `HOOKBOX_SWAP_RATE` how many webhooks a second: 200 and 2000 in the full run.
//! It fails where that rate was set and fewer were accepted, and with `HOOKBOX_SWAP_P99_MS` where a version's first run
//! begins later than that, compiling left out.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::harness::{Host, Project, Webhook, digest, environment, marked, now, number, shop, until};
use crate::schedules::millis;

const SWAPS: u64 = 8;
const RATE: u64 = 100;
const SENDERS: u64 = 48;
/// Of a rate that was set so much must have been accepted, in percent.
const RATE_PERCENT_MIN: u64 = 95;
/// Webhooks that are taken in on each version before the next one comes.
const ON_EACH: u64 = 12;
/// Threads that ask for runs in the end.
const READERS: usize = 4;

/// When a version was seen, how long it was compiled, and its mark.
#[derive(Debug)]
struct Swapped {
    mark: String,
    found: u64,
    compiled_ms: u64,
    first_run: u64,
}

fn mark(swap: u64) -> String {
    format!("swap{swap:012}")
}

/// So many webhooks a second of all senders together, from a moment on.
#[derive(Debug, Clone, Copy)]
struct Pace {
    began: u64,
    rate: u64,
}

/// Sends its share of the webhooks, each in its turn between those of the others, until told to stop; returns the events'
/// ids.
fn send(host: &Host<'_>, sender: u64, pace: Pace, sent: &AtomicU64, stop: &AtomicBool) -> Vec<String> {
    let agent: Agent = Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut events = Vec::new();
    for number in 0.. {
        let due = pace.began + (number * SENDERS + sender) * 1000 / pace.rate;
        thread::sleep(Duration::from_millis(due.saturating_sub(now())));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let webhook = shop("version", &format!("{sender}-{number}"), json!({}));
        events.push(accepted(&agent, host, &webhook));
        sent.fetch_add(1, Ordering::Relaxed);
    }
    events
}

/// Sent again where the connection was closed meanwhile.
fn accepted(agent: &Agent, host: &Host<'_>, webhook: &Webhook) -> String {
    until("it is accepted", || {
        let mut request = agent.post(host.webhook_url(&webhook.provider));
        for (name, value) in &webhook.headers {
            request = request.header(name, value);
        }
        let mut answer = request.send(&webhook.body[..]).ok()?;
        let body: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).unwrap_or_default();
        assert!([200, 202].contains(&answer.status().as_u16()), "{answer:?} {body}");
        body["id"].as_str().map(str::to_owned)
    })
}

/// Puts one version after the other in place, each as soon as some webhooks were taken in on the one before.
fn swap(project: &Project, host: &Host<'_>, swaps: u64, sent: &AtomicU64) -> BTreeMap<String, Swapped> {
    let mut next = host.get("plugin-changes")["next"].clone();
    let mut swapped = BTreeMap::new();
    for number in 1..=swaps {
        let version = marked(&mark(number));
        let wanted = digest(&version);
        project.put("steps", &version);
        let mut seen = Swapped { mark: mark(number), found: 0, compiled_ms: 0, first_run: u64::MAX };
        until("the version serves", || {
            let changes = host.get(&format!("plugin-changes?after={next}"));
            assert_eq!(changes["missed"], false);
            next = changes["next"].clone();
            let of_it = changes["items"].as_array().unwrap().iter().filter(|change| change["digest"] == wanted);
            let mut active = None;
            for change in of_it {
                match change["what"].as_str().unwrap() {
                    "found" => seen.found = millis(&change["at"]),
                    "compiled" => seen.compiled_ms = change["took_ms"].as_u64().unwrap(),
                    "active" => active = Some(()),
                    other => panic!("{other}: {change:#}"),
                }
            }
            active
        });
        let from = sent.load(Ordering::Relaxed);
        until("webhooks come", || (sent.load(Ordering::Relaxed) >= from + ON_EACH).then_some(()));
        swapped.insert(wanted, seen);
        if number % 50 == 0 {
            eprintln!("{number} swaps");
        }
    }
    swapped
}

#[test]
fn swaps_under_load_fail_no_run_and_lose_none() {
    let (swaps, rate) = (number("HOOKBOX_SWAPS", SWAPS), number("HOOKBOX_SWAP_RATE", RATE));
    let project = Project::with(&[]);
    let first = marked(&mark(0));
    project.put("steps", &first);
    let host = project.serve();
    let (sent, stop, pace) = (AtomicU64::new(0), AtomicBool::new(false), Pace { began: now(), rate });
    let (swapped, events, accepted) = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (host, sent, stop) = (&host, &sent, &stop);
                scope.spawn(move || send(host, sender, pace, sent, stop))
            })
            .collect();
        let swapped = {
            // Senders end whatever happens.
            let _stop = StopAtEnd(&stop);
            swap(&project, &host, swaps, &sent)
        };
        let accepted = sent.load(Ordering::Relaxed) * 1000 / (now() - pace.began).max(1);
        let events: Vec<String> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
        (swapped, events, accepted)
    });
    host.idle();
    let mut swapped = swapped;
    swapped.insert(digest(&first), Swapped { mark: mark(0), found: 0, compiled_ms: 0, first_run: u64::MAX });
    examine(&host, &events, &mut swapped);

    let after = |one: &Swapped| one.first_run.saturating_sub(one.found + one.compiled_ms);
    let mut waits: Vec<u64> = swapped.values().filter(|one| one.found > 0).map(after).collect();
    waits.sort_unstable();
    let quantile = |percent: usize| waits[(waits.len() * percent).div_ceil(100).saturating_sub(1)];
    let (p50, p99) = (quantile(50), quantile(99));
    eprintln!(
        "{swaps} swaps, {} webhooks at {}/s: 0 failed, 0 lost; from file settled to first run, compile left out: \
         p50 {p50} ms, p99 {p99} ms, worst {} ms",
        events.len(),
        accepted,
        quantile(100),
    );
    if environment("HOOKBOX_SWAP_RATE").is_some() {
        assert!(accepted * 100 >= rate * RATE_PERCENT_MIN, "{accepted} of {rate} webhooks a second were accepted");
    }
    let p99_max = number("HOOKBOX_SWAP_P99_MS", u64::MAX);
    assert!(p99 <= p99_max, "p99 is {p99} ms: {waits:?}");
}

/// Every run is there once, went well at once, and ran on the version that it is recorded with.
fn examine(host: &Host<'_>, events: &[String], swapped: &mut BTreeMap<String, Swapped>) {
    let runs = host.all("runs?handler=version");
    let of_events: HashSet<&str> = runs.iter().filter_map(|run| run["event"].as_str()).collect();
    assert_eq!((runs.len(), of_events.len()), (events.len(), events.len()), "no run is lost or doubled");
    assert!(events.iter().all(|event| of_events.contains(event.as_str())), "each event has its run");
    let first_runs = Mutex::new(BTreeMap::<String, u64>::new());
    thread::scope(|scope| {
        for part in runs.chunks(runs.len().div_ceil(READERS).max(1)) {
            let (swapped, first_runs) = (&*swapped, &first_runs);
            scope.spawn(move || {
                for run in part {
                    let run = host.get(&format!("runs/{}", run["id"].as_str().unwrap()));
                    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(1)), "{run:#}");
                    let attempt = &run["attempts"][0];
                    let version = attempt["version"].as_str().unwrap();
                    assert_eq!(run["result"]["data"], swapped[version].mark, "{run:#}");
                    let started = millis(&attempt["started"]);
                    let mut first_runs = first_runs.lock().unwrap();
                    let first = first_runs.entry(version.to_owned()).or_insert(started);
                    *first = started.min(*first);
                }
            });
        }
    });
    for (version, first) in first_runs.into_inner().unwrap() {
        swapped.get_mut(&version).unwrap().first_run = first;
    }
    let unused: Vec<&str> =
        swapped.values().filter(|one| one.first_run == u64::MAX).map(|one| one.mark.as_str()).collect();
    assert!(unused.is_empty(), "versions without a run: {unused:?}");
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
