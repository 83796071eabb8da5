//! Schedules of every rule, and backfills, while hosts are killed: each slot has one verdict, and a run where that says
//! so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::Host;
use crate::schedules::{PERIOD, count, millis};

/// Each fires every second, on the full one.
const NAMES: [&str; 5] = ["buffers-one", "buffers-some", "runs-beside", "takes-over", "skips"];
/// The one whose slots are backfilled.
const BACKFILLED: &str = "runs-beside";
/// More than one commit of a backfill takes.
const BACKFILL_SLOTS: u64 = 120;
/// The runs of the schedules share a handler with those of the backfills.
const BACKFILL_PAUSE: Duration = Duration::from_secs(2);

fn rules(name: &str) -> Value {
    let (overlap, missed, ms) = match name {
        "buffers-one" => ("buffer-one", "all:3", 700),
        "buffers-some" => ("buffer-all:4", "all:1000", 300),
        "runs-beside" => ("allow", "all:1000", 0),
        "takes-over" => ("cancel-running", "all:5", 800),
        _ => ("skip", "none", 100),
    };
    json!({
        "plugin": "steps", "handler": "work", "payload": { "ms": ms }, "every": "1s", "phase": "0s",
        "overlap": overlap, "missed": missed, "attempts": 100, "backoff": "10ms",
    })
}

pub(super) struct Made {
    /// When each schedule was made: its slots come after that.
    begun: BTreeMap<&'static str, u64>,
    /// Backfills that were asked for.
    asked: AtomicU64,
}

/// What came of the backfills.
#[derive(Default)]
pub(super) struct Backfilled {
    /// Slots that were asked for and promised.
    slots: BTreeSet<u64>,
    /// Backfills that a kill cut off after their first commit.
    cut: u64,
}

impl Made {
    pub(super) fn on(host: &Host<'_>) -> Made {
        let begun = NAMES.map(|name| (name, millis(&ask(host, "PUT", name, &rules(name)).unwrap()["decided"])));
        Made { begun: begun.into(), asked: AtomicU64::new(0) }
    }

    /// Backfills one range after the other, each until it is answered.
    pub(super) fn backfill(&self, host: &RwLock<Option<Host<'_>>>, stop: &AtomicBool) -> Backfilled {
        let (mut backfilled, mut to) = (Backfilled::default(), self.begun[BACKFILLED] / PERIOD * PERIOD);
        while !stop.load(Ordering::Relaxed) {
            let from = to - BACKFILL_SLOTS * PERIOD;
            let range = json!({ "from": shown(from), "to": shown(to) });
            let answer = match &*host.read().unwrap() {
                Some(host) => {
                    self.asked.fetch_add(1, Ordering::Relaxed);
                    ask(host, "POST", &format!("{BACKFILLED}/backfill"), &range)
                }
                None => None,
            };
            let Some(answer) = answer else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            assert_eq!(answer["slots"], BACKFILL_SLOTS, "{answer:#}");
            backfilled.cut += u64::from(answer["left_out"] != 0);
            backfilled.slots.extend((from..to).step_by(PERIOD as usize));
            to = from;
            thread::sleep(BACKFILL_PAUSE);
        }
        backfilled
    }

    /// Waits until the next backfill is asked for, or was not when it should have been.
    pub(super) fn await_backfill(&self) {
        let (before, step) = (self.asked.load(Ordering::Relaxed), Duration::from_millis(1));
        for _ in 0..2 * BACKFILL_PAUSE.as_millis() {
            if self.asked.load(Ordering::Relaxed) > before {
                return;
            }
            thread::sleep(step);
        }
    }

    /// Nothing more comes of them.
    pub(super) fn pause(&self, host: &Host<'_>) {
        for name in NAMES {
            ask(host, "POST", &format!("{name}/pause"), &json!({})).unwrap();
        }
    }

