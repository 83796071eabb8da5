//! CloudEvents in their three modes: the same event, whatever form it came in.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::rate::Rate;
use hookbox_core::secret::Secret;
use hookbox_core::verify::{Scheme, Verifier};
use hookbox_http::providers::{Allowance, LiveProvider, Providers};
use serde_json::{Value, json};

use crate::harness::{Answer, Host, SECRET, WEBHOOKS, live};

/// A host with one provider, `mesh`.
fn host() -> Host {
    let host = Host::new();
    host.providers.store(Arc::new(Providers::new([live("mesh", "cloudevents", None)])));
    host
}

fn post(content_type: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(format!("{WEBHOOKS}/mesh")).header("authorization", format!("Bearer {SECRET}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.header("content-type", content_type).body(body.into()).unwrap()
}

const HEADERS: [(&str, &str); 6] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "A-1"),
    ("ce-source", "/shops/1"),
    ("ce-type", "order.paid"),
    ("ce-subject", "orders/7"),
    ("ce-traceparent", "00-0af7"),
];
const DATA: &str = r#"{ "amount" : 1.50 }"#;
const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";
const BATCHED: &str = "application/cloudevents-batch+json";

fn structured(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/shops/1","type":"order.paid","subject":"orders/7","traceparent":"00-0af7","data":{DATA}}}"#
    )
}

async fn event(host: &Host, id: &Value) -> Value {
    let mut event = host.get(&format!("/api/v1/events/{}", id.as_str().unwrap())).await.json();
    event.as_object_mut().unwrap().remove("id");
    event
}

async fn accepted(host: &Host, answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    event(host, &answer.json()["id"]).await
}

#[tokio::test]
async fn an_event_is_the_same_in_whatever_mode_it_comes() {
    let (first, second, third) = (host(), host(), host());
    let binary = accepted(&first, &first.deliver(post("application/json", &HEADERS, DATA)).await).await;
    assert_eq!(
        (&binary["type"], &binary["subject"], &binary["data"]),
        (&json!("order.paid"), &json!("orders/7"), &json!(DATA))
    );
    let attributes = &binary["attributes"];
    for (name, value) in [
        ("ce-id", "A-1"),
        ("ce-source", "/shops/1"),
        ("ce-traceparent", "00-0af7"),
        ("delivery-id", "A-1"),
        ("provider", "mesh"),
        ("integrity", "none"),
    ] {
        assert_eq!(attributes[name], value, "{name}: {attributes}");
    }
    assert!(attributes.get("header.ce-id").is_none() && attributes.get("header.authorization").is_none());
    let in_json = accepted(&second, &second.deliver(post(STRUCTURED, &[], structured("A-1"))).await).await;
    assert_eq!(in_json, binary);
    let batch = third.deliver(post(BATCHED, &[], format!("[{}]", structured("A-1")))).await;
    assert_eq!(batch.status, StatusCode::ACCEPTED);
    assert_eq!(event(&third, &batch.json()["events"][0]["id"]).await, binary);
}

