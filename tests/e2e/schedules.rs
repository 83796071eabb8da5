//! Schedules on the real clock: no slot is lost or repeated, whatever happens to the host.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Host, Project, now, until};

pub(crate) const TICK: &str = "schedules/ticker.tick";
pub(crate) const PERIOD: u64 = 1000;

/// Of a text such as 2026-11-20T09:00:00Z.
pub(crate) fn millis(shown: &Value) -> u64 {
    hookbox_core::time::Timestamp::from_utc(shown.as_str().unwrap().parse().unwrap()).0
}

pub(crate) fn count(tick: &Value, what: &str) -> u64 {
    tick["counts"][what].as_u64().unwrap()
}

/// Verdicts so far.
fn decided(tick: &Value) -> u64 {
    ["fired", "missed", "overlap_skipped"].iter().map(|what| count(tick, what)).sum()
}

/// The very first slot: what is next, less one period for each slot that has its verdict.
pub(crate) fn first_slot(tick: &Value) -> u64 {
    millis(&tick["next"]) - decided(tick) * PERIOD
}

fn fired(host: &Host<'_>, at_least: u64) -> Value {
    until(&format!("{at_least} slots have fired"), || {
        let tick = host.get(TICK);
        (count(&tick, "fired") >= at_least).then_some(tick)
    })
}

/// The slots that runs worked on, oldest first.
fn slots(host: &Host<'_>) -> Vec<u64> {
    let runs = host.all("runs?schedule=ticker.tick");
    let mut slots: Vec<u64> = runs
        .iter()
        .map(|run| {
            let run = host.ended_run(run["id"].as_str().unwrap());
            assert_eq!(run["state"], "succeeded", "{run:#}");
            assert_eq!(run["result"]["data"]["schedule"], "ticker.tick");
            let slot = millis(&run["job_detail"]["scheduled_at"]);
            assert_eq!(run["result"]["data"]["slot_ms"], slot, "the handler is told the slot");
            slot
        })
        .collect();
    slots.sort_unstable();
    slots
}

#[test]
fn each_slot_has_one_verdict_and_one_run_across_restarts() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let first = first_slot(&fired(&host, 2));
    let next = millis(&host.get(TICK)["next"]);
    host.kill();
    until("slots have passed while nobody was there", || (now() > next + 2 * PERIOD).then_some(()));

    let host = project.serve();
    let before = until("the slots that have passed have their verdict", || {
        let tick = host.get(TICK);
        (count(&tick, "missed") >= 1).then_some(tick)
    });
    assert_eq!(first_slot(&before), first, "each slot has exactly one verdict:\n{before:#}");
    fired(&host, count(&before, "fired") + 2);
    host.stop();

    let host = project.serve();
    fired(&host, count(&before, "fired") + 4);
    project.take_away("ticker");
    until("the schedule rests", || (host.get("plugins/ticker")["state"] == "missing").then_some(()));
    host.stop();

    project.put("ticker", &hookbox_tests::sample("ticker"));
    let host = project.serve();
    let told = count(&host.get(TICK), "fired");
    let slots = slots(&host);
    let after = host.get(TICK);
    assert!(told <= slots.len() as u64, "each slot that fired has its run: {told} fired, {slots:?}");
    assert_eq!(first_slot(&after), first, "each slot has exactly one verdict:\n{after:#}");
    let distinct: BTreeSet<u64> = slots.iter().copied().collect();
    assert_eq!(distinct.len(), slots.len(), "no slot ran twice: {slots:?}");
    assert!(slots.iter().all(|slot| (slot - first).is_multiple_of(PERIOD)), "the phase is kept: {slots:?}");
    let in_range = |slot: &&u64| **slot < millis(&after["next"]);
    assert!(count(&after, "fired") >= slots.iter().filter(in_range).count() as u64, "{after:#}");
}

#[test]
fn a_run_that_an_operator_starts_is_beside_the_slots() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let before = host.get("schedules/ticker.new-year");
    let started = host.write("schedules/ticker.new-year/run");
    assert_eq!(started.status, 201, "{started:?}");
    let run = host.ended_run(started.str("run"));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    assert_eq!(run["result"]["data"]["schedule"], "ticker.new-year");
    let after = host.get("schedules/ticker.new-year");
    assert_eq!((&after["counts"], &after["next"]), (&before["counts"], &before["next"]));
    assert_eq!(host.write("schedules/nothing.here/run").status, 404);
}

#[test]
fn a_schedule_shows_its_next_ten_and_its_last() {
    let project = Project::with(&["ticker"]);
    let host = project.serve();
    let year = host.get("schedules/ticker.new-year");
    assert_eq!(year["upcoming"].as_array().unwrap().len(), 10);
    assert!(
        year["upcoming"].as_array().unwrap().iter().all(|at| at["slot"].as_str().unwrap().contains("-01-01T00:00:00"))
    );
    assert_eq!((&year["when"]["text"], &year["origin"]), (&json!("0 0 1 1 * (UTC)"), &json!("plugin")));
    assert_eq!(year["recent"], json!([]));
    let rules = &year["rules"];
    assert_eq!((&rules["overlap"], &rules["missed"]), (&json!("buffer-all:5"), &json!("all:10")), "as the plugin says");
    assert_eq!((&rules["jitter_ms"], &rules["pause_after"]), (&json!(30_000), &json!(3)));
    let tick = fired(&host, 1);
    let recent = &tick["recent"][0];
    assert_eq!(recent["verdict"], "fired");
    assert_eq!(host.ended_run(recent["run"].as_str().unwrap())["state"], "succeeded");
    assert_eq!(host.get("schedules")["items"].as_array().unwrap().len(), 2);
}
