//! Writes with an idempotency key, and edits with a condition.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use hookbox_store::memory::MemoryStore;
use hookbox_store::types::{Begun, REQUEST_KEPT_FOR, RequestKey};
use hookbox_store::{Store, StoreError};
use serde_json::{Value, json};

use crate::access_table::with_roles;
use crate::faulty::{Faulty, Webhooks};
use crate::harness::{Answer, Host, JSON, NOW, OPERATOR, ask};
use crate::operator::{die, host, one, welcome};
use crate::plugins::twice;
use crate::queue::deliver;

async fn send(host: &Host, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", OPERATOR).header(JSON.0, JSON.1);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(host.operator(), request.body(Body::from(body.to_string())).unwrap()).await
}

fn hourly() -> Value {
    json!({ "plugin": "welcome", "handler": "repair", "every": "1h" })
}

const HOURLY: &str = "/api/v1/schedules/hourly";

#[tokio::test]
async fn the_same_request_with_the_same_key_is_done_once_and_answered_again() {
    let (host, _) = host().await;
    let dead = die(&host).await;
    let path = format!("/api/v1/runs/{}/replay", dead.id);
    let replay = async |key: &str, body: Value| send(&host, "POST", &path, &[("idempotency-key", key)], &body).await;
    let first = replay("\"a-1\"", json!({})).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let pending = host.store.counts().pending;
    for key in ["\"a-1\"", "a-1", " a-1 "] {
        let again = replay(key, json!({})).await;
        assert_eq!((again.status, again.body.as_str()), (first.status, first.body.as_str()));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!((again.header("content-type"), again.header("idempotency-replayed")), ("application/json", "true"));
    }
    assert_eq!(host.store.counts().pending, pending, "nothing was done again");

    let other = replay("a-1", json!({ "data": 1 })).await;
    assert_eq!((other.status.as_u16(), &other.json()["type"]), (422, &json!("urn:hookbox:problem:key-reused")));
    let elsewhere = send(&host, "PUT", HOURLY, &[("idempotency-key", "a-1")], &hourly()).await;
    assert_eq!(elsewhere.status, 422, "{}", elsewhere.body);
    assert_eq!(replay("a-2", json!({})).await.status, 201);

    // A refusal is an answer, too: it is the first one that counts.
    let late = send(&host, "DELETE", HOURLY, &[("idempotency-key", "a-3")], &json!({})).await;
    assert_eq!(late.status, 404);
    assert_eq!(send(&host, "PUT", HOURLY, &[], &hourly()).await.status, 201);
    let again = send(&host, "DELETE", HOURLY, &[("idempotency-key", "a-3")], &json!({})).await;
    assert_eq!((again.status, again.body), (late.status, late.body));
    assert_eq!(again.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let (host, _) = host().await;
    let put = async || send(&host, "PUT", HOURLY, &[("idempotency-key", "day")], &hourly()).await;
    assert_eq!(put().await.status, 201);
    host.clock.set_wall(NOW.plus(REQUEST_KEPT_FOR));
    assert_eq!(put().await.status, 201, "answered again");
    host.clock.set_wall(NOW.plus(REQUEST_KEPT_FOR).plus(hookbox_core::time::Millis(1)));
    assert_eq!(put().await.status, 200, "done again: it is there by now");
}

#[tokio::test]
async fn a_request_that_is_under_way_or_was_lost_is_not_done_a_second_time() {
    use sha2::Digest as _;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let host = Host::over(Arc::clone(&store));
    // Of whoever sits at this machine.
    let parts = ["loopback loopback", "lost"].map(|part| [&part.len().to_be_bytes(), part.as_bytes()].concat());
    let key = RequestKey(sha2::Sha256::digest(parts.concat()).into());
    assert_eq!(store.begin_request(key, [1; 32], NOW).await.unwrap(), Begun::New);
    let answer = send(&host, "PUT", HOURLY, &[("idempotency-key", "lost")], &hourly()).await;
    assert_eq!(answer.status, 422, "another request");
    assert!(store.schedule(&"hourly".parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn a_key_must_be_one() {
    let host = Host::new();
    let long = "k".repeat(256);
    for bad in ["", "\"\"", "a\"b", long.as_str()] {
        let answer = send(&host, "PUT", HOURLY, &[("idempotency-key", bad)], &hourly()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["type"]),
            (422, &json!("urn:hookbox:problem:bad-parameter"))
        );
    }
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(send(&host, "PUT", HOURLY, &two, &hourly()).await.status, 422);
    let read = send(&host, "GET", "/api/v1/events", &two, &json!({})).await;
    assert_eq!(read.status, 200, "a read needs none");
}

#[tokio::test]
async fn what_fails_on_our_side_may_be_asked_again() {
    let (host, _) = host().await;
    let full = Host { queue_max: 0, ..host };
    let path = "/api/v1/handlers/welcome/repair/run";
    let refused = send(&full, "POST", path, &[("idempotency-key", "room")], &json!({})).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    let host = Host { queue_max: 100, ..full };
    let made = send(&host, "POST", path, &[("idempotency-key", "room")], &json!({})).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

#[tokio::test(start_paused = true)]
async fn what_will_be_done_in_any_case_is_not_begun_again() {
    let host = Host::new();
    host.store.put_plugin(twice()).await.unwrap();
    let path = "/api/v1/plugins/welcome/rollback";
    let roll_back = async || send(&host, "POST", path, &[("idempotency-key", "back")], &json!({})).await;
    let first = roll_back().await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (503, ""), "{}", first.body);
    let again = roll_back().await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (503, "true"), "{}", again.body);
    assert_eq!(again.body, first.body);
}

#[tokio::test]
async fn what_was_done_in_part_is_not_begun_again() {
    let store = Arc::new(Faulty::with(StoreError::Unavailable("the disk is full".to_owned())));
    store.webhooks(Webhooks::Work);
    store.inner().put_plugin(welcome()).await.unwrap();
    let host = Host::over(store.clone());
    // One more than a commit takes.
    for number in 0..257 {
        deliver(&host, &number.to_string()).await;
    }
    let cancel = async || {
        store.overtaken_by(one());
        store.cancels(1);
        send(&host, "POST", "/api/v1/runs/cancel", &[("idempotency-key", "part")], &json!({ "all": true })).await
    };
    let first = cancel().await;
    assert!(first.status == 503 && first.body.contains("done with 256 runs"), "{}", first.body);
    let again = cancel().await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    assert_eq!(store.counts().cancelled, 256);
}

#[tokio::test]
async fn an_edit_of_what_was_not_seen_is_refused() {
    let (host, _) = host().await;
    let put = async |condition: (&str, &str), body: Value| send(&host, "PUT", HOURLY, &[condition], &body).await;
    let tag = async || host.get(HOURLY).await.header("etag").to_owned();
    assert_eq!(put(("if-match", "*"), hourly()).await.status, 412, "it is not there");
    let made = put(("if-none-match", "*"), hourly()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(put(("if-none-match", "*"), hourly()).await.status, 412, "it is there");

    let first = tag().await;
    assert!(first.starts_with('"') && first.len() > 10, "{first}");
    assert_eq!(made.header("etag"), first);
    let other = json!({ "plugin": "welcome", "handler": "repair", "every": "2h" });
    let changed = put(("if-match", &first), other.clone()).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let second = tag().await;
    assert_eq!(changed.header("etag"), second);
    assert_ne!(first, second);

    let stale = put(("if-match", &first), hourly()).await;
    assert_eq!((stale.status.as_u16(), stale.header("etag")), (412, second.as_str()));
    assert_eq!(stale.header("content-type"), "application/problem+json");
    assert_eq!(tag().await, second, "nothing was changed");
    let several = format!("\"x\", {second}");
    assert_eq!(put(("if-match", &several), other).await.status, 200);
    assert_eq!(put(("if-match", &format!("W/{second}")), hourly()).await.status, 412, "a weak one matches nothing");

    let pause = format!("{HOURLY}/pause");
    assert_eq!(send(&host, "POST", &pause, &[("if-match", &first)], &json!({})).await.status, 412);
    assert_eq!(send(&host, "POST", &pause, &[("if-match", &second)], &json!({})).await.status, 200);
    assert_ne!(tag().await, second, "a pause is an edit");
    assert_eq!(send(&host, "POST", &format!("{HOURLY}/run"), &[("if-match", "\"x\"")], &json!({})).await.status, 201);
    assert_eq!(send(&host, "DELETE", HOURLY, &[("if-match", &second)], &json!({})).await.status, 412);
    let third = tag().await;
    assert_eq!(send(&host, "DELETE", HOURLY, &[("if-match", &third)], &json!({})).await.status, 200);
}

#[tokio::test]
async fn a_hold_and_a_plugin_have_tags_too() {
    let (host, _) = host().await;
    let hold = "/api/v1/holds/welcome";
    assert_eq!(host.get(hold).await.status, 404);
    let held = send(&host, "PUT", hold, &[("if-none-match", "*")], &json!({ "note": "until noon" })).await;
    let seen = host.get(hold).await;
    assert_eq!((seen.json()["note"].as_str(), seen.header("etag")), (Some("until noon"), held.header("etag")));
    assert_eq!(send(&host, "DELETE", hold, &[("if-match", "\"x\"")], &json!({})).await.status, 412);
    assert_eq!(send(&host, "DELETE", hold, &[("if-match", seen.header("etag"))], &json!({})).await.status, 200);

    let plugin = host.get("/api/v1/plugins/welcome").await;
    assert_ne!(plugin.header("etag"), "");
    let rollback = "/api/v1/plugins/welcome/rollback";
    assert_eq!(send(&host, "POST", rollback, &[("if-match", "\"x\"")], &json!({})).await.status, 412);
    let seen = [("if-match", plugin.header("etag"))];
    assert_eq!(send(&host, "POST", rollback, &seen, &json!({})).await.status, 409, "it has no earlier version");
}

#[tokio::test]
async fn a_search_has_a_tag_and_an_escaped_path_is_the_same_thing() {
    let (host, _) = host().await;
    let (path, escaped) = ("/api/v1/searches/my%20own", "/api/v1/searches/%6dy%20own");
    let put = async |path: &str, condition: (&str, &str)| {
        send(&host, "PUT", path, &[condition], &json!({ "query": "state=dead" })).await.status.as_u16()
    };
    assert_eq!(host.get(path).await.status, 404);
    assert_eq!(put(path, ("if-none-match", "*")).await, 200);
    assert_eq!(put(escaped, ("if-none-match", "*")).await, 412);
    let seen = host.get(path).await;
    assert_eq!((seen.json()["query"].as_str(), seen.header("etag").len()), (Some("state=dead"), 26));
    assert_eq!(send(&host, "DELETE", escaped, &[("if-match", "\"x\"")], &json!({})).await.status, 412);
    let shown = host.get("/runs").await.body;
    assert!(shown.contains(&seen.header("etag").replace('"', "&quot;")), "the page knows what it shows: {shown}");
    assert_eq!(send(&host, "DELETE", path, &[("if-match", seen.header("etag"))], &json!({})).await.status, 204);

    host.write("PUT", "/api/v1/holds/welcome/on-user", json!({})).await;
    let hold = "/api/v1/holds/welcome%2Fon-user";
    assert_eq!(send(&host, "DELETE", hold, &[("if-match", "\"x\"")], &json!({})).await.status, 412);
    let preview = "/api/v1/schedules/preview";
    assert_eq!(send(&host, "PUT", preview, &[("if-none-match", "*")], &hourly()).await.status, 201);
    assert_eq!(send(&host, "PUT", preview, &[("if-none-match", "*")], &hourly()).await.status, 412);
}

#[tokio::test]
async fn of_two_edits_of_what_both_have_seen_one_is_done() {
    let (host, _) = host().await;
    assert_eq!(send(&host, "PUT", HOURLY, &[], &hourly()).await.status, 201);
    let tag = host.get(HOURLY).await.header("etag").to_owned();
    // One router: turns are its own.
    let router = host.operator();
    let edit = |every: u32| {
        let body = json!({ "plugin": "welcome", "handler": "repair", "every": format!("{every}h") });
        let request = Request::put(HOURLY).header("host", OPERATOR).header(JSON.0, JSON.1).header("if-match", &tag);
        ask(router.clone(), request.body(Body::from(body.to_string())).unwrap())
    };
    let all = futures::future::join_all((2..10).map(edit)).await;
    let done: Vec<u16> = all.iter().map(|answer| answer.status.as_u16()).filter(|status| *status == 200).collect();
    assert_eq!(done, [200]);
    assert!(all.iter().all(|answer| [200, 412].contains(&answer.status.as_u16())));
}

async fn as_role(host: &Host, role: &str, method: &str, path: &str, body: &str) -> Answer {
    let form = path == "/logout";
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let request = Request::builder().method(method).uri(path).header("host", OPERATOR);
    let request = request.header("content-type", kind).header("origin", format!("http://{OPERATOR}"));
    let request = request.header("authorization", format!("Bearer {role}")).header("idempotency-key", "one");
    ask(host.operator(), request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_key_is_its_callers_alone() {
    let host = with_roles().await;
    let keep = async |role| as_role(&host, role, "PUT", "/api/v1/searches/mine", r#"{"query":"state=dead"}"#).await;
    let first = keep("operator").await;
    assert!(first.status.is_success() && !first.headers.contains_key("idempotency-replayed"), "{}", first.body);
    assert_eq!(keep("operator").await.header("idempotency-replayed"), "true");
    assert!(!keep("admin").await.headers.contains_key("idempotency-replayed"));
    assert_eq!(keep("viewer").await.status, 403, "whoever may not do it is told nothing of what was answered");
}

#[tokio::test]
async fn a_token_that_was_told_once_is_not_kept_for_a_key() {
    let host = with_roles().await;
    let make = async || as_role(&host, "admin", "POST", "/api/v1/tokens", r#"{"name":"ann","role":"viewer"}"#).await;
    let first = make().await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = make().await;
    assert_eq!(again.status, 409, "{}", again.body);
    assert!(!again.body.contains(first.json()["token"].as_str().unwrap()), "{}", again.body);
    // What strangers and forms do is not kept.
    for _ in 0..2 {
        assert!(!as_role(&host, "viewer", "POST", "/logout", "").await.headers.contains_key("idempotency-replayed"));
    }
}
