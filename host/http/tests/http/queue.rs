//! What an operator does with runs: cancel and replay, one or many.

use std::sync::Arc;

use axum::http::StatusCode;
use hookbox_core::attempt::{Outcome, Output};
use hookbox_core::id::RunId;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent, RunStatus};
use hookbox_core::time::Millis;
use hookbox_store::{PluginRow, Store, StoreError};
use serde_json::{Value, json};

use crate::faulty::{Faulty, Webhooks};
use crate::harness::{Answer, Host, Logs, shop};
use crate::operator::{attempt, claim, die, end, host, one, succeed, welcome};

pub(crate) async fn deliver(host: &Host, id: &str) -> String {
    let body = json!({ "type": "user.created", "event_id": id, "customer": id }).to_string();
    let accepted = host.deliver(shop(&body)).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
    accepted.json()["id"].as_str().unwrap().to_owned()
}

/// A host with some dead letters besides, newest last.
async fn graveyard(dead: usize) -> (Host, Vec<Run>) {
    let (host, _) = host().await;
    let mut runs = vec![die(&host).await];
    for n in 1..dead {
        deliver(&host, &format!("d-{n}")).await;
        runs.push(die(&host).await);
    }
    (host, runs)
}

async fn status(host: &Host, id: RunId) -> RunStatus {
    host.store.run(id).await.unwrap().status()
}

async fn pending(host: &Host) -> Vec<Value> {
    let page = host.get("/api/v1/runs?state=pending&limit=200").await.json();
    page["items"].as_array().unwrap().clone()
}

/// Puts other words into the policy of the handler of `my-shop/user.*`.
async fn with_policy(host: &Host, set: &[(&str, &str)]) {
    let row = host.store.catalogue().plugins().next().unwrap().clone();
    let mut active = row.active.clone().unwrap();
    for (option, text) in set {
        active.info.handlers[0].policy.set(option, text).unwrap();
    }
    host.store.put_plugin(PluginRow { active: Some(active), ..row }).await.unwrap();
}

fn counted(answer: &Answer) -> (u64, u64, u64) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let view = answer.json();
    let number = |name: &str| view[name].as_u64().unwrap();
    (number("matched"), number("done"), number("left_out"))
}

