//! What an operator does with schedules: make, change, pause, reset, backfill and try them.

use axum::http::StatusCode;
use hookbox_core::id::{JobId, RunId};
use hookbox_core::name::ScheduleName;
use hookbox_core::queue::Room;
use hookbox_core::run::Work;
use hookbox_core::schedule::{Origin, Rules, Schedule, ScheduleRow, When, decide};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Cancellable, Fired, Firing};
use serde_json::{Value, json};

use crate::harness::{Answer, Host, Logs, NOW};
use crate::operator::{host, target};

const HOURLY: &str = "/api/v1/schedules/hourly";

fn hourly() -> Value {
    json!({ "plugin": "welcome", "handler": "repair", "every": "1h", "phase": "5m" })
}

fn with(more: Value) -> Value {
    let mut asked = hourly();
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

async fn row(host: &Host, name: &str) -> ScheduleRow {
    host.store.schedule(&ScheduleName::parse(name).unwrap()).await.unwrap()
}

/// Decides the slots of a schedule that have come.
pub(crate) async fn tick(host: &Host, name: &str, now: Timestamp) -> Fired {
    let row = row(host, name).await;
    let decision = decide(&row.slots().unwrap(), &row.schedule.rules, row.progress(), now).unwrap();
    let job = |slot: &Timestamp| {
        let (ids, key) = ((host.mint.job(now), host.mint.run(now)), row.schedule.slot_key(*slot));
        host.store.catalogue().new_firing(&row.schedule, *slot, ids, key, now)
    };
    let jobs = decision.fire.iter().map(job).collect();
    host.store
        .fire(Firing {
            schedule: row.schedule.name.clone(),
            basis: row.basis(),
            decision,
            jobs,
            room: Room(1_000_000),
            now,
        })
        .await
        .unwrap()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, cure: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert!(problem["detail"].as_str().unwrap().contains(cure), "{cure:?} is missing in {problem:#}");
}

#[tokio::test]
async fn a_schedule_is_made_changed_and_removed() {
    let (host, _) = host().await;
    let logs = Logs::capture();
    let made = host.write("PUT", HOURLY, hourly()).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, HOURLY), "{}", made.body);
    let view = made.json();
    assert_eq!((&view["origin"], &view["next"]), (&json!("operator"), &json!("2025-06-25T15:05:00.000Z")));
    assert_eq!(view["warnings"], json!([]));
    let before = row(&host, "hourly").await;
    assert_eq!((before.schedule.origin, before.schedule.target), (Origin::Operator, target("welcome", "repair")));

    let changed =
        host.write("PUT", HOURLY, with(json!({ "overlap": "allow", "payload": { "to": "\u{1F600}" } }))).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let view = changed.json();
    assert_eq!(
        (&view["rules"]["overlap"], &view["payload"]["data"]),
        (&json!("allow"), &json!("{\"to\":\"\u{1F600}\"}"))
    );
    assert_eq!(row(&host, "hourly").await.decided, before.decided, "the same rule keeps its mark");

    let removed = host.write("DELETE", HOURLY, json!({})).await;
    assert_eq!(removed.json(), json!({ "name": "hourly", "origin": null }));
    assert_eq!(host.get(HOURLY).await.status, StatusCode::NOT_FOUND);
    refused(&host.write("DELETE", HOURLY, json!({})).await, 404, "no schedule hourly");
    let lines = logs.take();
    let outcomes = ["put schedule", "put schedule", "remove schedule", "remove schedule"];
    assert_eq!(lines.len(), outcomes.len(), "{lines:?}");
    for (line, what) in lines.iter().zip(outcomes) {
        assert!(line.contains(what) && line.contains("which=hourly"), "{line}");
    }
}