#[tokio::test]
async fn each_event_of_a_batch_is_an_event_and_is_known_again() {
    let host = host();
    let batch = |ids: &[&str]| format!("[{}]", ids.iter().map(|id| structured(id)).collect::<Vec<_>>().join(","));
    let first = host.deliver(post(BATCHED, &[], batch(&["1", "2", "1"]))).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let told = first.json()["events"].clone();
    let states: Vec<&str> = told.as_array().unwrap().iter().map(|event| event["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["accepted", "accepted", "duplicate"]);
    assert_eq!(told[0]["id"], told[2]["id"]);
    // The same event alone, and in another mode, is the same.
    let alone =
        host.deliver(post("application/json", &[&HEADERS[..1], &[("ce-id", "2")], &HEADERS[2..]].concat(), DATA)).await;
    assert_eq!((alone.status, alone.json()["id"].clone()), (StatusCode::OK, told[1]["id"].clone()));
    let again = host.deliver(post(BATCHED, &[], batch(&["2", "1"]))).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(host.store.counts().events, 2);
    let empty = host.deliver(post(BATCHED, &[], "[]")).await;
    assert_eq!((empty.status, empty.body.as_str()), (StatusCode::OK, r#"{"events":[]}"#));
}

#[tokio::test]
async fn the_same_id_of_another_source_is_another_event() {
    let host = host();
    let other = structured("1").replace("/shops/1", "/shops/2");
    for body in [structured("1"), other] {
        assert_eq!(host.deliver(post(STRUCTURED, &[], body)).await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn of_a_batch_with_a_fault_nothing_is_taken() {
    let host = host();
    let batch = format!("[{},{}]", structured("1"), structured("2").replace("1.0", "0.3"));
    let answer = host.deliver(post(BATCHED, &[], batch)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["detail"], "the event at index 1 of the batch must have specversion 1.0");
    assert!(host.is_untouched());
    let seen = host.get("/api/v1/providers/mesh").await.json();
    assert_eq!(seen["refused"], json!({ "no-cloudevents": 1 }));
}

#[tokio::test]
async fn a_stranger_does_not_learn_what_is_wrong() {
    let host = host();
    let forged = Request::post(format!("{WEBHOOKS}/mesh")).header("authorization", "Bearer other");
    let answer = host.deliver(forged.header("content-type", STRUCTURED).body(Body::from("[]")).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!answer.body.contains("specversion"));
}

#[tokio::test]
async fn data_that_is_no_json_is_kept_as_it_is() {
    let host = host();
    let binary = host.deliver(post("image/png", &HEADERS, &b"\x89PNG\0"[..])).await;
    let record = host.store.event(binary.json()["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!((record.event.data.as_slice(), record.event.content_type.as_str()), (&b"\x89PNG\0"[..], "image/png"));
    let body = structured("B")
        .replace(&format!(r#""data":{DATA}"#), r#""datacontenttype":"image/png","data_base64":"iVBORwA=""#);
    let in_json = host.deliver(post(STRUCTURED, &[], body)).await;
    let record = host.store.event(in_json.json()["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!((record.event.data.as_slice(), record.event.content_type.as_str()), (&b"\x89PNG\0"[..], "image/png"));
}

#[tokio::test]
async fn a_sender_that_asks_may_send() {
    let host = host();
    let ask = |provider: &str, origin: &str| {
        let request = Request::options(format!("{WEBHOOKS}/{provider}")).header("webhook-request-origin", origin);
        request.body(Body::empty()).unwrap()
    };
    let answer = host.deliver(ask("mesh", "eventgrid.azure.net")).await;
    assert_eq!((answer.status, answer.header("webhook-allowed-origin")), (StatusCode::OK, "*"));
    assert_eq!((answer.header("webhook-allowed-rate"), answer.header("allow")), ("*", "POST"));
    for (provider, origin) in [("nobody", "a.example"), ("mesh", "<script>"), ("mesh", "")] {
        let answer = host.deliver(ask(provider, origin)).await;
        assert_eq!(
            (answer.status, answer.header("webhook-allowed-origin")),
            (StatusCode::UNAUTHORIZED, ""),
            "{origin}"
        );
    }
    let (name, generic) = live("mesh", "generic", None);
    host.providers.store(Arc::new(Providers::new([(name, generic)])));
    assert_eq!(host.deliver(ask("mesh", "a.example")).await.status, StatusCode::UNAUTHORIZED);
    assert!(host.is_untouched());
}

#[tokio::test]
async fn each_event_of_a_batch_counts_to_the_rate_and_to_the_queue() {
    let host = host();
    let (name, mesh) = live("mesh", "cloudevents", None);
    let allowance = Some(Allowance::new(Rate::per_second(1).unwrap()));
    host.providers.store(Arc::new(Providers::new([(name, LiveProvider { allowance, ..mesh })])));
    let batch = |from: u32, to: u32| {
        let events: Vec<String> = (from..to).map(|id| structured(&id.to_string())).collect();
        post(BATCHED, &[], format!("[{}]", events.join(",")))
    };
    let over = host.deliver(batch(0, 6)).await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS, "five may come at once");
    assert!(host.is_untouched());
    // The one that was refused was charged as one delivery, and not for its events.
    assert_eq!(host.deliver(batch(0, 4)).await.status, StatusCode::ACCEPTED);
    assert_eq!(host.deliver(batch(4, 5)).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn headers_of_a_batch_are_not_kept_with_each_of_its_events() {
    let host = host();
    let answer = host.deliver(post(BATCHED, &[("x-large", "large")], format!("[{}]", structured("1")))).await;
    let event = event(&host, &answer.json()["events"][0]["id"]).await;
    assert!(!event.to_string().contains("large"), "{event}");
}

#[tokio::test]
async fn a_signature_among_the_attributes_is_not_kept() {
    let host = host();
    let scheme = Scheme::from_yaml("like: cloudevents\nheader: ce-token\nprefix: \"\"").unwrap();
    let verifier = Verifier::new(&scheme, &[Secret::new("hush").unwrap()], None).unwrap().into();
    let (name, mesh) = live("mesh", "cloudevents", None);
    host.providers.store(Arc::new(Providers::new([(name, LiveProvider { verifier, ..mesh })])));
    let headers = [&HEADERS[..], &[("ce-token", "hush"), ("ce-partitionkey", "7")]].concat();
    let event = accepted(&host, &host.deliver(post("application/json", &headers, DATA)).await).await;
    assert!(!event.to_string().contains("hush"), "{event}");
    assert_eq!(event["attributes"]["ce-partitionkey"], "7");
}