#[tokio::test]
async fn a_run_that_waits_or_is_executed_is_cancelled() {
    let (host, _) = host().await;
    let leased = claim(&host).await;
    deliver(&host, "2").await;
    let waiting: RunId = pending(&host).await[0]["id"].as_str().unwrap().parse().unwrap();
    let logs = Logs::capture();
    for id in [leased.id, waiting] {
        let answer = host.post(&format!("/api/v1/runs/{id}/cancel")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let view = answer.json();
        assert_eq!((&view["state"], &view["cause"]), (&json!("cancelled"), &json!("operator")));
        assert_eq!(status(&host, id).await, RunStatus::Cancelled);
    }
    let lines = logs.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.contains("what=\"cancel\"") && line.contains("outcome=\"done\"")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_run_that_has_ended_or_is_unknown_is_not_cancelled() {
    let (host, _) = host().await;
    let run = die(&host).await;
    let answer = host.post(&format!("/api/v1/runs/{}/cancel", run.id)).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.json()["detail"].as_str().unwrap().contains("it is dead"), "{}", answer.body);
    assert_eq!(host.post("/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/cancel").await.status, StatusCode::NOT_FOUND);
    assert_eq!(status(&host, run.id).await, RunStatus::Dead);
}

#[tokio::test]
async fn an_edited_replay_is_other_work_with_the_same_parent() {
    let (host, _) = host().await;
    with_policy(&host, &[("order_per", "customer")]).await;
    let run = die(&host).await;
    let path = format!("/api/v1/runs/{}/replay", run.id);
    let answer = host.write("POST", &path, json!({ "data": { "customer": "c-7" } })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let new = host.get(answer.header("location")).await.json();
    assert_eq!(new["parent"], json!(run.id.to_string()));
    assert_ne!(new["idempotency_key"], json!(run.idempotency_key));
    assert_eq!((&new["key"], &new["order"]), (&json!("c-7"), &json!("accepted")));
    let event = host.get(&format!("/api/v1/events/{}", new["event"].as_str().unwrap())).await.json();
    assert_eq!((&event["data"], &event["content_type"]), (&json!(r#"{"customer":"c-7"}"#), &json!("application/json")));
    let old = host.get(&format!("/api/v1/runs/{}", run.id)).await.json();
    assert_eq!((&old["state"], &old["replayed"]), (&json!("dead"), &new["id"]));
    assert_ne!(old["event"], new["event"]);
}

#[tokio::test]
async fn the_payload_of_an_edited_replay_may_be_any_text_or_bytes() {
    let (host, runs) = graveyard(1).await;
    let path = format!("/api/v1/runs/{}/replay", runs[0].id);
    for (body, data, content_type) in [
        (json!({ "data": null }), "null", "application/json"),
        (json!({ "text": "[1]" }), "[1]", "application/json"),
        (json!({ "text": "hi", "content_type": "text/csv" }), "hi", "text/csv"),
        (json!({ "base64": "aGk=", "content_type": "image/png" }), "hi", "image/png"),
    ] {
        let answer = host.write("POST", &path, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let run = host.get(answer.header("location")).await.json();
        let event = host.get(&format!("/api/v1/events/{}", run["event"].as_str().unwrap())).await.json();
        assert_eq!((&event["data"], &event["content_type"]), (&json!(data), &json!(content_type)));
    }
}

#[tokio::test]
async fn a_payload_that_is_no_good_makes_no_replay() {
    let (host, runs) = graveyard(1).await;
    let path = format!("/api/v1/runs/{}/replay", runs[0].id);
    for (body, status, cure) in [
        (json!({ "data": 1, "text": "1" }), 422, "one of them"),
        (json!({ "content_type": "text/plain" }), 422, "says nothing without"),
        (json!({ "text": "x", "content_type": "a\nb" }), 422, "control characters"),
        (json!({ "text": "x", "content_type": "" }), 422, "1 to 256 bytes"),
        (json!({ "text": "{", "content_type": "application/json" }), 400, "does not parse"),
        (json!({ "text": "{" }), 400, "does not parse"),
        (json!({ "base64": "?" }), 422, "no base64"),
        (json!({ "colour": "red" }), 400, "unknown field"),
        (json!({ "text": "x".repeat((1 << 20) + 1), "content_type": "text/plain" }), 413, "1048577 bytes"),
        (json!({ "text": "x".repeat(3 << 20) }), 413, "KiB are read"),
    ] {
        let answer = host.write("POST", &path, body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(cure), "{cure}: {}", answer.body);
    }
    assert_eq!(host.store.counts().pending, 0);
}

#[tokio::test]
async fn a_bulk_replay_counts_first_and_then_does_each_once() {
    let (host, runs) = graveyard(5).await;
    let logs = Logs::capture();
    let dry = host.write("POST", "/api/v1/runs/replay", json!({ "dry_run": true })).await;
    assert_eq!(counted(&dry), (5, 0, 0));
    assert!(host.store.counts().pending == 0 && logs.take().is_empty());

    let filter = json!({ "state": "dead", "plugin": "welcome", "error": "NO SUCH" });
    let answer = host.write("POST", "/api/v1/runs/replay", json!({ "filter": filter })).await;
    assert_eq!(counted(&answer), (5, 5, 0));
    assert_eq!(answer.json()["next"], Value::Null);
    let lines = logs.take();
    assert!(lines.len() == 1 && lines[0].contains("error=NO SUCH plugin=welcome state=dead"), "{lines:?}");
    let mut made = pending(&host).await;
    made.reverse();
    let parents: Vec<_> = made.iter().map(|run| run["parent"].as_str().unwrap().to_owned()).collect();
    assert_eq!(parents, runs.iter().map(|run| run.id.to_string()).collect::<Vec<_>>(), "the oldest first");

    let again = json!({ "filter": filter, "again": true });
    let twice = host.write("POST", "/api/v1/runs/replay", json!({ "filter": filter })).await;
    assert_eq!(counted(&twice), (5, 0, 5));
    assert_eq!(counted(&host.write("POST", "/api/v1/runs/replay", again).await), (5, 5, 0));
    assert_eq!(host.store.counts().pending, 10);
}

#[tokio::test]
async fn a_bulk_replay_goes_on_where_it_ended_and_does_not_meet_what_it_made() {
    let (host, _) = graveyard(5).await;
    let (mut cursor, mut done, mut requests) = (Value::Null, 0, 0);
    loop {
        let asked = json!({ "filter": { "state": "dead" }, "limit": 2, "cursor": cursor, "again": true });
        let answer = host.write("POST", "/api/v1/runs/replay", asked).await;
        done += counted(&answer).1;
        requests += 1;
        // What is made dies at once.
        while host.store.counts().pending > 0 {
            die(&host).await;
        }
        cursor = answer.json()["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((done, requests), (5, 3));
    assert_eq!(host.store.counts().dead, 10);
}

#[tokio::test]
async fn a_bulk_change_is_of_what_was_counted_and_not_of_what_came_since() {
    let (host, _) = graveyard(2).await;
    let dry = host.write("POST", "/api/v1/runs/replay", json!({ "dry_run": true })).await;
    assert_eq!(counted(&dry), (2, 0, 0));
    deliver(&host, "later").await;
    die(&host).await;
    let asked = json!({ "all": true, "cursor": dry.json()["cursor"] });
    assert_eq!(counted(&host.write("POST", "/api/v1/runs/replay", asked).await), (2, 2, 0));
}

#[tokio::test]
async fn a_bulk_cancel_takes_what_is_alive_and_fits() {
    let (host, runs) = graveyard(2).await;
    for n in 0..4 {
        deliver(&host, &format!("p-{n}")).await;
    }
    let leased = claim(&host).await;
    assert_eq!(counted(&host.write("POST", "/api/v1/runs/cancel", json!({ "dry_run": true })).await), (4, 0, 0));
    assert_eq!(status(&host, leased.id).await, RunStatus::Leased);
    let one = json!({ "filter": { "state": "leased" } });
    assert_eq!(counted(&host.write("POST", "/api/v1/runs/cancel", one).await), (1, 1, 0));
    assert_eq!(status(&host, leased.id).await, RunStatus::Cancelled);
    let all = json!({ "all": true });
    assert_eq!(counted(&host.write("POST", "/api/v1/runs/cancel", all).await), (3, 3, 0));
    let counts = host.store.counts();
    assert_eq!((counts.pending, counts.leased, counts.dead, counts.cancelled), (0, 0, 2, 4));
    assert_eq!(status(&host, runs[0].id).await, RunStatus::Dead);
}

#[tokio::test]
async fn a_bulk_cancel_of_what_waits_leaves_alone_what_has_begun_meanwhile() {
    for (asked, expected, left) in [
        (json!({ "filter": { "state": "pending" } }), (3, 2, 1), 1),
        (json!({ "filter": { "plugin": "welcome" } }), (3, 3, 0), 0),
        (json!({ "filter": { "state": "leased" } }), (0, 0, 0), 1),
    ] {
        let store = Arc::new(Faulty::with(StoreError::Unavailable("no space left".to_owned())));
        store.webhooks(Webhooks::Work);
        store.inner().put_plugin(welcome()).await.unwrap();
        let host = Host::over(store.clone());
        for n in 0..3 {
            deliver(&host, &format!("p-{n}")).await;
        }
        store.overtaken_by(one());
        assert_eq!(counted(&host.write("POST", "/api/v1/runs/cancel", asked.clone()).await), expected, "{asked}");
        assert_eq!(store.counts().leased, left, "{asked}");
    }
}

#[tokio::test]
async fn a_bulk_change_that_says_too_little_or_too_much_is_refused() {
    let (host, _) = graveyard(1).await;
    deliver(&host, "1").await;
    for (what, body, status, cure) in [
        ("cancel", json!({}), 422, "\"all\": true"),
        ("replay", json!({ "filter": {} }), 422, "\"all\": true"),
        ("cancel", json!({ "filter": { "state": "dead" } }), 422, "only pending and leased"),
        ("cancel", json!({ "all": true, "again": true }), 422, "replays alone"),
        ("replay", json!({ "filter": { "state": "pending" } }), 422, "only runs that have ended"),
        ("replay", json!({ "filter": { "state": "red" } }), 422, "must be one of pending"),
        ("replay", json!({ "filter": { "colour": "red" } }), 400, "known: state, plugin"),
        ("replay", json!({ "filter": { "plugin": 1 } }), 400, "expected a string"),
        ("replay", json!({ "all": true, "limit": 0 }), 422, "1 to 10000"),
        ("replay", json!({ "all": true, "limit": 10_001 }), 422, "1 to 10000"),
        ("cancel", json!({ "filter": { "since": "2025" } }), 422, "RFC 3339"),
        ("cancel", json!({ "all": true, "cursor": "x" }), 400, "must be an id"),
        ("cancel", json!({ "every": true }), 400, "unknown field"),
    ] {
        let answer = host.write("POST", &format!("/api/v1/runs/{what}"), body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(cure), "{cure}: {}", answer.body);
    }
    let counts = host.store.counts();
    assert_eq!((counts.pending, counts.dead), (1, 1));
}

#[tokio::test]
async fn runs_are_found_by_their_time_and_their_error() {
    let (host, runs) = graveyard(1).await;
    let first = host.store.run(runs[0].id).await.unwrap().created;
    host.clock.advance(Millis::HOUR);
    deliver(&host, "later").await;
    let later = first.plus(Millis::HOUR);
    for (query, count) in [
        (format!("since={first}"), 2),
        (format!("since={later}"), 1),
        (format!("until={later}"), 1),
        (format!("until={first}"), 0),
        (format!("since={}&until={later}", first.plus(Millis(1))), 0),
        ("error=Such%20User".to_owned(), 1),
        ("error=timeout".to_owned(), 0),
    ] {
        let page = host.get(&format!("/api/v1/runs?{query}")).await;
        assert_eq!(page.json()["items"].as_array().unwrap().len(), count, "{query}: {}", page.body);
    }
}

#[tokio::test]
async fn a_result_is_served_as_it_is_and_cannot_run_in_a_browser() {
    for (content_type, kept, disposition) in [
        ("application/json", "application/json", ""),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8", ""),
        ("application/ld+json", "application/ld+json", ""),
        ("text/html", "text/html", "attachment"),
        ("image/svg+xml", "image/svg+xml", "attachment"),
        ("a\u{7f}b", "application/octet-stream", "attachment"),
    ] {
        let (host, _) = host().await;
        let output = Output { content_type: content_type.into(), data: b"<b>1</b>".to_vec() };
        let run = succeed(&host, output).await;
        let answer = host.get(&format!("/api/v1/runs/{}/result", run.id)).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "<b>1</b>"));
        assert_eq!(answer.header("content-type"), kept);
        assert_eq!(answer.header("content-disposition"), disposition);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").starts_with("sandbox; default-src 'none'"), "{answer:?}");
        assert_eq!(answer.headers.get_all("content-security-policy").iter().count(), 1);
    }
}

#[tokio::test]
async fn a_run_without_a_result_has_none_to_serve() {
    let (host, runs) = graveyard(1).await;
    let answer = host.get(&format!("/api/v1/runs/{}/result", runs[0].id)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.json()["detail"].as_str().unwrap().contains("it is dead"), "{}", answer.body);
    let answer = host.get("/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/result").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_run_shows_what_it_waits_for_and_why_it_was_cancelled() {
    let (host, _) = host().await;
    with_policy(&host, &[("concurrency_per", "customer"), ("unique_per", "event_id"), ("expires", "1h")]).await;
    deliver(&host, "c-1").await;
    let holder = pending(&host).await.remove(0);
    assert_eq!((&holder["key"], &holder["order"]), (&json!("c-1"), &json!("due")));
    assert_eq!(holder["expires"], json!(crate::harness::NOW.plus(Millis::HOUR).to_string()));
    assert_eq!((&holder["policy"], &holder["replayed"], &holder["cause"]), (&Value::Null, &Value::Null, &Value::Null));
    let body = json!({ "type": "user.changed", "event_id": "c-1", "customer": "c-1", "n": 2 }).to_string();
    host.clock.advance(Millis(30 * Millis::DAY.0));
    // Long after, the same id is a new delivery.
    let signed = crate::harness::signed(
        "my-shop",
        "generic",
        crate::harness::SECRET,
        crate::harness::NOW.plus(Millis(30 * Millis::DAY.0)),
        "",
        body.as_bytes(),
        &[crate::harness::JSON],
    );
    assert_eq!(host.deliver(signed).await.status, StatusCode::ACCEPTED);
    let cancelled = host.get("/api/v1/runs?state=cancelled").await.json()["items"][0].clone();
    assert_eq!((&cancelled["cause"], &cancelled["cause_run"]), (&json!("unique"), &holder["id"]));
}

#[tokio::test]
async fn a_timed_out_run_is_found_by_what_it_died_of() {
    let (host, _) = host().await;
    let run = claim(&host).await;
    let attempt = attempt(&run, Outcome::TimedOut { limit: Millis(30_000) });
    end(&host, &run, RunEvent::FailedForGood { attempt, cause: DeadCause::AttemptsExhausted }).await;
    let message = host.get(&format!("/api/v1/runs/{}", run.id)).await.json()["last_message"].clone();
    let word = message.as_str().unwrap().split(' ').next().unwrap().to_owned();
    let asked = json!({ "filter": { "error": word }, "dry_run": true });
    assert_eq!(counted(&host.write("POST", "/api/v1/runs/replay", asked).await), (1, 0, 0));
}