#[tokio::test]
async fn a_schedule_is_refused_with_everything_that_is_wrong() {
    let (host, _) = host().await;
    let asked = json!({
        "plugin": "Welcome", "cron": "0 2 * * 9", "timezone": "Europe/Nowhere", "overlap": "queue", "missd": "all", "count": 0,
    });
    let answer = host.write("PUT", HOURLY, asked.clone()).await;
    refused(&answer, 422, "handler: is missing");
    let problem = answer.json();
    let paths: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    for path in ["plugin", "handler", "cron", "timezone", "overlap", "missd", "count"] {
        assert!(paths.contains(&path), "{path} is missing in {problem:#}");
    }
    let preview = host.write("POST", "/api/v1/schedules/preview", asked).await;
    assert_eq!((preview.status, &preview.json()["mistakes"]), (StatusCode::OK, &problem["errors"]));
    assert_eq!(preview.json()["good"], false);
    assert_eq!(host.get(HOURLY).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_schedule_that_would_not_fire_is_refused() {
    let (host, _) = host().await;
    let of = |when: Value| {
        let mut asked = with(when);
        asked.as_object_mut().unwrap().retain(|key, value| !(key == "every" || key == "phase") || value.is_null());
        asked
    };
    for (asked, path, cure) in [
        (of(json!({ "cron": "0 0 31 2 *" })), "cron", "can never fire"),
        (of(json!({ "cron": "0 0 29 2 1", "day_rule": "and" })), "cron", "does not fire within 10 years"),
        (of(json!({ "at": "2025-06-25T14:00:00Z" })), "at", "is past"),
        (with(json!({ "end": "2025-06-25T15:00:00Z" })), "every", "no slot lies between"),
        (with(json!({ "start": "2036-01-01T00:00:00Z" })), "every", "does not fire within 10 years"),
        (with(json!({ "handler": "on-user" })), "handler", "takes events"),
    ] {
        let answer = host.write("PUT", HOURLY, asked.clone()).await;
        refused(&answer, 422, cure);
        assert_eq!(answer.json()["errors"][0]["path"], path, "{asked}");
    }
    refused(&host.write("PUT", HOURLY, json!([])).await, 400, "map");
    assert!(host.store.schedule(&ScheduleName::parse("hourly").unwrap()).await.is_err());
}

#[tokio::test]
async fn a_schedule_at_its_end_may_be_changed_in_other_parts() {
    let (host, _) = host().await;
    let once =
        |more: &str| json!({ "plugin": "welcome", "handler": "repair", "at": "2025-06-25T15:00:00Z", "overlap": more });
    assert_eq!(host.write("PUT", HOURLY, once("skip")).await.status, StatusCode::CREATED);
    host.clock.advance(Millis::HOUR);
    assert_eq!(host.write("PUT", HOURLY, once("allow")).await.status, StatusCode::OK);
    assert_eq!(host.write("PUT", "/api/v1/schedules/other", once("allow")).await.status, 422);
}

#[tokio::test]
async fn what_may_not_be_meant_is_told() {
    let (host, _) = host().await;
    for (target, warning) in [
        (json!({ "plugin": "later" }), "no plugin later yet"),
        (json!({ "handler": "later" }), "plugin welcome has no handler later"),
    ] {
        let answer = host.write("PUT", HOURLY, with(target)).await;
        assert!(answer.json()["warnings"][0].as_str().unwrap().contains(warning), "{}", answer.body);
    }
    host.write("PUT", HOURLY, with(json!({ "count": 1 }))).await;
    tick(&host, "hourly", NOW.plus(Millis::HOUR)).await;
    let answer = host.write("PUT", HOURLY, with(json!({ "count": 1, "missed": "none" }))).await;
    assert!(answer.json()["warnings"][0].as_str().unwrap().contains("count is used up"), "{}", answer.body);
    assert_eq!((&answer.json()["left"], &answer.json()["next"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn hooks_yaml_comes_first_then_operators_then_plugins() {
    let (host, _) = host().await;
    refused(&host.write("PUT", "/api/v1/schedules/nightly", hourly()).await, 409, "is in hooks.yaml");
    refused(&host.write("DELETE", "/api/v1/schedules/nightly", json!({})).await, 409, "take it out there, or pause it");
    let preview = host.write("POST", "/api/v1/schedules/preview?name=nightly", hourly()).await.json();
    assert!(preview["mistakes"][0]["message"].as_str().unwrap().contains("hooks.yaml"), "{preview:#}");

    let of_plugin = Schedule {
        name: ScheduleName::parse("hourly").unwrap(),
        target: target("welcome", "digest"),
        when: When::cron("0 2 * * *", None).unwrap(),
        payload: None,
        origin: Origin::Plugin,
        rules: Rules::default(),
    };
    host.store.declare_schedules(vec![of_plugin], NOW).await.unwrap();
    let view = host.write("PUT", HOURLY, hourly()).await;
    assert_eq!(view.status, StatusCode::CREATED);
    let view = view.json();
    assert_eq!((&view["origin"], &view["shadows"]), (&json!("operator"), &json!(["plugin"])));
    assert!(view["warnings"][0].as_str().unwrap().contains("of a plugin does not count"), "{view:#}");
    let shadowed = &view["shadowed"][0];
    assert_eq!((&shadowed["origin"], &shadowed["handler"]), (&json!("plugin"), &json!("digest")));
    let rule = "operator has one of this name, too, and comes first: hooks.yaml, then operator, then plugin";
    assert_eq!(shadowed["why"], rule);
    let removed = host.write("DELETE", HOURLY, json!({})).await;
    assert_eq!(removed.json(), json!({ "name": "hourly", "origin": "plugin" }));
    refused(&host.write("DELETE", HOURLY, json!({})).await, 409, "is declared by plugin");
}

#[tokio::test]
async fn a_schedule_is_paused_with_a_note_and_goes_on() {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, hourly()).await;
    let paused = host.write("POST", &format!("{HOURLY}/pause"), json!({ "note": "while the till is moved" })).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.body);
    let expected = json!({ "since": NOW.to_string(), "note": "while the till is moved", "failures": null });
    assert_eq!((&paused.json()["paused"], &paused.json()["due"]), (&expected, &Value::Null));
    let again = host.write("POST", &format!("{HOURLY}/pause"), json!({ "note": "another" })).await;
    assert_eq!(again.json()["paused"], expected);
    host.clock.advance(Millis(2 * Millis::HOUR.0));
    let resumed = host.post(&format!("{HOURLY}/resume")).await;
    assert_eq!((resumed.status, &resumed.json()["paused"]), (StatusCode::OK, &Value::Null));
    tick(&host, "hourly", NOW.plus(Millis(2 * Millis::HOUR.0))).await;
    let view = host.get(HOURLY).await.json();
    assert_eq!((&view["counts"]["paused"], &view["counts"]["fired"]), (&json!(2), &json!(0)));
    for verb in ["pause", "resume", "reset"] {
        refused(&host.post(&format!("/api/v1/schedules/none/{verb}")).await, 404, "no schedule none");
    }
    refused(&host.write("POST", &format!("{HOURLY}/pause"), json!({ "why": "" })).await, 400, "unknown field");
}

#[tokio::test]
async fn a_reset_begins_anew_where_the_clock_is() {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, hourly()).await;
    tick(&host, "hourly", NOW.plus(Millis(9 * Millis::HOUR.0))).await;
    let before = host.get(HOURLY).await.json();
    assert_eq!(before["next"], "2025-06-26T00:05:00.000Z");
    let reset = host.post(&format!("{HOURLY}/reset")).await.json();
    assert_eq!((&reset["next"], &reset["decided"]), (&json!("2025-06-25T15:05:00.000Z"), &json!(NOW.to_string())));
    assert_eq!(reset["counts"], before["counts"]);
}

#[tokio::test]
async fn a_schedule_shows_its_rules_its_verdicts_and_what_is_open() {
    let (host, _) = host().await;
    let rules = json!({
        "start": "2025-06-25T00:00:00Z", "end": "2026-06-25T00:00:00+02:00", "count": 9, "jitter": "10m", "overlap": "buffer-all:5",
        "missed": "all:3", "missed_within": "2d", "pause_after": 4, "timeout": "5s", "attempts": 2, "backoff": "1s",
        "payload": { "full": true },
    });
    assert_eq!(host.write("PUT", HOURLY, with(rules)).await.status, StatusCode::CREATED);
    host.clock.advance(Millis(4 * Millis::HOUR.0));
    tick(&host, "hourly", NOW.plus(Millis(4 * Millis::HOUR.0))).await;
    let first = row(&host, "hourly").await.open[0];
    host.store.cancel(vec![first], Cancellable::Alive, hookbox_core::run::CancelCause::Operator, NOW).await.unwrap();
    let shown = host.get(HOURLY).await.json();
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("schedule_rules", shown);
    });
}

#[tokio::test]
async fn a_preview_says_when_a_schedule_fires_and_changes_nothing() {
    let (host, _) = host().await;
    let asked = json!({
        "plugin": "welcome", "handler": "digest", "cron": "0 9 13 * fri", "day_rule": "and", "timezone": "America/New_York", "jitter": "1m",
    });
    let preview = host.write("POST", "/api/v1/schedules/preview?name=fridays", asked).await;
    assert_eq!(preview.status, StatusCode::OK);
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("schedule_preview", preview.json());
    });
    assert_eq!(host.get("/api/v1/schedules/fridays").await.status, StatusCode::NOT_FOUND);
    let elsewhere = host.write("POST", HOURLY, hourly()).await;
    refused(&elsewhere, 405, "PUT makes or changes hourly");
    assert_eq!(elsewhere.header("allow"), "GET,HEAD,PUT,DELETE");
    refused(&host.write("POST", "/api/v1/schedules/preview?name=A", hourly()).await, 422, "name: a schedule's name");
}

