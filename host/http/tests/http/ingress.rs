//! The straight line: what a verified webhook becomes.

use axum::http::StatusCode;

use crate::harness::{Host, shop};

#[tokio::test]
async fn a_verified_webhook_is_stored_and_accepted() {
    let host = Host::new();
    let answer = host.deliver(shop(r#"{"type":"user.created","event_id":"e-1","name":"Ada"}"#)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let json = answer.json();
    assert_eq!(json["status"], "accepted");
    let stored = host.store.event(json["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(stored.event.topic(), "my-shop/user.created");
}
