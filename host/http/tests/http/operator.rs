//! What the API says; one snapshot for each view.

use axum::http::StatusCode;
use hookbox_core::attempt::{Attempt, Cost, Log, LogLevel, LogLine, LogStream, Outcome, Output};
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::host_call::{CallKind, Calls};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ScheduleName};
use hookbox_core::plugin::{DeclaredSchedule, Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::retry::DeadCause;
use hookbox_core::route::Pattern;
use hookbox_core::run::{BootId, Run, RunEvent};
use hookbox_core::schedule::{Origin, Rules, Schedule, When, ZoneName};
use hookbox_core::time::Millis;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::RefusedVersion;
use hookbox_store::types::{Claim, Claimable, Record, Recorded};

use crate::harness::{Answer, Host, JSON, Logs, NOW, shop, webhook};

macro_rules! assert_view {
    ($name:literal, $answer:expr) => {
        let shown = $answer.json();
        insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!($name, shown);
        });
    };
}
pub(crate) use assert_view;

pub(crate) fn target(plugin: &str, handler: &str) -> HandlerRef {
    HandlerRef { plugin: PluginName::parse(plugin).unwrap(), handler: HandlerName::parse(handler).unwrap() }
}

fn nightly() -> When {
    When::cron("0 2 * * *", Some(ZoneName::parse("Europe/London").unwrap())).unwrap()
}

pub(crate) fn welcome() -> PluginRow {
    let handler = |name: &str, trigger| Handler {
        name: HandlerName::parse(name).unwrap(),
        trigger,
        description: Some("Greets".into()),
        policy: PolicyPatch { timeout: Some(Millis(5000)), ..PolicyPatch::default() },
        filter: None,
    };
    let declared = DeclaredSchedule {
        name: ScheduleName::parse("welcome.digest").unwrap(),
        when: nightly(),
        rules: Rules::default(),
    };
    let name = PluginName::parse("welcome").unwrap();
    let info = PluginInfo {
        name: name.clone(),
        version: "1.2.0".into(),
        description: None,
        handlers: vec![
            handler("on-user", Trigger::Events(vec![Pattern::parse("my-shop/user.*").unwrap()])),
            handler("digest", Trigger::Schedule(declared)),
            handler("repair", Trigger::Manual),
        ],
    };
    let mut row = PluginRow::new(name);
    row.activated(Digest([1; 32]), info, NOW);
    row.refused = Some(RefusedVersion {
        digest: Some(Digest([2; 32])),
        at: NOW,
        code: "no-handlers".into(),
        reason: "describe() is not accepted: it has no handlers".into(),
    });
    row
}

