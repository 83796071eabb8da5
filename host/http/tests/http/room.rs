//! What operators make is held to the limit of the queue, as webhooks are.

use axum::http::StatusCode;
use hookbox_store::PluginRow;
use serde_json::{Value, json};

use crate::harness::{Answer, Host, shop};
use crate::operator::{die, host};

fn is_full(answer: &Answer) -> bool {
    let told = answer.json()["detail"].as_str().unwrap_or_default().contains("server.limits.queue is");
    (answer.status, answer.header("retry-after")) == (StatusCode::SERVICE_UNAVAILABLE, "2") && told
}

fn pending(host: &Host) -> u64 {
    host.store.counts().pending
}

/// Refused where one run more than `runs` would wait, and done where just so many do.
async fn is_held(host: &mut Host, runs: u64, path: &str, body: Value) {
    let before = pending(host);
    host.queue_max = before + runs - 1;
    let refused = host.write("POST", path, body.clone()).await;
    assert!(is_full(&refused) && pending(host) == before, "{path}: {refused:?}");
    host.queue_max += 1;
    let done = host.write("POST", path, body).await;
    assert!(done.status.is_success() && pending(host) == before + runs, "{path}: {done:?}");
}

#[tokio::test]
async fn jobs_and_runs_of_schedules_find_room_or_are_put_off() {
    let (mut host, _) = host().await;
    is_held(&mut host, 1, "/api/v1/handlers/welcome/repair/run", json!({})).await;
    is_held(&mut host, 1, "/api/v1/schedules/nightly/run", json!({})).await;
    let range = json!({ "from": "2025-06-22T00:00:00Z", "to": "2025-06-25T00:00:00Z" });
    is_held(&mut host, 3, "/api/v1/schedules/nightly/backfill", range).await;
}

#[tokio::test]
async fn replays_find_room_or_are_put_off_and_counting_needs_none() {
    let (mut host, _) = host().await;
    let first = die(&host).await;
    for n in 0..3 {
        host.deliver(shop(&json!({ "type": "user.created", "event_id": n }).to_string())).await;
        die(&host).await;
    }
    is_held(&mut host, 1, &format!("/api/v1/runs/{}/replay", first.id), json!({})).await;
    host.queue_max = 0;
    let counted = host.write("POST", "/api/v1/runs/replay", json!({ "dry_run": true })).await;
    assert_eq!((counted.status, &counted.json()["matched"]), (StatusCode::OK, &json!(4)));
    is_held(&mut host, 3, "/api/v1/runs/replay", json!({ "all": true })).await;
    // A cancel makes room, and needs none.
    host.queue_max = 0;
    let cancelled = host.write("POST", "/api/v1/runs/cancel", json!({ "all": true })).await;
    assert_eq!((cancelled.status, &cancelled.json()["done"]), (StatusCode::OK, &json!(4)), "{cancelled:?}");
}

#[tokio::test]
async fn events_that_are_routed_or_released_find_room_or_are_put_off() {
    let (mut host, _) = host().await;
    let row = host.store.catalogue().plugins().next().unwrap().clone();
    let duplicate = host.deliver(shop(r#"{"type":"user.created","event_id":"e-1","more":1}"#)).await;
    assert_eq!(duplicate.status, StatusCode::OK);
    host.store.put_plugin(PluginRow { active: None, ..row.clone() }).await.unwrap();
    let mut unrouted = Vec::new();
    for id in ["a", "b", "c"] {
        let body = json!({ "type": "user.created", "event_id": id }).to_string();
        unrouted.push(host.deliver(shop(&body)).await.json()["id"].as_str().unwrap().to_owned());
    }
    host.store.put_plugin(row).await.unwrap();
    is_held(&mut host, 1, &format!("/api/v1/events/{}/route", unrouted[0]), json!({})).await;
    let suppressed = host.get("/api/v1/suppressed").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    is_held(&mut host, 1, &format!("/api/v1/suppressed/{suppressed}/release"), json!({})).await;
    host.queue_max = pending(&host);
    assert!(is_full(&host.write("POST", "/api/v1/events/route", json!({})).await));
    // What found room stays done, and the rest is done when it is asked for again.
    host.queue_max += 1;
    assert!(is_full(&host.write("POST", "/api/v1/events/route", json!({})).await));
    is_held(&mut host, 1, "/api/v1/events/route", json!({})).await;
}