#[tokio::test]
async fn a_schedule_may_be_called_preview() {
    let (host, _) = host().await;
    assert_eq!(host.write("PUT", "/api/v1/schedules/preview", hourly()).await.status, StatusCode::CREATED);
    assert_eq!(host.get("/api/v1/schedules/preview").await.json()["name"], "preview");
}

fn range(from: &str, to: &str) -> Value {
    json!({ "from": from, "to": to })
}

async fn runs(host: &Host) -> Vec<Value> {
    host.get("/api/v1/runs?schedule=hourly&limit=200").await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_backfill_runs_each_slot_of_its_range_once() {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, hourly()).await;
    let before = row(&host, "hourly").await;
    let path = format!("{HOURLY}/backfill");
    let asked = range("2025-06-25T04:05:00Z", "2025-06-25T08:05:00Z");
    let mut dry = asked.clone();
    dry["dry_run"] = json!(true);
    let counted = host.write("POST", &path, dry).await;
    let expected = json!({
        "dry_run": true, "slots": 4, "first": "2025-06-25T04:05:00.000Z", "last": "2025-06-25T07:05:00.000Z",
        "made": 0, "left_out": 0,
    });
    assert_eq!((counted.status, counted.json()), (StatusCode::OK, expected));
    assert_eq!(runs(&host).await, [] as [Value; 0]);

    let made = host.write("POST", &path, asked.clone()).await.json();
    assert_eq!((&made["made"], &made["left_out"]), (&json!(4), &json!(0)));
    let again = host.write("POST", &path, asked).await.json();
    assert_eq!((&again["made"], &again["left_out"]), (&json!(0), &json!(4)));
    let wider = host.write("POST", &path, range("2025-06-25T04:00:00Z", "2025-06-25T09:30:00Z")).await.json();
    assert_eq!((&wider["slots"], &wider["made"], &wider["left_out"]), (&json!(6), &json!(2), &json!(4)));

    let runs = runs(&host).await;
    let keys: Vec<&str> = runs.iter().rev().map(|run| run["idempotency_key"].as_str().unwrap()).collect();
    assert_eq!(keys[0], "hourly@2025-06-25T04:05:00.000Z/backfill");
    assert_eq!(keys.len(), 6);
    let run = host.store.run(runs[5]["id"].as_str().unwrap().parse::<RunId>().unwrap()).await.unwrap();
    let Work::Job(job) = run.work else { panic!("{run:?}") };
    let job = host.store.job(job).await.unwrap();
    assert_eq!((job.scheduled_at.to_string().as_str(), run.created), ("2025-06-25T04:05:00.000Z", NOW));
    assert_eq!(row(&host, "hourly").await, before);
}