/// A host with a plugin, one schedule of hooks.yaml, and one event that waits for its handler.
pub(crate) async fn host() -> (Host, Answer) {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let schedule = Schedule {
        name: ScheduleName::parse("nightly").unwrap(),
        target: target("welcome", "digest"),
        when: nightly(),
        payload: Some(Output { content_type: "application/json".into(), data: b"{\"full\":true}".to_vec() }),
        origin: Origin::Config,
        rules: Rules::default(),
    };
    host.store.declare_schedules(vec![schedule], NOW).await.unwrap();
    let answer = host.deliver(shop(r#"{"type":"user.created","event_id":"e-1"}"#)).await;
    (host, answer)
}

pub(crate) async fn claim(host: &Host) -> Run {
    host.store.claim(one()).await.unwrap().remove(0)
}

/// A claim of one run.
pub(crate) fn one() -> Claim {
    let handlers = vec![target("welcome", "on-user"), target("welcome", "digest")];
    let until = Monotonic(30_000);
    Claim {
        handlers: handlers.into_iter().map(Claimable::new).collect(),
        limit: 1,
        boot: BootId(1),
        now: NOW,
        until,
        per_plugin_max: usize::MAX,
    }
}

pub(crate) fn attempt(run: &Run, outcome: Outcome) -> Attempt {
    let line = LogLine {
        at: NOW,
        stream: LogStream::Log,
        level: LogLevel::Info,
        message: "welcomed Ada".into(),
        fields: vec![("user".into(), "7".into())],
    };
    let written = (CallKind::KvWrite, Calls { number: 2, bytes_given: 40, bytes_answered: 1 });
    Attempt {
        number: run.lease().unwrap().attempt,
        started: NOW,
        finished: NOW.plus(Millis(12)),
        outcome,
        log: Log { lines: vec![line], bytes_dropped: 0 },
        cost: Cost {
            wall_us: 12_000,
            cpu_us: 3000,
            memory_peak_bytes: 1 << 20,
            calls: [written].into_iter().collect(),
        },
        requests: Default::default(),
        denied: Vec::new(),
        version: Some(Digest([1; 32])),
    }
}

pub(crate) async fn end(host: &Host, run: &Run, event: RunEvent) {
    let record = Record { run: run.id, lease: run.lease().unwrap(), event, changes: None, now: NOW };
    assert_eq!(host.store.record(record).await.unwrap(), Recorded::Done);
}

pub(crate) async fn succeed(host: &Host, output: Output) -> Run {
    let run = claim(host).await;
    let attempt = attempt(&run, Outcome::Completed { output: Some(output) });
    end(host, &run, RunEvent::Succeeded { attempt }).await;
    run
}

pub(crate) async fn die(host: &Host) -> Run {
    let run = claim(host).await;
    let attempt = attempt(&run, Outcome::Permanent { message: "no such user".into() });
    end(host, &run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }).await;
    run
}

#[tokio::test]
async fn an_event_is_listed_and_shown_with_its_runs() {
    let (host, accepted) = host().await;
    assert_view!("events", host.get("/api/v1/events").await);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    assert_view!("event", host.get(&format!("/api/v1/events/{id}")).await);
}

#[tokio::test]
async fn a_body_that_is_no_text_is_shown_as_base64() {
    let host = Host::new();
    let accepted = host.deliver(webhook("my-shop", "generic", "", b"\xff\xfe", &[])).await;
    let event = host.get(&format!("/api/v1/events/{}", accepted.json()["id"].as_str().unwrap())).await.json();
    assert_eq!((&event["data"], &event["data_encoding"]), (&"//4=".into(), &"base64".into()));
}

#[tokio::test]
async fn a_run_is_shown_with_its_attempts_and_its_result_as_json() {
    let (host, _) = host().await;
    assert_view!("run_pending", host.get("/api/v1/runs").await);
    let run = succeed(&host, Output { content_type: JSON.1.into(), data: b"{\"greeted\": [1]}".to_vec() }).await;
    assert_view!("run_succeeded", host.get(&format!("/api/v1/runs/{}", run.id)).await);
}

#[tokio::test]
async fn a_result_that_is_no_json_is_shown_as_text() {
    let (host, _) = host().await;
    let run = succeed(&host, Output { content_type: JSON.1.into(), data: b"{broken".to_vec() }).await;
    let shown = host.get(&format!("/api/v1/runs/{}", run.id)).await.json();
    assert_eq!((&shown["result"]["data"], &shown["result"]["data_encoding"]), (&"{broken".into(), &"text".into()));
}

#[tokio::test]
async fn runs_are_filtered() {
    let (host, accepted) = host().await;
    let event = accepted.json()["id"].as_str().unwrap().to_owned();
    let shown = host.post("/api/v1/schedules/nightly/run").await;
    assert_eq!(shown.status, StatusCode::CREATED, "{}", shown.body);
    for (query, count) in [
        ("", 2),
        ("?state=pending", 2),
        ("?state=dead", 0),
        ("?plugin=welcome", 2),
        ("?plugin=other", 0),
        ("?handler=on-user", 1),
        (&format!("?event={event}"), 1),
        ("?schedule=nightly", 1),
        ("?schedule=weekly", 0),
        ("?state=pending&handler=digest&limit=1", 1),
    ] {
        let page = host.get(&format!("/api/v1/runs{query}")).await;
        assert_eq!(page.json()["items"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn pages_go_through_everything_once() {
    let host = Host::new();
    for n in 0..5 {
        host.clock.advance(Millis(1));
        host.deliver(shop(&format!("{{\"event_id\":\"{n}\"}}"))).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/events?limit=2".to_owned());
    loop {
        let page = host.get(&path).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|event| event["attributes"]["delivery-id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/events?limit=2&cursor={next}");
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
}

#[tokio::test]
async fn a_dead_run_is_replayed_as_a_new_one_and_audited() {
    let (host, _) = host().await;
    let run = die(&host).await;
    let logs = Logs::capture();
    let answer = host.post(&format!("/api/v1/runs/{}/replay", run.id)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_view!("replay", answer);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/api/v1/runs/{id}"));
    let replayed = host.get(&format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&replayed["parent"], &replayed["state"]), (&run.id.to_string().into(), &"pending".into()));
    assert_eq!(replayed["idempotency_key"], run.idempotency_key);
    assert_view!("run_dead", host.get(&format!("/api/v1/runs/{}", run.id)).await);
    let lines = logs.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["who=loopback", "what=\"replay\"", &format!("which={}", run.id), "outcome=\"done\""] {
        assert!(lines[0].contains(part), "{part}: {lines:?}");
    }
}

#[tokio::test]
async fn a_run_that_is_not_finished_is_not_replayed_and_that_is_audited() {
    let (host, _) = host().await;
    let run = claim(&host).await;
    let logs = Logs::capture();
    let answer = host.post(&format!("/api/v1/runs/{}/replay", run.id)).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(host.store.counts().pending, 0);
    let lines = logs.take();
    assert!(lines.len() == 1 && lines[0].contains("outcome=\"conflict\""), "{lines:?}");
}

#[tokio::test]
async fn a_schedule_is_shown_with_its_next_slots() {
    let (host, _) = host().await;
    assert_view!("schedules", host.get("/api/v1/schedules").await);
    assert_view!("schedule", host.get("/api/v1/schedules/nightly").await);
}

#[tokio::test]
async fn a_schedule_that_is_run_by_hand_keeps_its_slots() {
    let (host, _) = host().await;
    let name = ScheduleName::parse("nightly").unwrap();
    let before = host.store.schedule(&name).await.unwrap();
    let logs = Logs::capture();
    let answer = host.post("/api/v1/schedules/nightly/run").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_view!("schedule_run", answer);
    assert_eq!(logs.take().len(), 1);
    assert_eq!(host.store.schedule(&name).await.unwrap(), before);
    let again = host.post("/api/v1/schedules/nightly/run").await;
    assert_ne!(answer.json()["run"], again.json()["run"]);
    assert_view!("run_of_schedule", host.get(answer.header("location")).await);
}

#[tokio::test]
async fn plugins_are_shown_with_what_was_refused() {
    let (host, _) = host().await;
    assert_view!("plugin", host.get("/api/v1/plugins/welcome").await);
    let mut missing = PluginRow::new(PluginName::parse("gone").unwrap());
    missing.missing_since = Some(NOW);
    host.store.put_plugin(missing).await.unwrap();
    host.store.put_plugin(PluginRow::new(PluginName::parse("bad").unwrap())).await.unwrap();
    let page = host.get("/api/v1/plugins").await.json();
    let states: Vec<_> = page["items"].as_array().unwrap().iter().map(|plugin| &plugin["state"]).collect();
    assert_eq!(states, ["refused", "missing", "active"]);
}

#[tokio::test]
async fn health_is_shown() {
    let (host, _) = host().await;
    assert_view!("health", host.get("/api/v1/health").await);
}

#[tokio::test]
async fn every_mistake_has_the_same_shape_and_a_cure() {
    let (host, _) = host().await;
    let none = "01JABCDEFGHJKMNPQRSTVWXYZ0";
    for (path, status, cure) in [
        (
            "/api/v1/runs?colour=red".to_owned(),
            400,
            "known: cursor, limit, sort, state, plugin, handler, provider, version, event, schedule, made_by, replayed, since, until, error, result, payload, and most of them after not_",
        ),
        ("/api/v1/events?state=dead".to_owned(), 400, "known: cursor, limit"),
        ("/api/v1/plugins?limit=1".to_owned(), 400, "known: none"),
        ("/api/v1/runs?state=red".to_owned(), 422, "pending, leased, succeeded, dead, cancelled"),
        ("/api/v1/runs?plugin=A%20B".to_owned(), 422, "plugin: a plugin's name must be"),
        ("/api/v1/runs?since=yesterday".to_owned(), 422, "RFC 3339"),
        ("/api/v1/runs?error=".to_owned(), 422, "1 to 256 bytes"),
        ("/api/v1/runs?limit=1000".to_owned(), 422, "from 1 to 200"),
        ("/api/v1/runs?cursor=x".to_owned(), 422, "value of next"),
        ("/api/v1/runs/x".to_owned(), 404, "must be an id such as run_"),
        (format!("/api/v1/runs/run_{none}"), 404, "there is no run run_"),
        (format!("/api/v1/events/evt_{none}"), 404, "there is no event evt_"),
        ("/api/v1/events/%FF".to_owned(), 404, "no text"),
        ("/api/v1/schedules/weekly".to_owned(), 404, "there is no schedule weekly"),
        ("/api/v1/plugins/other".to_owned(), 404, "there is no plugin other"),
        ("/api/v1/nothing".to_owned(), 404, "/api/v1/openapi.json lists the paths"),
        ("/elsewhere".to_owned(), 404, "/api/v1/openapi.json lists the paths"),
        ("/api/v1/schedules/nightly/run".to_owned(), 405, "Allow"),
    ] {
        let answer = host.get(&path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(cure), "{path}: {problem}");
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{path}: {problem}");
    }
    assert_view!("problem", host.get("/api/v1/runs?state=red").await);
    assert_eq!(host.get("/api/v1/schedules/nightly/run").await.header("allow"), "POST");
    assert_eq!(host.post("/api/v1/events").await.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn a_scheduler_that_comes_round_no_more_is_told_and_draining_is_not_taken_for_it() {
    let (host, _) = host().await;
    host.meters.scheduler.beat(host.clock.monotonic());
    host.clock.advance(Millis::MINUTE);
    let answer = host.get("/api/v1/health").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["scheduler_pass_ms_ago"]), (200, &60_000.into()));
    host.clock.advance(Millis::SECOND);
    let answer = host.get("/api/v1/health").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (503, &"degraded".into()));
    assert!(answer.json()["reason"].as_str().unwrap().contains("no pass for 61 s"), "{}", answer.body);
    for page in ["/", "/system"] {
        let page = host.get(page).await.body;
        assert!(page.contains("no pass for 61 s"), "{page}");
    }
    assert!(host.get("/metrics").await.body.contains("hookbox_scheduler_pass_age_seconds 61"));
    host.meters.scheduler.beat(host.clock.monotonic());
    assert_eq!(host.get("/api/v1/health").await.status, 200, "it came round again");
    host.clock.advance(Millis::HOUR);
    host.lifecycle.begin_draining();
    let draining = host.get("/api/v1/health").await.json();
    assert_eq!((&draining["status"], &draining["reason"]), (&"draining".into(), &serde_json::Value::Null));
}
