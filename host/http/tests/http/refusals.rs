//! What a webhook that is not in order is told: nothing that helps a stranger.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};
use bytes::Bytes;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_http::ingress::IngressLimits;

use crate::harness::{Host, JSON, Logs, NOW, SECRET, WEBHOOKS, ask, shop, signed, webhook};

const BODY: &[u8] = br#"{"type":"user.created","password":"hunter2"}"#;
const OTHER_SECRET: &str = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";

fn with(mut request: Request<Body>, name: &'static str, value: &'static str) -> Request<Body> {
    request.headers_mut().insert(name, HeaderValue::from_static(value));
    request
}

fn without(mut request: Request<Body>, name: &str) -> Request<Body> {
    request.headers_mut().remove(name);
    request
}

fn twice(mut request: Request<Body>, name: &'static str) -> Request<Body> {
    let value = request.headers().get(name).unwrap().clone();
    request.headers_mut().append(name, value);
    request
}

/// Every cause, and a delivery that has it.
fn unverifiable() -> Vec<(&'static str, Request<Body>)> {
    let good = || webhook("my-shop", "generic", "", BODY, &[JSON]);
    let stripe = |at: Timestamp| signed("stripe", "stripe", SECRET, at, "", BODY, &[JSON]);
    let beyond = Millis(301_000);
    vec![
        ("missing-header", without(good(), "x-webhook-signature")),
        ("mismatch", with(good(), "x-webhook-signature", "sha256=zz")),
        ("malformed-header", with(good(), "x-webhook-signature", "md5=d41d8cd98f00b204e9800998ecf8427e")),
        ("malformed-header", with(good(), "x-webhook-signature", "")),
        ("duplicate-header", twice(good(), "x-webhook-signature")),
        ("duplicate-header", twice(with(good(), "x-event-type", "user.deleted"), "x-event-type")),
        ("mismatch", signed("my-shop", "generic", OTHER_SECRET, NOW, "", BODY, &[JSON])),
        ("mismatch", signed("standard", "standard-webhooks", OTHER_SECRET, NOW, "msg_1", BODY, &[JSON])),
        ("missing-header", webhook("github", "generic", "", BODY, &[JSON])),
        ("outside-tolerance", stripe(NOW.minus(beyond))),
        ("outside-tolerance", stripe(NOW.plus(beyond))),
        ("unknown-provider", webhook("nobody", "generic", "", BODY, &[JSON])),
        ("unknown-provider", webhook("..%2fetc", "generic", "", BODY, &[JSON])),
        // Not verified, so what the body declares does not matter.
        ("mismatch", signed("my-shop", "generic", OTHER_SECRET, NOW, "", b"{", &[JSON])),
    ]
}

#[tokio::test]
async fn every_cause_has_the_same_answer_and_stores_nothing() {
    for (cause, request) in unverifiable() {
        let host = Host::new();
        let answer = host.deliver(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cause}");
        let body =
            r#"{"type":"urn:hookbox:problem:unverified","title":"The delivery cannot be verified","status":401}"#;
        assert_eq!(answer.body, body, "{cause}");
        let names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["content-type", "content-length"], "{cause}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{cause}");
        assert!(host.is_untouched(), "{cause}");
    }
}

