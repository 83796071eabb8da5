//! Tokens that are made and revoked, and the log of what was done.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::time::Millis;
use hookbox_store::{Store, StoreError};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::access_table::with_roles;
use crate::faulty::Faulty;
use crate::harness::{Answer, Host, OPERATOR, ask, with_token};

const NO_RUN: &str = "/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/cancel";

pub(crate) async fn by(host: &Host, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", OPERATOR);
    let request = request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
    let body = if method == "GET" { Body::empty() } else { Body::from(body.to_string()) };
    ask(host.operator_with(with_token("hush")), request.body(body).unwrap()).await
}

async fn audit(host: &Host, query: &str) -> Vec<Value> {
    let page = by(host, "admin", "GET", &format!("/api/v1/audit{query}"), json!({})).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    page.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_token_is_shown_once_and_kept_as_a_hash() {
    let host = with_roles().await;
    let asked = json!({ "name": "ci", "role": "operator", "expires_in": "1d" });
    let made = by(&host, "admin", "POST", "/api/v1/tokens", asked.clone()).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, "/api/v1/tokens/ci"), "{made:?}");
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("hbx_") && token.len() == 4 + 43, "{token}");
    let who = by(&host, &token, "GET", "/api/v1/whoami", json!({})).await.json();
    assert_eq!(who, json!({ "who": "ci", "via": "token", "role": "operator" }));
    let listed = by(&host, "admin", "GET", "/api/v1/tokens", json!({})).await;
    assert!(!listed.body.contains(&token) && !listed.body.contains("hash"), "{listed:?}");
    let row = &listed.json()["items"][1];
    assert_eq!((&row["name"], &row["by"], &row["expired"]), (&json!("ci"), &json!("admin"), &json!(false)), "{row}");
    assert_eq!(by(&host, "admin", "POST", "/api/v1/tokens", asked).await.status, StatusCode::CONFLICT);
    host.clock.advance(Millis::DAY);
    assert_eq!(by(&host, &token, "GET", "/api/v1/whoami", json!({})).await.status, StatusCode::UNAUTHORIZED);
    let revoked = by(&host, "admin", "DELETE", "/api/v1/tokens/ci", json!({})).await;
    assert_eq!(revoked.json()["expired"], true);
    assert_eq!(by(&host, "admin", "DELETE", "/api/v1/tokens/ci", json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_that_is_asked_for_badly_is_not_made() {
    let host = with_roles().await;
    for (asked, part) in [
        (json!({}), "name"),
        (json!({ "name": "No Name", "role": "viewer" }), "name: a token's name must be"),
        (json!({ "name": "loopback", "role": "viewer" }), "name: loopback is somebody else"),
        (json!({ "name": "ci", "role": "root" }), "role: must be viewer, operator, admin, or metrics"),
        (json!({ "name": "ci", "role": "viewer", "expires_in": "soon" }), "expires_in: must be a duration"),
        (json!({ "name": "ci", "role": "viewer", "expires_in": "1s" }), "expires_in: must be 1m..=3650d"),
    ] {
        let refused = by(&host, "admin", "POST", "/api/v1/tokens", asked).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(part), "{refused:?}");
    }
    let more = json!({ "name": "ci", "role": "viewer", "for": "me" });
    assert_eq!(by(&host, "admin", "POST", "/api/v1/tokens", more).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_page_makes_and_revokes_tokens_without_a_script() {
    let host = with_roles().await;
    let form = async |path: &str, body: &str| {
        let request = Request::post(path).header("host", OPERATOR).header("authorization", "Bearer admin");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("sec-fetch-site", "same-origin").body(Body::from(body.to_owned())).unwrap();
        ask(host.operator_with(with_token("hush")), request).await
    };
    let made = form("/tokens", "name=ann&role=viewer&expires_in=").await;
    let token = made.body.split("id=\"token\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(by(&host, &token, "GET", "/api/v1/whoami", json!({})).await.json()["who"], "ann");
    let listed = by(&host, "admin", "GET", "/tokens", json!({})).await;
    assert!(listed.body.contains("/tokens/ann/revoke") && !listed.body.contains(&token), "{}", listed.body);
    let wrong = form("/tokens", "name=<b>&role=viewer").await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && !wrong.body.contains("<b>"), "{}", wrong.body);
    let revoked = form("/tokens/ann/revoke", "").await;
    assert_eq!((revoked.status, revoked.header("location")), (StatusCode::SEE_OTHER, "/tokens"));
    assert_eq!(by(&host, &token, "GET", "/api/v1/whoami", json!({})).await.status, StatusCode::UNAUTHORIZED);
    let seen: Vec<Value> = audit(&host, "").await.iter().map(|entry| entry["detail"].clone()).collect();
    assert_eq!(seen, [json!("ann"), Value::Null, json!("ann as viewer")]);
}

#[tokio::test]
async fn every_write_is_in_the_log_with_who_what_and_how_it_ended() {
    let host = with_roles().await;
    let held = by(&host, "operator", "PUT", "/api/v1/holds/shop/on-user", json!({ "note": "quiet" })).await;
    assert_eq!(held.status, StatusCode::OK, "{held:?}");
    by(&host, "operator", "POST", NO_RUN, json!({})).await;
    by(&host, "viewer", "POST", NO_RUN, json!({})).await;
    by(&host, "hush", "POST", "/api/v1/runs/cancel", json!({ "filter": { "plugin": "a" }, "dry_run": true })).await;
    host.post("/api/v1/schedules/nightly/run").await;
    by(&host, "operator", "GET", "/api/v1/runs", json!({})).await;
    let wrong = by(&host, "wrong", "POST", NO_RUN, json!({})).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let entries = audit(&host, "").await;
    let told: Vec<[&str; 6]> = entries
        .iter()
        .map(|entry| ["who", "via", "role", "what", "object", "result"].map(|name| entry[name].as_str().unwrap()))
        .collect();
    let no_run = "run_01JABCDEFGHJKMNPQRSTVWXYZ0";
    assert_eq!(
        told,
        [
            ["loopback", "loopback", "admin", "run schedule", "nightly", "not-found"],
            ["configured", "token", "admin", "cancel runs", "", "done"],
            ["viewer", "token", "viewer", "cancel run", no_run, "forbidden"],
            ["operator", "token", "operator", "cancel run", no_run, "not-found"],
            ["operator", "token", "operator", "hold", "shop/on-user", "done"],
        ]
    );
    assert_eq!(entries[1]["detail"], "counted only");
    assert_eq!(audit(&host, "?who=viewer").await.len(), 1);
    assert_eq!(audit(&host, "?text=hold").await.len(), 1);
    assert_eq!(audit(&host, "?limit=2").await.len(), 2);
    assert_eq!(by(&host, "admin", "GET", "/api/v1/audit?whom=x", json!({})).await.status, StatusCode::BAD_REQUEST);
    let page = by(&host, "admin", "GET", "/audit?who=viewer", json!({})).await;
    assert!(page.body.contains("forbidden") && page.body.contains(no_run) && !page.body.contains("nightly"));
}

#[tokio::test]
async fn refusals_do_not_push_everything_else_out_of_the_log() {
    let host = with_roles().await;
    let router = host.operator_with(with_token("hush"));
    for _ in 0..50 {
        let request = Request::post(NO_RUN).header("host", OPERATOR).header("authorization", "Bearer viewer");
        let request = request.header("content-type", "application/json").body(Body::from("{}")).unwrap();
        assert_eq!(ask(router.clone(), request).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(audit(&host, "").await.len(), 10);
    // What strangers try is counted by itself.
    for _ in 0..15 {
        let request = Request::post("/login").header("host", OPERATOR).header("origin", format!("http://{OPERATOR}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        ask(router.clone(), request.body(Body::from("token=wrong")).unwrap()).await;
    }
    assert_eq!(audit(&host, "?who=nobody").await.len(), 10);
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_done() {
    let host = Host::over(std::sync::Arc::new(Faulty::with(StoreError::Unavailable("the disk is full".to_owned()))));
    for path in [NO_RUN, "/api/v1/schedules/nightly/run"] {
        let refused = host.post(path).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    }
    let _: &dyn Store = &*host.store;
}

#[tokio::test]
async fn what_was_asked_for_is_done_and_written_down_also_when_the_asker_has_gone() {
    let host = Host::new();
    let request = Request::builder().method("PUT").uri("/api/v1/searches/mine").header("host", OPERATOR);
    let request = request.header("content-type", "application/json").body(Body::from(r#"{"query":"state=dead"}"#));
    let mut asked = Box::pin(host.operator().oneshot(request.unwrap()));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(asked.as_mut().poll(context))).await;
    assert!(polled.is_pending(), "it is under way");
    drop(asked);
    for _ in 0..1000 {
        let audit = host.get("/api/v1/audit").await.json();
        if audit["items"][0]["result"] == "done" {
            assert_eq!(audit["items"][0]["what"], "keep search");
            assert_eq!(host.get("/api/v1/searches").await.json()["items"][0]["name"], "mine");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it was not done to its end");
}
