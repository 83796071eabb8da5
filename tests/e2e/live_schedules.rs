//! Schedules that are made, changed and paused while they fire.

use std::collections::BTreeSet;

use hookbox_core::schedule::Pause;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use hookbox_store::types::ScheduleChange;
use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::{Answer, Host, Project, now, until};

const PERIOD: u64 = 1000;

fn send(host: &Host<'_>, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder().method(method).uri(host.api(path)).header("Content-Type", "application/json");
    host.request(request.body(body.to_string().into_bytes()).unwrap())
}

/// A schedule of each full second for the handler that does what its payload says.
fn each_second(more: Value) -> Value {
    let mut asked = json!({ "plugin": "steps", "handler": "work", "every": "1s", "phase": "0s", "payload": {} });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

#[track_caller]
fn put(host: &Host<'_>, name: &str, asked: &Value) -> Value {
    let answer = send(host, "PUT", &format!("schedules/{name}"), asked);
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    answer.body
}

fn count(row: &Value, what: &str) -> u64 {
    row["counts"][what].as_u64().unwrap()
}

/// The schedule, once `seen` says so.
fn until_seen(host: &Host<'_>, name: &str, what: &str, seen: impl Fn(&Value) -> bool) -> Value {
    until(&format!("{name}: {what}"), || Some(host.get(&format!("schedules/{name}"))).filter(|row| seen(row)))
}

/// Its runs in the end, oldest first.
fn runs(host: &Host<'_>, name: &str) -> Vec<Value> {
    let runs = host.all(&format!("runs?schedule={name}"));
    runs.iter().rev().map(|run| host.ended_run(run["id"].as_str().unwrap())).collect()
}

fn at(shown: &Value) -> u64 {
    shown.as_str().unwrap().parse::<Timestamp>().unwrap().0
}

fn slot(run: &Value) -> u64 {
    at(&run["job_detail"]["scheduled_at"])
}

#[test]
fn a_schedule_is_edited_while_it_fires() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let made = send(&host, "PUT", "schedules/till", &each_second(json!({ "payload": { "ms": 1 } })));
    assert_eq!((made.status, made.str("origin")), (201, "operator"), "{made:?}");
    until_seen(&host, "till", "it fires", |row| count(row, "fired") >= 2);
    let changed = put(&host, "till", &each_second(json!({ "payload": { "ms": 2 } })));
    let before = count(&changed, "fired");
    until_seen(&host, "till", "it goes on", |row| count(row, "fired") >= before + 2);

    let paused = send(&host, "POST", "schedules/till/pause", &json!({ "note": "the till is moved" }));
    assert_eq!((paused.status, &paused.body["paused"]["note"]), (200, &json!("the till is moved")));
    let decided = at(&paused.body["decided"]);
    until("slots have passed while it was paused", || (now() > decided + 3 * PERIOD).then_some(()));
    let rests = host.get("schedules/till");
    assert_eq!((&rests["counts"], &rests["decided"]), (&paused.body["counts"], &paused.body["decided"]));

    // A restart keeps the pause and the counters.
    host.stop();
    let host = project.serve();
    let kept = host.get("schedules/till");
    assert_eq!((&kept["paused"], &kept["counts"]), (&rests["paused"], &rests["counts"]));
    assert_eq!(host.write("schedules/till/resume").status, 200);
    let fired = count(&kept, "fired");
    let went_on = until_seen(&host, "till", "it goes on", |row| count(row, "fired") >= fired + 2);
    assert!(count(&went_on, "paused") >= 2, "{went_on:#}");

    assert_eq!(send(&host, "DELETE", "schedules/till", &json!({})).status, 200);
    assert_eq!(host.ask("schedules/till").status, 404);
    let runs = runs(&host, "till");
    let slots: Vec<u64> = runs.iter().map(slot).collect();
    assert!(slots.iter().collect::<BTreeSet<_>>().len() == slots.len() && slots.is_sorted(), "{slots:?}");
    let payloads: Vec<u64> = runs.iter().map(|run| run["result"]["data"]["ms"].as_u64().unwrap()).collect();
    assert!(payloads.is_sorted() && payloads[0] == 1 && payloads.last() == Some(&2), "{payloads:?}");
}

