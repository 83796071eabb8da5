//! What a webhook that is in order becomes.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::event::Event;
use hookbox_core::name::{HandlerName, PluginName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::time::Millis;
use hookbox_http::ingress::IngressLimits;
use hookbox_store::{PluginRow, StoreError};

use crate::faulty::Faulty;
use crate::harness::{Answer, Host, JSON, Logs, NOW, WEBHOOKS, ask, shop, webhook};

async fn stored(host: &Host, answer: &Answer) -> Event {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let json = answer.json();
    assert_eq!(json["status"], "accepted");
    host.store.event(json["id"].as_str().unwrap().parse().unwrap()).await.unwrap().event
}

fn attribute<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_generic_webhook_becomes_an_event_of_its_provider() {
    let host = Host::new();
    let body = r#"{"type":"user.created","event_id":"e-1","name":"Ada"}"#;
    let event = stored(&host, &host.deliver(shop(body)).await).await;
    assert_eq!(event.topic(), "my-shop/user.created");
    assert_eq!((event.data.as_slice(), event.content_type.as_str()), (body.as_bytes(), "application/json"));
    assert_eq!((event.time, event.hops), (NOW, 0));
    assert_eq!(attribute(&event, "provider"), Some("my-shop"));
    assert_eq!(attribute(&event, "delivery-id"), Some("e-1"));
    assert_eq!(attribute(&event, "integrity"), Some("full"));
}

#[tokio::test]
async fn a_github_webhook_has_type_and_id_from_its_headers() {
    let host = Host::new();
    let body = br#"{"action":"opened","number":7,"pull_request":{"title":"Add a test"},"repository":{"id":1}}"#;
    let headers = [JSON, ("x-github-event", "pull_request"), ("user-agent", "GitHub-Hookshot/044aadd")];
    let request = webhook("github", "github", "72d3162e-cc78-11e3-81ab-4c9367dc0958", body, &headers);
    let event = stored(&host, &host.deliver(request).await).await;
    assert_eq!(event.topic(), "github/pull_request.opened");
    assert_eq!(attribute(&event, "delivery-id"), Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"));
}

#[tokio::test]
async fn stripe_and_standard_webhooks_are_accepted_within_their_window() {
    let host = Host::new();
    let body = br#"{"id":"evt_1NG8Du2eZvKYlo2C","object":"event","type":"payment_intent.succeeded"}"#;
    let event = stored(&host, &host.deliver(webhook("stripe", "stripe", "", body, &[JSON])).await).await;
    assert_eq!(event.topic(), "stripe/payment_intent.succeeded");
    assert_eq!(attribute(&event, "delivery-id"), Some("evt_1NG8Du2eZvKYlo2C"));
    let body = br#"{"type":"invoice.paid","timestamp":"2025-06-25T14:20:10Z","data":{}}"#;
    host.clock.advance(Millis(299_000));
    let request = webhook("standard", "standard-webhooks", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", body, &[JSON]);
    let event = stored(&host, &host.deliver(request).await).await;
    assert_eq!(event.topic(), "standard/invoice.paid");
    assert_eq!(attribute(&event, "delivery-id"), Some("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"));
}

#[tokio::test]
async fn both_spellings_of_a_name_reach_the_same_provider() {
    let host = Host::new();
    let request = webhook("my_shop", "generic", "", br#"{"event_id":"1"}"#, &[JSON]);
    let event = stored(&host, &host.deliver(request).await).await;
    assert_eq!(event.topic(), "my-shop/unknown");
    let again = host.deliver(webhook("my-shop", "generic", "", br#"{"event_id":"1"}"#, &[JSON])).await;
    assert_eq!(again.json()["status"], "duplicate");
}

#[tokio::test]
async fn a_duplicate_is_acknowledged_with_the_first_id_and_makes_no_run() {
    let host = Host::new();
    host.store.put_plugin(plugin(&["my-shop/user.created"])).await.unwrap();
    let body = r#"{"type":"user.created","event_id":"e-1"}"#;
    let first = host.deliver(shop(body)).await;
    host.clock.advance(Millis(60_000));
    let again = host.deliver(shop(body)).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json()["status"], "duplicate");
    assert_eq!(again.json()["id"], first.json()["id"]);
    let counts = host.store.counts();
    assert_eq!((counts.events, counts.pending, counts.duplicates, counts.duplicates_differ), (1, 1, 1, 0));
}

#[tokio::test]
async fn a_duplicate_with_another_body_is_counted_and_logged() {
    let host = Host::new();
    let logs = Logs::capture();
    host.deliver(shop(r#"{"event_id":"e-1","name":"Ada"}"#)).await;
    let again = host.deliver(shop(r#"{"event_id":"e-1","name":"Eve"}"#)).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(host.store.counts().duplicates_differ, 1);
    let lines = logs.take();
    assert!(lines.len() == 1 && lines[0].contains("another body") && !lines[0].contains("Eve"), "{lines:?}");
}

#[tokio::test]
async fn each_handler_that_an_event_reaches_has_one_run() {
    let host = Host::new();
    host.store.put_plugin(plugin(&["my-shop/user.created", "my-shop/*"])).await.unwrap();
    let answer = host.deliver(shop(r#"{"type":"user.created"}"#)).await;
    let record = host.store.event(answer.json()["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(record.runs.len(), 1);
    let run = host.store.run(record.runs[0]).await.unwrap();
    assert_eq!(run.target.to_string(), "welcome/on-user");
    assert_eq!(host.store.counts().unrouted, 0);
    host.deliver(webhook("small", "generic", "", b"nobody", &[])).await;
    assert_eq!(host.store.counts().unrouted, 1);
}

fn plugin(patterns: &[&str]) -> PluginRow {
    let name = PluginName::parse("welcome").unwrap();
    let handler = Handler {
        name: HandlerName::parse("on-user").unwrap(),
        trigger: Trigger::Events(patterns.iter().map(|pattern| Pattern::parse(pattern).unwrap()).collect()),
        description: None,
        policy: PolicyPatch::default(),
        filter: None,
    };
    let info = PluginInfo { name: name.clone(), version: "1".into(), description: None, handlers: vec![handler] };
    let mut row = PluginRow::new(name);
    row.activated(Digest([1; 32]), info, NOW);
    row
}

#[tokio::test]
async fn headers_are_kept_but_none_that_may_open_a_door() {
    let host = Host::new();
    let headers = [
        JSON,
        ("X-Shop-Region", "eu"),
        ("authorization", "Bearer hunter2"),
        ("cookie", "session=hunter2"),
        ("x-gitlab-token", "hunter2"),
        ("x-api-key", "hunter2"),
        ("x-forwarded-for", "10.0.0.7"),
    ];
    let request = webhook("my-shop", "generic", "", b"{}", &headers);
    let event = stored(&host, &host.deliver(request).await).await;
    let kept: Vec<_> = event.attributes.iter().filter(|(name, _)| name.starts_with("header.")).collect();
    assert_eq!(kept, [&("header.x-shop-region".to_owned(), "eu".to_owned())]);
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_kept_as_it_is() {
    let host = Host::new();
    for (content_type, kept) in [("text/plain", "text/plain"), ("", "application/octet-stream")] {
        let headers = [("content-type", content_type), ("x-event-type", "note")];
        let body = format!("no json \u{e9} {content_type}");
        let event =
            stored(&host, &host.deliver(webhook("my-shop", "generic", "", body.as_bytes(), &headers)).await).await;
        assert_eq!((event.content_type.as_str(), event.event_type.as_str()), (kept, "note"));
        assert_eq!(event.data, body.as_bytes());
    }
}

#[tokio::test]
async fn a_verified_body_that_is_declared_as_json_and_is_not_is_a_bad_request() {
    for content_type in ["application/json", "application/json; charset=utf-8", "application/cloudevents+json"] {
        let host = Host::new();
        let request =
            webhook("my-shop", "generic", "", br#"{"type":"user.created""#, &[("content-type", content_type)]);
        let answer = host.deliver(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{content_type}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(host.is_untouched());
    }
}

#[tokio::test]
async fn nothing_is_taken_before_the_host_is_ready_or_while_it_drains() {
    let host = Host::starting();
    let answer = host.deliver(shop("{}")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    host.lifecycle.begin_serving();
    assert_eq!(host.deliver(shop("{}")).await.status, StatusCode::ACCEPTED);
    let host = Host::new();
    host.lifecycle.begin_draining();
    let answer = host.deliver(shop("{}")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    assert!(host.is_untouched());
}

#[tokio::test]
async fn a_failure_of_ours_is_never_blamed_on_the_sender() {
    for error in [
        StoreError::Unavailable("disk gone".into()),
        StoreError::Corrupt("row".into()),
        StoreError::Conflict("x".into()),
        StoreError::NotFound("x".into()),
    ] {
        let host = Host::over(Arc::new(Faulty::with(error)));
        let answer = host.deliver(shop("{}")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
        assert!(!answer.body.contains("disk"), "{}", answer.body);
    }
}

fn health_asked_of(host: &str) -> Request<Body> {
    Request::get(format!("{WEBHOOKS}/health")).header("host", host).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn health_is_told_in_full_on_loopback_only() {
    let host = Host::new();
    host.store.put_plugin(plugin(&["my-shop/*"])).await.unwrap();
    host.deliver(shop("{}")).await;
    let health = || health_asked_of("127.0.0.1:8080");
    let full = ask(host.ingress(), health()).await;
    assert_eq!(full.status, StatusCode::OK);
    insta::assert_snapshot!(full.body, @r#"{"status":"ok","providers":["github","large","my-shop","small","standard","stripe"],"handlers":["welcome/on-user"],"held":[],"queue":{"pending":1,"leased":0,"dead":0},"counts":{"events":1,"unrouted":0,"duplicates":0,"duplicates_differ":0,"succeeded":0,"dead":0,"cancelled":0,"attempts":0}}"#);
    let anywhere: IpAddr = "0.0.0.0".parse().unwrap();
    let short = ask(host.ingress_with(IngressLimits::default(), anywhere), health()).await;
    assert_eq!((short.status, short.body.as_str()), (StatusCode::OK, r#"{"status":"ok"}"#));
}

#[tokio::test]
async fn health_is_not_told_in_full_through_a_proxy() {
    let host = Host::new();
    for name in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:8080"] {
        assert!(ask(host.ingress(), health_asked_of(name)).await.body.contains("providers"), "{name}");
    }
    for name in ["hooks.example.com", "localhost.example", "127.0.0.1.example:8080", "localhost:x", "::1", ""] {
        assert_eq!(ask(host.ingress(), health_asked_of(name)).await.body, r#"{"status":"ok"}"#, "{name}");
    }
    let mut two = health_asked_of("localhost");
    two.headers_mut().append("host", "hooks.example.com".parse().unwrap());
    let absolute = Request::get(format!("http://hooks.example.com{WEBHOOKS}/health")).header("host", "localhost");
    let nameless = Request::get(format!("{WEBHOOKS}/health")).body(Body::empty()).unwrap();
    for request in [two, absolute.body(Body::empty()).unwrap(), nameless] {
        assert_eq!(ask(host.ingress(), request).await.body, r#"{"status":"ok"}"#);
    }
}

#[tokio::test]
async fn health_says_why_webhooks_are_not_taken() {
    let health = || Request::get(format!("{WEBHOOKS}/health")).body(Body::empty()).unwrap();
    let host = Host::starting();
    let answer = ask(host.ingress(), health()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::SERVICE_UNAVAILABLE, &"starting".into()));
    host.lifecycle.begin_draining();
    let answer = ask(host.ingress(), health()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::SERVICE_UNAVAILABLE, &"draining".into()));
    let host = Host::over(Arc::new(Faulty::with(StoreError::Unavailable("disk gone".into()))));
    let answer = ask(host.ingress(), health_asked_of("localhost")).await;
    let json = answer.json();
    assert_eq!((answer.status, &json["status"]), (StatusCode::SERVICE_UNAVAILABLE, &"degraded".into()));
    assert!(json["reason"].as_str().unwrap().contains("disk gone"), "{json}");
    assert_eq!(ask(host.ingress(), health()).await.body, r#"{"status":"degraded"}"#, "strangers are not told");
}