#[tokio::test]
async fn every_cause_has_one_line_in_the_log_without_a_secret() {
    let logs = Logs::capture();
    for (cause, request) in unverifiable() {
        let signatures: Vec<String> = ["x-webhook-signature", "stripe-signature", "webhook-signature"]
            .iter()
            .filter_map(|name| request.headers().get(*name)?.to_str().ok())
            .filter(|value| value.len() > 20)
            .map(|value| value[value.len() - 20..].to_owned())
            .collect();
        Host::new().deliver(request).await;
        let lines = logs.take();
        assert_eq!(lines.len(), 1, "{cause}: {lines:?}");
        let line = &lines[0];
        assert!(line.contains(&format!("reason=\"{cause}\"")) && line.contains("provider="), "{cause}: {line}");
        for secret in ["hunter2", "user.created", "whsec", "zz", "etc", "md5"] {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
        assert!(!signatures.iter().any(|signature| line.contains(signature)), "{line}");
    }
}

#[tokio::test]
async fn an_accepted_delivery_is_logged_without_a_secret() {
    let logs = Logs::capture();
    let host = Host::new();
    host.deliver(webhook("my-shop", "generic", "", BODY, &[JSON, ("authorization", "Bearer hunter2")])).await;
    for line in logs.take() {
        assert!(!line.contains("hunter2") && !line.contains("whsec") && !line.contains("sha256="), "{line}");
    }
}

#[tokio::test]
async fn a_body_of_the_limit_is_taken_and_a_larger_one_refused() {
    let host = Host::new();
    let deliver = |body: &'static [u8]| host.deliver(webhook("small", "generic", "", body, &[]));
    assert_eq!(deliver(b"0123456789abcdef").await.status, StatusCode::ACCEPTED);
    assert_eq!(deliver(b"0123456789abcdefg").await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(host.store.counts().events, 1);
    let large = vec![b'a'; (1 << 20) + 1];
    assert_eq!(host.deliver(webhook("large", "generic", "", &large, &[])).await.status, StatusCode::ACCEPTED);
    let larger = vec![b'a'; (2 << 20) + 1];
    assert_eq!(host.deliver(webhook("large", "generic", "", &larger, &[])).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_limit_of_its_own_does_not_tell_that_a_provider_exists() {
    for (bytes, status) in [(17, 401), (1 << 20, 401), ((1 << 20) + 1, 413), ((2 << 20) + 1, 413)] {
        let body = vec![b'a'; bytes];
        let strange = |provider| signed(provider, "generic", OTHER_SECRET, NOW, "", &body, &[]);
        let unknown = Host::new().deliver(strange("nobody")).await;
        assert_eq!(unknown.status, status, "{bytes}");
        for provider in ["small", "large", "my-shop"] {
            let answer = Host::new().deliver(strange(provider)).await;
            assert_eq!((answer.status, &answer.body), (unknown.status, &unknown.body), "{provider}, {bytes} bytes");
        }
    }
}

/// A body whose length nobody declares.
fn streamed(request: Request<Body>, chunks: usize) -> Request<Body> {
    let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'a'; 1024]));
    let body = futures::stream::iter((0..chunks).map(move |_| chunk()));
    request.map(|_| Body::from_stream(body))
}

#[tokio::test]
async fn a_streamed_body_is_refused_as_soon_as_it_is_too_large() {
    for provider in ["my-shop", "nobody"] {
        let host = Host::new();
        let request = streamed(webhook(provider, "generic", "", b"", &[]), 1025);
        assert_eq!(host.deliver(request).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{provider}");
        let request = streamed(webhook(provider, "generic", "", b"", &[]), 1024);
        assert_eq!(host.deliver(request).await.status, StatusCode::UNAUTHORIZED, "{provider}");
        assert!(host.is_untouched());
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = IngressLimits { body_read_timeout: Millis(20), ..IngressLimits::default() };
    for provider in ["my-shop", "nobody"] {
        let host = Host::new();
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let request = webhook(provider, "generic", "", b"", &[]).map(|_| never);
        let answer = ask(host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST)), request).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{provider}");
        assert!(host.is_untouched());
    }
}

#[tokio::test]
async fn only_so_many_are_in_flight() {
    let host = Host::new();
    let limits = IngressLimits { in_flight_max: 0, ..IngressLimits::default() };
    let answer = ask(host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST)), shop("{}")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    let limits = IngressLimits { in_flight_max: 1, ..IngressLimits::default() };
    let router = host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST));
    for body in ["{\"a\":1}", "{\"a\":2}"] {
        assert_eq!(ask(router.clone(), shop(body)).await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    for (method, path, allowed) in [
        ("DELETE", "my-shop", "POST,GET,HEAD,OPTIONS"),
        ("PUT", "nobody", "POST,GET,HEAD,OPTIONS"),
        ("POST", "health", "GET,HEAD"),
    ] {
        let request = Request::builder().method(method).uri(format!("{WEBHOOKS}/{path}")).body(Body::empty()).unwrap();
        let answer = Host::new().deliver(request).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (StatusCode::METHOD_NOT_ALLOWED, allowed),
            "{method} {path}"
        );
        assert_eq!(answer.json()["type"], "urn:hookbox:problem:wrong-method");
    }
}

#[tokio::test]
async fn there_is_exactly_one_path_for_webhooks() {
    for path in
        ["/api/v1/webhooks/webhook/my-shop/", "/api/v1/webhooks/webhook", "/webhook/my-shop", "/", "/api/v1/events"]
    {
        let mut request = shop("{}");
        *request.uri_mut() = path.parse().unwrap();
        let answer = Host::new().deliver(request).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["type"], "urn:hookbox:problem:not-found");
    }
}