#[test]
fn slots_wait_for_a_slow_run_up_to_a_number() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    put(&host, "slow", &each_second(json!({ "overlap": "buffer-all:2", "payload": { "ms": 2500 } })));
    let full = until_seen(&host, "slow", "it is full", |row| count(row, "dropped") >= 1);
    assert!(count(&full, "buffered") >= 2 && count(&full, "fired") >= 1, "{full:#}");
    assert_eq!(host.write("schedules/slow/pause").status, 200);
    let runs = runs(&host, "slow");
    let attempts: Vec<(u64, u64)> = runs
        .iter()
        .flat_map(|run| run["attempts"].as_array().unwrap())
        .map(|attempt| (at(&attempt["started"]), at(&attempt["finished"])))
        .collect();
    assert!(attempts.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one at a time, in order: {attempts:?}");
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:#?}");
    let row = host.get("schedules/slow");
    assert_eq!(count(&row, "fired") + count(&row, "buffered"), runs.len() as u64);
    assert_eq!(row["open"], json!([]));
}

#[test]
fn a_slot_takes_the_place_of_a_run_that_is_not_done() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    put(&host, "newest", &each_second(json!({ "overlap": "cancel-running", "payload": { "ms": 120_000 } })));
    until_seen(&host, "newest", "some have fired", |row| count(row, "fired") >= 3);
    send(&host, "POST", "schedules/newest/pause", &json!({}));
    let runs = host.all("runs?schedule=newest");
    let (newest, older) = runs.split_first().unwrap();
    for run in older {
        let run = host.ended_run(run["id"].as_str().unwrap());
        assert_eq!((&run["state"], &run["cause"]), (&json!("cancelled"), &json!("overlap")), "{run:#}");
    }
    assert_eq!(host.get("schedules/newest")["open"], json!([newest["id"]]));
    assert_eq!(host.write(&format!("runs/{}/cancel", newest["id"].as_str().unwrap())).status, 200);
    assert_eq!(host.get("schedules/newest")["open"], json!([]));
}

#[test]
fn a_schedule_is_paused_after_so_many_failures() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    put(
        &host,
        "shaky",
        &each_second(json!({ "pause_after": 2, "overlap": "buffer-all", "payload": { "fails": true } })),
    );
    let paused = until_seen(&host, "shaky", "it is paused", |row| !row["paused"].is_null());
    assert_eq!((&paused["paused"]["failures"], &paused["due"]), (&json!(2), &Value::Null));
    assert!(host.cli(&["schedules", "show", "shaky"]).text().contains("after 2 runs in a row that failed for good"));
    put(&host, "shaky", &each_second(json!({ "pause_after": 2 })));
    assert_eq!(host.write("schedules/shaky/resume").body["failures"], 0);
    let fired = count(&paused, "fired");
    until_seen(&host, "shaky", "it goes on", |row| count(row, "fired") >= fired + 2);
}

#[test]
fn a_schedule_ends_with_its_count() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    put(&host, "thrice", &each_second(json!({ "count": 3, "overlap": "allow" })));
    let ended = until_seen(&host, "thrice", "it has ended", |row| row["next"].is_null());
    assert_eq!((count(&ended, "fired"), &ended["left"], &ended["upcoming"]), (3, &json!(0), &json!([])));
    assert!(host.cli(&["schedules", "show", "thrice"]).text().contains("ended: no slot will come"));
    assert_eq!(runs(&host, "thrice").len(), 3);
}