#[tokio::test]
async fn a_backfill_is_bounded_and_of_the_past() {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, hourly()).await;
    let path = format!("{HOURLY}/backfill");
    for (asked, cure) in [
        (range("2025-05-01T00:00:00Z", "2025-06-25T00:00:00Z"), "has 1320 slots, at most 1000"),
        (range("2000-01-01T00:00:00Z", "2025-01-01T00:00:00Z"), "has over 100000 slots"),
        (range("2025-06-25T00:00:00Z", "2025-06-25T00:00:00Z"), "to: must be later than"),
        (range("2025-06-25T00:00:00Z", "2025-06-26T00:00:00Z"), "must not be later than now"),
        (range("yesterday", "2025-06-26T00:00:00Z"), "from: must be a time"),
    ] {
        refused(&host.write("POST", &path, asked).await, 422, cure);
    }
    let asked = range("2025-06-01T00:00:00Z", "2025-06-02T00:00:00Z");
    refused(&host.write("POST", "/api/v1/schedules/none/backfill", asked).await, 404, "no schedule none");
    let none = host.write("POST", &path, range("2025-06-25T04:06:00Z", "2025-06-25T05:05:00Z")).await.json();
    assert_eq!((&none["slots"], &none["first"]), (&json!(0), &Value::Null));
    assert_eq!(runs(&host).await.len(), 0);
}