    /// To be called once they are paused and every run has ended.
    pub(super) fn examine(&self, host: &Host<'_>, backfilled: &Backfilled) {
        for (name, begun) in &self.begun {
            let row = host.get(&format!("schedules/{name}"));
            let passed = (begun / PERIOD + 1)..=(millis(&row["decided"]) / PERIOD);
            let verdicts = ["fired", "missed", "overlap_skipped", "buffered", "dropped", "paused"];
            let [fired, missed, skipped, buffered, dropped, paused] = verdicts.map(|verdict| count(&row, verdict));
            let all = fired + missed + skipped + buffered + dropped + paused;
            assert_eq!(all, passed.clone().count() as u64, "each slot of {name} has one verdict: {row:#}");

            let runs = host.all(&format!("runs?schedule={name}"));
            let (extra, own): (Vec<&Value>, Vec<&Value>) = runs.iter().partition(|run| key(run).ends_with("/backfill"));
            let slots = distinct_slots(name, &own);
            assert_eq!(slots.len() as u64, fired + buffered, "{name}: each slot that fired has its run");
            assert!(
                slots.iter().all(|slot| slot % PERIOD == 0 && passed.contains(&(slot / PERIOD))),
                "{name}: {slots:?}"
            );
            let of_backfills = distinct_slots(name, &extra);
            assert!(of_backfills.is_superset(&backfilled.slots) || *name != BACKFILLED, "a backfill has lost slots");
            judge(name, host, (&own, &slots), [missed, skipped, dropped]);
            eprintln!(
                "{name}: {fired} fired, {missed} missed, {skipped} skipped, {buffered} buffered, {dropped} dropped; {} backfilled",
                extra.len()
            );
        }
        eprintln!(
            "{} slots backfilled for sure, {} backfills cut off by a kill",
            backfilled.slots.len(),
            backfilled.cut
        );
    }
}

/// What must hold by the rules of each schedule.
fn judge(name: &str, host: &Host<'_>, (runs, slots): (&[&Value], &BTreeSet<u64>), passed_over: [u64; 3]) {
    let [missed, skipped, dropped] = passed_over;
    let ended_well = |run: &&Value| run["state"] == "succeeded";
    let last = format!("{name}@{}", shown(slots.last().copied().unwrap_or_default()));
    match name {
        "runs-beside" => assert_eq!([missed, skipped, dropped], [0; 3], "no slot was passed over"),
        "buffers-some" => assert_eq!([missed, skipped], [0; 2], "a slot was made up for or had no room to wait"),
        "buffers-one" => assert_eq!(skipped, 0, "a slot was passed over beside a run"),
        "takes-over" => {
            assert_eq!([skipped, dropped], [0; 2], "a slot takes over from the run before");
            let taken_over = |run: &Value| run["state"] == "cancelled" && run["cause"] == "overlap" && key(run) != last;
            let odd: Vec<_> = runs.iter().filter(|run| !ended_well(run) && !taken_over(run)).collect();
            assert!(odd.is_empty(), "{odd:#?}");
            return;
        }
        _ => assert_eq!(dropped, 0, "none waits"),
    }
    let odd: Vec<_> = runs.iter().filter(|run| !ended_well(run)).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    if name.starts_with("buffers") {
        assert_in_order(name, host, runs);
    }
}

/// Each run begins when the one before has ended.
fn assert_in_order(name: &str, host: &Host<'_>, runs: &[&Value]) {
    let mut spans: Vec<(&str, u64, u64)> = runs
        .iter()
        .map(|run| {
            let told = host.get(&format!("runs/{}", run["id"].as_str().unwrap()));
            let attempts = told["attempts"].as_array().unwrap();
            (key(run), millis(&attempts[0]["started"]), millis(&attempts[attempts.len() - 1]["finished"]))
        })
        .collect();
    // Keys end with the slot.
    spans.sort_unstable();
    let overlap = spans.windows(2).find(|pair| pair[0].2 > pair[1].1);
    assert_eq!(overlap, None, "{name} keeps to its order");
}

fn distinct_slots(name: &str, runs: &[&Value]) -> BTreeSet<u64> {
    let slot = |run: &&Value| {
        let slot = key(run).trim_start_matches(name).trim_start_matches('@').trim_end_matches("/backfill");
        millis(&json!(slot))
    };
    let slots: BTreeSet<u64> = runs.iter().map(slot).collect();
    assert_eq!(slots.len(), runs.len(), "no slot of {name} ran twice");
    slots
}

fn key(run: &Value) -> &str {
    run["idempotency_key"].as_str().unwrap()
}

fn shown(at: u64) -> String {
    hookbox_core::time::Timestamp(at).to_string()
}

/// Nothing where nobody answers, or the host cannot do it at this moment.
fn ask(host: &Host<'_>, method: &str, path: &str, body: &Value) -> Option<Value> {
    let uri = host.api(&format!("schedules/{path}"));
    let request = Request::builder().method(method).uri(uri).header("Content-Type", "application/json");
    let answer = host.try_request(request.body(body.to_string().into_bytes()).unwrap()).ok()?;
    assert!([200, 201, 503].contains(&answer.status), "{answer:?}");
    (answer.status != 503).then_some(answer.body)
}
