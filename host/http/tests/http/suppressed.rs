//! Duplicates, as an operator sees and releases them.

use axum::http::StatusCode;
use hookbox_core::time::Millis;
use serde_json::{Value, json};

use crate::harness::{Host, JSON, shop, webhook};

fn order(amount: u32) -> String {
    json!({ "event_id": "o-1", "type": "order.paid", "data": { "amount": amount } }).to_string()
}

async fn listed(host: &Host) -> Vec<Value> {
    host.get("/api/v1/suppressed").await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn duplicates_are_counted_listed_and_shown_with_their_bodies() {
    let host = Host::new();
    let first = host.deliver(shop(&order(1))).await.json()["id"].clone();
    for amount in [1, 1, 2] {
        host.clock.advance(Millis(1));
        let again = host.deliver(shop(&order(amount))).await;
        assert_eq!((again.status, &again.json()["id"]), (StatusCode::OK, &first));
    }
    let rows = listed(&host).await;
    let told: Vec<_> = rows.iter().map(|row| (&row["same_body"], &row["times"], &row["duplicate_of"])).collect();
    let (yes, no, once, twice) = (json!(true), json!(false), json!(1), json!(2));
    assert_eq!(told, [(&no, &once, &first), (&yes, &twice, &first)]);
    for (row, amount) in [(&rows[0], 2), (&rows[1], 1)] {
        let shown = host.get(&format!("/api/v1/suppressed/{}", row["id"].as_str().unwrap())).await.json();
        assert_eq!((&shown["data"], &shown["topic"]), (&json!(order(amount)), &json!("my-shop/order.paid")));
    }
}

#[tokio::test]
async fn a_duplicate_that_was_none_is_released() {
    let host = Host::new();
    let first = host.deliver(shop(&order(1))).await.json()["id"].clone();
    host.deliver(shop(&order(2))).await;
    let id = listed(&host).await[0]["id"].as_str().unwrap().to_owned();
    let released = host.post(&format!("/api/v1/suppressed/{id}/release")).await;
    assert_eq!((released.status, &released.json()["event"]), (StatusCode::OK, &json!(id)));
    let event = host.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!((&event["data"], &event["attributes"]["duplicate-of"]), (&json!(order(2)), &first));
    assert_eq!(listed(&host).await, [] as [Value; 0]);
    let twice = host.post(&format!("/api/v1/suppressed/{id}/release")).await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_compressed_duplicate_is_shown_inflated() {
    use std::io::Write as _;
    let host = Host::new();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for amount in [1, 2] {
        let headers = [JSON, ("content-encoding", "gzip")];
        host.deliver(webhook("my-shop", "generic", "", &gzip(&order(amount)), &headers)).await;
    }
    let id = listed(&host).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(host.get(&format!("/api/v1/suppressed/{id}")).await.json()["data"], json!(order(2)));
}

#[tokio::test]
async fn a_duplicate_that_was_sent_in_another_encoding_reads_as_it_was_sent() {
    use std::io::Write as _;
    let host = Host::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(order(1).as_bytes()).unwrap();
    let compressed = encoder.finish().unwrap();
    host.deliver(webhook("my-shop", "generic", "", &compressed, &[JSON, ("content-encoding", "gzip")])).await;
    assert_eq!(host.deliver(shop(&order(1))).await.status, StatusCode::OK);
    let row = listed(&host).await.remove(0);
    assert_eq!(row["same_body"], true);
    let id = row["id"].as_str().unwrap().to_owned();
    assert_eq!(host.get(&format!("/api/v1/suppressed/{id}")).await.json()["data"], json!(order(1)));
    assert_eq!(host.post(&format!("/api/v1/suppressed/{id}/release")).await.status, StatusCode::OK);
    let event = host.store.event_input(id.parse().unwrap()).await.unwrap();
    assert_eq!(event.payload().as_ref(), order(1).as_bytes());
}

#[tokio::test]
async fn metrics_tell_what_came_and_why_it_was_refused() {
    let host = Host::new();
    for amount in [1, 1, 2] {
        host.deliver(shop(&order(amount))).await;
    }
    host.deliver(webhook("stripe", "generic", "", b"{}", &[])).await;
    host.deliver(webhook("nobody", "generic", "", b"{}", &[])).await;
    let answer = host.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        r#"hookbox_webhooks_accepted_total{provider="my-shop"} 1"#,
        r#"hookbox_webhooks_duplicate_total{provider="my-shop",body="same"} 1"#,
        r#"hookbox_webhooks_duplicate_total{provider="my-shop",body="other"} 1"#,
        r#"hookbox_webhooks_refused_total{provider="stripe",cause="missing-header"} 1"#,
        r#"hookbox_webhooks_refused_total{provider="(unknown)",cause="unknown-provider"} 1"#,
        r#"hookbox_webhooks_secret_matched_total{provider="my-shop",secret="env SECRET"} 3"#,
        r#"hookbox_webhooks_last_accepted_timestamp_seconds{provider="my-shop"} 1750861210"#,
        r#"hookbox_events_unrouted 1"#,
        r#"hookbox_runs{state="pending"} 0"#,
    ] {
        assert!(answer.body.lines().any(|told| told == line), "{line}\n{}", answer.body);
    }
}

#[tokio::test]
async fn pages_show_duplicates_and_take_one_in() {
    let host = Host::new();
    let page = host.get("/suppressed").await;
    assert!(page.status == StatusCode::OK && page.body.contains("No duplicate is kept"), "{}", page.body);
    let first = host.deliver(shop(&order(1))).await.json()["id"].clone();
    host.deliver(shop(&order(1))).await;
    host.deliver(shop(&order(2))).await;
    let page = host.get("/suppressed").await.body;
    for told in ["<b>2</b> duplicates", "the same", "another", first.as_str().unwrap()] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let other = listed(&host).await.into_iter().find(|row| row["same_body"] == false).unwrap();
    let id = other["id"].as_str().unwrap();
    let page = host.get(&format!("/suppressed/{id}")).await.body;
    let release = format!("/api/v1/suppressed/{id}/release");
    assert!(page.contains(&release) && page.contains("&quot;amount&quot;: 2"), "{page}");
    assert_eq!(host.post(&release).await.status, StatusCode::OK);
    assert!(!host.get("/suppressed").await.body.contains(id));
    assert_eq!(host.get(&format!("/suppressed/{id}")).await.status, StatusCode::NOT_FOUND);
}