#[test]
fn the_latest_missed_slots_are_made_up_for_after_a_stop() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    put(&host, "patient", &each_second(json!({ "missed": "all:3", "overlap": "allow" })));
    until_seen(&host, "patient", "it fires", |row| count(row, "fired") >= 1);
    let next = at(&host.get("schedules/patient")["next"]);
    host.kill();
    until("slots have passed while nobody was there", || (now() > next + 5 * PERIOD).then_some(()));
    let host = project.serve();
    let row = until_seen(&host, "patient", "what was missed has its verdict", |row| count(row, "missed") >= 1);
    let recent: Vec<&Value> = row["recent"].as_array().unwrap().iter().rev().collect();
    let missed = recent.iter().position(|record| record["verdict"] == "missed").unwrap();
    let made_up = &recent[missed + 1..missed + 4];
    for (record, late) in made_up.iter().zip([2, 1, 0]) {
        assert_eq!(record["verdict"], "fired", "{row:#}");
        assert_eq!(record["decided_at"], recent[missed]["decided_at"]);
        assert!(record["late_ms"].as_u64().unwrap() >= late * PERIOD, "{row:#}");
    }
    send(&host, "POST", "schedules/patient/pause", &json!({}));
    let slots: Vec<u64> = runs(&host, "patient").iter().map(slot).collect();
    let left_out: u64 = slots.windows(2).map(|pair| (pair[1] - pair[0]) / PERIOD - 1).sum();
    assert_eq!(left_out, count(&host.get("schedules/patient"), "missed"), "each slot has one verdict: {slots:?}");
}

#[test]
fn a_past_range_is_run_once_and_counts_for_nothing() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let yearly = json!({ "plugin": "steps", "handler": "work", "cron": "0 0 1 1 *", "payload": {} });
    put(&host, "yearly", &yearly);
    let before = host.get("schedules/yearly");
    let range = ["--from", "2020-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    let backfill = |more: &[&str]| host.cli(&[&["schedules", "backfill", "yearly"], &range[..], more].concat());
    assert!(backfill(&["--dry-run"]).text().contains("6 slots would be run, from 2020-01-01T00:00:00.000Z"));
    assert!(backfill(&[]).text().contains("6 runs are made for 6 slots"));
    assert!(backfill(&[]).text().contains("6 are left out"));
    let runs = runs(&host, "yearly");
    let years: Vec<&str> = runs.iter().map(|run| &run["job_detail"]["scheduled_at"].as_str().unwrap()[..4]).collect();
    assert_eq!(years, ["2020", "2021", "2022", "2023", "2024", "2025"]);
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:#?}");
    assert_eq!(host.get("schedules/yearly"), before);
    assert!(backfill(&["--json"]).json()["made"] == 0);
}

#[test]
fn hooks_yaml_comes_before_an_operator_and_an_operator_before_a_plugin() {
    let project = Project::with(&["steps", "ticker"]);
    let host = project.serve();
    let name = "schedules/ticker.new-year";
    assert_eq!(host.get(name)["origin"], "plugin");
    let own = put(&host, "ticker.new-year", &each_second(json!({})));
    assert_eq!((&own["origin"], &own["shadows"]), (&json!("operator"), &json!(["plugin"])));
    let fired = until_seen(&host, "ticker.new-year", "the operator's fires", |row| count(row, "fired") >= 1);
    assert_eq!(fired["plugin"], "steps");

    let yaml = |more: &str| {
        format!("schedules: {{ ticker.new-year: {{ plugin: ticker, handler: new-year, cron: '0 0 2 1 *'{more} }} }}\n")
    };
    project.write("hooks.yaml", yaml(""));
    let row = until_seen(&host, "ticker.new-year", "hooks.yaml's counts", |row| row["origin"] == "config");
    assert_eq!((&row["shadows"], &row["plugin"]), (&json!(["operator", "plugin"]), &json!("ticker")));
    let refused = send(&host, "PUT", name, &each_second(json!({})));
    assert_eq!(refused.status, 409, "{refused:?}");
    let checked = project.run(&["check"]);
    assert!(checked.text().contains("schedules.ticker.new-year: stands in the place of"), "{checked:?}");

    project.write("hooks.yaml", yaml(", overlap: allow, jitter: 1m"));
    until_seen(&host, "ticker.new-year", "the change is taken over", |row| row["rules"]["overlap"] == "allow");
    project.write("hooks.yaml", "# nothing\n");
    until_seen(&host, "ticker.new-year", "the operator's counts again", |row| row["origin"] == "operator");
    let removed = send(&host, "DELETE", name, &json!({}));
    assert_eq!(removed.body["origin"], "plugin", "{removed:?}");
    assert_eq!(host.get(name)["when"]["expression"], "0 0 1 1 *");
}

