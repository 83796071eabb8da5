//! Who is taken in how often, and from where.

use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};
use hookbox_core::rate::Rate;
use hookbox_core::time::Millis;
use hookbox_http::ingress::IngressLimits;
use hookbox_http::providers::{Allowance, LiveProvider, Providers};
use hookbox_http::serve::Peer;

use crate::harness::{Answer, Host, JSON, Logs, NOW, ask, live, shop, signed};

const OTHER_SECRET: &str = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";
/// What a rate of one a second lets through at once.
const BURST: usize = 5;

fn from(peer: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    request
}

fn via(peer: &str, forwarded: &'static str, request: Request<Body>) -> Request<Body> {
    let mut request = from(peer, request);
    request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static(forwarded));
    request
}

fn forged() -> Request<Body> {
    signed("my-shop", "generic", OTHER_SECRET, NOW, "", b"{}", &[JSON])
}

/// One webhook a second from each address.
fn strict(host: &Host) -> Router {
    let limits = IngressLimits { per_source: Rate::per_second(1).unwrap(), ..IngressLimits::default() };
    host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// `my-shop`, with what `change` makes of it.
fn shop_with(change: impl FnOnce(&mut LiveProvider)) -> Host {
    let host = Host::new();
    let (name, mut provider) = live("my-shop", "generic", None);
    change(&mut provider);
    host.providers.store(Providers::new([(name, provider)]).into());
    host
}

fn is_too_many(answer: &Answer) -> bool {
    (answer.status, answer.header("retry-after")) == (StatusCode::TOO_MANY_REQUESTS, "1")
}

#[tokio::test]
async fn a_source_that_posts_too_often_waits_and_others_do_not() {
    let host = Host::new();
    let router = strict(&host);
    for _ in 0..BURST {
        assert_eq!(ask(router.clone(), from("192.0.2.1", forged())).await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = ask(router.clone(), from("192.0.2.1", shop("{}"))).await;
    assert!(is_too_many(&answer), "{answer:?}");
    assert_eq!(answer.json()["type"], "urn:hookbox:problem:too-many");
    assert!(host.is_untouched());
    assert_eq!(ask(router.clone(), from("192.0.2.2", shop("{}"))).await.status, StatusCode::ACCEPTED);
    host.clock.advance(Millis(1_000));
    assert_eq!(ask(router, from("192.0.2.1", shop("{\"a\":1}"))).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_stranger_cannot_change_its_address_by_a_header() {
    let router = strict(&Host::new());
    for forwarded in ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5"] {
        ask(router.clone(), via("192.0.2.1", forwarded, forged())).await;
    }
    assert!(is_too_many(&ask(router, via("192.0.2.1", "198.51.100.6", forged())).await));
}

#[tokio::test]
async fn a_trusted_proxy_stands_for_the_addresses_that_it_names() {
    let router = strict(&Host::new());
    for _ in 0..BURST {
        ask(router.clone(), via("10.0.0.1", "198.51.100.1", forged())).await;
    }
    assert!(is_too_many(&ask(router.clone(), via("10.0.0.1", "203.0.113.1, 198.51.100.1", forged())).await));
    let other = ask(router, via("10.0.0.1", "198.51.100.1, 198.51.100.2", forged())).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_provider_is_charged_for_what_is_its_own_alone() {
    let host = shop_with(|shop| shop.allowance = Some(Allowance::new(Rate::per_second(1).unwrap())));
    for _ in 0..3 * BURST {
        assert_eq!(host.deliver(forged()).await.status, StatusCode::UNAUTHORIZED);
    }
    for number in 0..BURST {
        assert_eq!(host.deliver(shop(&format!("{{\"a\":{number}}}"))).await.status, StatusCode::ACCEPTED);
    }
    let answer = host.deliver(shop("{}")).await;
    assert!(is_too_many(&answer), "{answer:?}");
    assert_eq!(host.store.counts().events, BURST as u64);
    // Whoever cannot sign does not learn of it.
    assert_eq!(host.deliver(forged()).await.status, StatusCode::UNAUTHORIZED);
    host.clock.advance(Millis(1_000));
    assert_eq!(host.deliver(shop("{}")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_provider_that_sends_from_elsewhere_is_refused_like_a_forger() {
    let logs = Logs::capture();
    let host = shop_with(|shop| shop.allow_from = vec!["192.0.2.0/24".parse().unwrap()]);
    let forger = host.deliver(from("192.0.2.7", forged())).await;
    logs.take();
    for request in [
        from("198.51.100.7", shop("{}")),
        via("198.51.100.7", "192.0.2.7", shop("{}")),
        via("10.0.0.1", "192.0.2.7, 198.51.100.7", shop("{}")),
        shop("{}"),
    ] {
        let answer = host.deliver(request).await;
        assert_eq!((answer.status, &answer.headers, &answer.body), (forger.status, &forger.headers, &forger.body));
        assert!(logs.take()[0].contains("reason=\"source-not-allowed\""));
        assert!(host.is_untouched());
    }
    assert_eq!(host.deliver(from("192.0.2.7", shop("{}"))).await.status, StatusCode::ACCEPTED);
    let proxied = via("10.0.0.1", "198.51.100.7, 192.0.2.7", shop("{\"a\":1}"));
    assert_eq!(host.deliver(proxied).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn webhooks_are_put_off_while_as_many_runs_wait_as_may() {
    let host = Host::new();
    let with = |queue_max| {
        let limits = IngressLimits { queue_max, ..IngressLimits::default() };
        host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST))
    };
    let waiting = host.store.counts().pending;
    let full = ask(with(waiting), shop(r#"{"event_id":"1"}"#)).await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!full.header("retry-after").is_empty());
    assert!(host.is_untouched());
    assert_eq!(ask(with(waiting + 1), shop(r#"{"event_id":"1"}"#)).await.status, StatusCode::ACCEPTED);
}