#[tokio::test]
async fn a_whole_thousand_is_made_in_batches() {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, json!({ "plugin": "welcome", "handler": "repair", "every": "1m", "phase": "0s" })).await;
    let asked = range("2025-06-24T00:00:00Z", "2025-06-24T16:40:00Z");
    let made = host.write("POST", &format!("{HOURLY}/backfill"), asked).await.json();
    assert_eq!((&made["slots"], &made["made"]), (&json!(1000), &json!(1000)), "{made}");
    assert_eq!(host.store.counts().pending, 1001);
    let key = row(&host, "hourly").await.schedule.backfill_key("2025-06-24T00:01:00Z".parse().unwrap());
    let id: JobId = key.1;
    assert_eq!(host.store.job(id).await.unwrap().scheduled_at, "2025-06-24T00:01:00Z".parse().unwrap());
}

#[tokio::test]
async fn schedules_are_listed_by_name_page_by_page() {
    let (host, _) = host().await;
    for name in ["b", "a", "c"] {
        host.write("PUT", &format!("/api/v1/schedules/{name}"), hourly()).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/schedules?limit=2".to_owned());
    loop {
        let page = host.get(&path).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/schedules?limit=2&cursor={next}");
    }
    assert_eq!(seen, ["a", "b", "c", "nightly"]);
    assert_eq!(path, "/api/v1/schedules?limit=2&cursor=b", "a page that is full and the last leads nowhere");
    assert!(host.get("/schedules?limit=3").await.body.contains(">Older<"));
    assert!(!host.get("/schedules?limit=4").await.body.contains(">Older<"));
}

#[tokio::test]
async fn slots_and_pauses_are_told_as_metrics() {
    let (host, _) = host().await;
    host.write("PUT", HOURLY, with(json!({ "missed": "all:2" }))).await;
    tick(&host, "hourly", NOW.plus(Millis(3 * Millis::HOUR.0))).await;
    host.post("/api/v1/schedules/nightly/pause").await;
    let page = host.get("/metrics").await.body;
    for line in [
        "hookbox_slots_total{verdict=\"fired\"} 1",
        "hookbox_slots_total{verdict=\"missed\"} 1",
        "hookbox_slots_total{verdict=\"overlap-skipped\"} 1",
        "hookbox_slots_late_seconds_total 4510.123",
        "hookbox_schedules{state=\"active\"} 1",
        "hookbox_schedules{state=\"paused\"} 1",
        "hookbox_schedule_slots_total{schedule=\"hourly\",verdict=\"fired\"} 1",
        "hookbox_schedule_late_seconds{schedule=\"hourly\"} 4510.123",
        "hookbox_schedule_paused{schedule=\"nightly\"} 1",
    ] {
        assert!(page.lines().any(|told| told == line), "{line} is missing in\n{page}");
    }
    // What a schedule has done stays told when it is gone.
    host.write("DELETE", HOURLY, json!({})).await;
    for n in 0..100 {
        host.write("PUT", &format!("/api/v1/schedules/s{n}"), hourly()).await;
    }
    let page = host.get("/metrics").await.body;
    assert!(page.contains("hookbox_slots_total{verdict=\"fired\"} 1") && !page.contains("schedule=\""), "{page}");
    assert!(page.contains("hookbox_schedules{state=\"active\"} 100"), "{page}");
}