#[test]
fn a_schedule_that_hardly_ever_fires_is_not_made() {
    let project = Project::with(&["steps"]);
    let leap = |rule: &str| format!("schedules: {{ leap: {{ plugin: steps, handler: work, {rule} }} }}\n");
    let rare = leap("cron: '0 0 29 2 sun', day_rule: and, start: 2100-01-01T00:00:00Z");
    project.write("hooks.yaml", &rare);
    let checked = project.run(&["check"]);
    assert!(checked.code == Some(2) && checked.out.contains("schedules.leap: "), "{checked:?}");
    let host = project.serve();
    assert_eq!(host.ask("schedules/leap").status, 404);
    assert!(project.log_lines("schedule leap of hooks.yaml is not made: ") > 0, "{}", project.log());
    // What was made before goes on where its change is refused.
    project.write("hooks.yaml", leap("cron: '0 9 * * *'"));
    until("it is made", || (host.ask("schedules/leap").status == 200).then_some(()));
    project.write("hooks.yaml", &rare);
    until("the change is refused", || {
        (project.log_lines("schedule leap of hooks.yaml stays as it was: ") > 0).then_some(())
    });
    assert_eq!(host.get("schedules/leap")["when"]["expression"], "0 9 * * *");
}

/// As a host leaves them whose clock was a day ahead.
#[tokio::main(flavor = "current_thread")]
async fn leave_ahead(project: &Project, names: &[&str]) {
    let store = SledStore::open(&project.path("data")).unwrap();
    let ahead = Timestamp(now()).plus(Millis::DAY);
    for name in names {
        store.change_schedule(&name.parse().unwrap(), ScheduleChange::Reset, ahead).await.unwrap();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn leave_failing(project: &Project, name: &str) {
    let store = SledStore::open(&project.path("data")).unwrap();
    let pause = Pause { failures: Some(3), ..Pause::new(Timestamp(now()), None) };
    store.change_schedule(&name.parse().unwrap(), ScheduleChange::Pause(pause), Timestamp(now())).await.unwrap();
}

#[test]
fn every_schedule_that_is_ahead_of_the_clock_begins_anew_by_one_command() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let hourly = json!({ "plugin": "steps", "handler": "work", "every": "1h", "payload": {} });
    let names = ["ahead", "failing", "paused", "well"];
    for name in names {
        put(&host, name, &hourly);
    }
    assert_eq!(host.write("schedules/paused/pause").status, 200);
    let nothing = host.cli(&["schedules", "reset", "--all", "--yes"]);
    assert!(nothing.text().contains("no schedule is ahead of the clock"), "{nothing:?}");
    host.stop();
    leave_ahead(&project, &names[..3]);
    leave_failing(&project, "failing");
    let host = project.serve();
    until("the clock is told", || {
        (project.log_lines("the clock is behind the last slot of 3 schedules") == 1).then_some(())
    });
    let behind = |host: &Host<'_>| names.map(|name| host.get(&format!("schedules/{name}"))["clock_behind"] == true);
    assert_eq!(behind(&host), [true, true, true, false]);
    assert_eq!(host.get("schedules/failing")["attention"]["reason"], "failing");
    let well = host.get("schedules/well");

    let asked = host.cli(&["schedules", "reset", "--all"]);
    assert!(asked.code == Some(2) && asked.err.contains("--yes"), "{asked:?}");
    assert_eq!(behind(&host), [true, true, true, false]);
    let done = host.cli(&["schedules", "reset", "--all", "--yes"]);
    assert!(done.text().contains("3 schedules begin anew: ahead, failing, paused"), "{done:?}");
    assert_eq!(behind(&host), [false; 4]);
    assert_eq!(host.get("schedules/well"), well, "it keeps its mark");
    let kept = ["failing", "paused"].map(|name| host.get(&format!("schedules/{name}"))["paused"].is_object());
    assert_eq!(kept, [true, true], "a pause stays");
    let again = host.cli(&["schedules", "reset", "--all", "--yes", "--json"]).json();
    assert_eq!(again, json!({ "reset": [], "failed": [] }));
}

#[test]
fn an_operator_does_all_of_it_by_command() {
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let put = ["schedules", "put", "nightly", "--plugin", "steps", "--handler", "work", "--cron", "0 9 13 * fri"];
    let put = |more: &[&str]| host.cli(&[&put[..], more].concat());
    let zoned = ["--tz", "Europe/London", "--day-rule", "and", "--jitter", "1h", "--payload", "{\"ms\": 1}"];
    let tried = put(&[&zoned[..], &["--dry-run"]].concat());
    assert!(tried.text().contains("only if that is a Friday (Europe/London)"), "{tried:?}");
    assert!(tried.out.contains("DECIDED AT") && tried.out.lines().count() == 12, "{tried:?}");
    assert_eq!(host.ask("schedules/nightly").status, 404);
    assert!(put(&zoned).text().contains("nightly fires at 09:00"));
    let refused = put(&["--overlap", "queue", "--missed", "some"]);
    assert!(
        refused.code == Some(2) && refused.err.contains("overlap: must be skip") && refused.err.contains("missed: ")
    );
    let refused = put(&["--every", "5m", "--dry-run"]);
    assert!(
        refused.code == Some(2) && refused.err.contains("must say when in one way, has cron and every"),
        "{refused:?}"
    );
    let refused = put(&["--every", "5m", "--dry-run", "--json"]);
    let told: Value = serde_json::from_str(&refused.out).unwrap_or_else(|error| panic!("{error}: {refused:?}"));
    assert!(refused.code == Some(2) && told["mistakes"][0]["message"].is_string(), "{refused:?}");

    assert!(host.cli(&["schedules", "list"]).text().contains("nightly"));
    let paused = host.cli(&["schedules", "pause", "nightly", "--note", "summer"]);
    assert!(paused.text().contains("nightly is paused since"));
    let shown = host.cli(&["schedules", "show", "nightly"]);
    for part in [
        "declared by  an operator",
        ": summer",
        "jitter 1h, which puts it off by",
        "payload      {\"ms\":1}",
        "0 overlap-skipped",
        "Next slots",
        "None has its verdict yet.",
    ] {
        assert!(shown.text().contains(part), "{part}: {}", shown.out);
    }
    assert!(host.cli(&["schedules", "resume", "nightly"]).text().contains("its next slot is"));
    let asked = host.cli(&["schedules", "reset", "nightly"]);
    assert!(asked.code == Some(2) && asked.err.contains("--yes"), "{asked:?}");
    assert!(host.cli(&["schedules", "reset", "nightly", "--yes"]).text().contains("begins anew"));
    let made = host.cli(&["schedules", "run", "nightly", "--json"]).json();
    assert_eq!(host.ended_run(made["run"].as_str().unwrap())["state"], "succeeded");
    assert!(host.cli(&["schedules", "remove", "nightly"]).text().contains("nightly is removed"));
    for arguments in [["schedules", "remove", "nightly"], ["schedules", "show", "nightly"]] {
        let said = host.cli(&arguments);
        assert!(said.code == Some(1) && said.err.contains("no schedule nightly"), "{said:?}");
    }
    assert_eq!(host.cli(&["schedules", "show", "../health"]).code, Some(2));
}
