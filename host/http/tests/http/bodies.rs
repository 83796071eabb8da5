//! Bodies in memory: no more of them than may be, and every byte is given back.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::{Extension, Router};
use futures::SinkExt;
use futures::channel::mpsc;
use hookbox_core::time::Millis;
use hookbox_http::ingress::IngressLimits;
use hookbox_http::serve::{Peer, ServerLimits};
use hookbox_store::{Store, StoreError};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::faulty::{Faulty, Webhooks};
use crate::harness::{Answer, Host, JSON, Logs, NOW, ask, shop, signed, webhook};
use crate::socket::{Server, answer, wire};

const BODY_BYTES_MAX: usize = 40_000;
const BODIES_BYTES_MAX: usize = 60_000;
const OTHER_SECRET: &str = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";

fn limits() -> IngressLimits {
    IngressLimits { body_bytes_max: BODY_BYTES_MAX, bodies_bytes_max: BODIES_BYTES_MAX, ..IngressLimits::default() }
}

/// Two of the largest do not find room together.
fn tight(host: &Host) -> Router {
    local(host, limits())
}

/// Senders on this machine, who have no share of their own.
fn local(host: &Host, limits: IngressLimits) -> Router {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    host.ingress_with(limits, here).layer(Extension(Peer(here)))
}

/// A body of so many bytes, unlike that of any other `id`.
fn body(id: &str, bytes: usize) -> String {
    let frame = format!(r#"{{"event_id":"{id}","fill":""}}"#).len();
    format!(r#"{{"event_id":"{id}","fill":"{}"}}"#, "x".repeat(bytes - frame))
}

/// The sender's side of a body that comes in pieces.
type Pieces = mpsc::Sender<Result<Bytes, io::Error>>;

/// The same webhook, whose body is sent piece by piece: one that is sent has been read.
fn in_pieces(request: Request<Body>) -> (Pieces, Request<Body>) {
    let (pieces, comes) = mpsc::channel(0);
    (pieces, request.map(|_| Body::from_stream(comes)))
}

/// Begun, with all but a few bytes of its body.
async fn held(router: &Router, id: &str) -> (Pieces, JoinHandle<Answer>, String) {
    let text = body(id, BODY_BYTES_MAX);
    let (mut pieces, request) = in_pieces(shop(&text));
    let asked = tokio::spawn(ask(router.clone(), request));
    let (now, later) = text.split_at(BODY_BYTES_MAX - 1_000);
    pieces.send(Ok(Bytes::copy_from_slice(now.as_bytes()))).await.unwrap();
    (pieces, asked, later.to_owned())
}

/// Waits for the time when the largest body finds room again.
async fn has_room(router: &Router, id: &str) {
    while ask(router.clone(), shop(&body(id, BODY_BYTES_MAX))).await.status != StatusCode::ACCEPTED {
        tokio::task::yield_now().await;
    }
}

fn is_put_off(answer: &Answer) -> bool {
    let told = (answer.status, answer.header("retry-after"), answer.json()["type"].clone());
    told == (StatusCode::SERVICE_UNAVAILABLE, "2", "urn:hookbox:problem:unavailable".into())
}

#[tokio::test]
async fn a_body_that_finds_no_room_is_put_off_and_a_small_one_gets_in() {
    let (host, logs) = (Host::new(), Logs::capture());
    let router = tight(&host);
    let (mut pieces, first, rest) = held(&router, "first").await;
    logs.take();
    let second = ask(router.clone(), shop(&body("second", BODY_BYTES_MAX))).await;
    assert!(is_put_off(&second), "{second:?}");
    assert!(logs.take()[0].contains("reason=\"bodies-full\""));
    let small = ask(router.clone(), shop(r#"{"event_id":"small"}"#)).await;
    assert_eq!(small.status, StatusCode::ACCEPTED);

    pieces.send(Ok(rest.into())).await.unwrap();
    drop(pieces);
    assert_eq!(first.await.unwrap().status, StatusCode::ACCEPTED);
    let second = ask(router, shop(&body("second", BODY_BYTES_MAX))).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(host.store.counts().events, 3);
}

#[tokio::test]
async fn one_that_grows_beyond_what_there_is_gives_back_what_it_had() {
    let host = Host::new();
    let router = tight(&host);
    let (mut first, asked_first, rest) = held(&router, "first").await;
    let (mut second, request) = in_pieces(shop(&body("second", BODY_BYTES_MAX)));
    let asked_second = tokio::spawn(ask(router.clone(), request));
    second.send(Ok(vec![b'x'; 15_000].into())).await.unwrap();
    // No room for so much, and while its sender goes on it holds nothing.
    second.send(Ok(vec![b'x'; 15_000].into())).await.unwrap();
    let third = ask(router.clone(), shop(&body("third", 20_000))).await;
    assert_eq!(third.status, StatusCode::ACCEPTED);
    drop(second);
    assert!(is_put_off(&asked_second.await.unwrap()));
    first.send(Ok(rest.into())).await.unwrap();
    drop(first);
    assert_eq!(asked_first.await.unwrap().status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_length_that_is_only_declared_holds_nothing() {
    let host = Host::new();
    let router = tight(&host);
    let server = Server::start(router.clone(), ServerLimits::default()).await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        let mut stream = server.connect().await;
        let (head, body) = wire(&body("idle", BODY_BYTES_MAX)).await;
        let (first, _) = body.split_at(1_000);
        stream.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
        stream.write_all(first).await.unwrap();
        idle.push(stream);
    }
    has_room(&router, "large").await;
}

#[tokio::test]
async fn what_slow_senders_hold_on_a_socket_is_bounded_and_given_back_when_they_go() {
    let host = Host::new();
    let router = tight(&host);
    let server = Server::start(router.clone(), ServerLimits::default()).await;
    let (head, text) = wire(&body("slow", BODY_BYTES_MAX)).await;
    let (most, _) = text.split_at(BODY_BYTES_MAX - 1_000);
    let mut slow = server.connect().await;
    slow.write_all(format!("{head}content-length: {BODY_BYTES_MAX}\r\n\r\n").as_bytes()).await.unwrap();
    slow.write_all(most).await.unwrap();
    let mut tries = 0;
    while !is_put_off(&ask(router.clone(), shop(&body(&format!("try-{tries}"), BODY_BYTES_MAX))).await) {
        tries += 1;
    }
    // Another slow one is answered at once, in the middle of its body.
    let mut late = server.connect().await;
    late.write_all(format!("{head}content-length: {BODY_BYTES_MAX}\r\n\r\n").as_bytes()).await.unwrap();
    late.write_all(&text).await.unwrap();
    let put_off = answer(&mut late).await;
    assert!(put_off.starts_with("HTTP/1.1 503") && put_off.contains("retry-after: 2"), "{put_off}");

    let (head, small) = wire(r#"{"event_id":"small"}"#).await;
    let mut other = server.connect().await;
    other.write_all(format!("{head}content-length: {}\r\n\r\n", small.len()).as_bytes()).await.unwrap();
    other.write_all(&small).await.unwrap();
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 202"));
    drop(slow);
    has_room(&router, "after").await;
}

#[tokio::test]
async fn a_sender_that_goes_away_gives_back_what_it_held() {
    let host = Host::new();
    let router = tight(&host);
    let (_pieces, asked, _) = held(&router, "gone").await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    let next = ask(router, shop(&body("next", BODY_BYTES_MAX))).await;
    assert_eq!(next.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn whatever_is_refused_gives_back_what_it_held() {
    let host = Host::new();
    let limits = IngressLimits { body_read_timeout: Millis(20), bodies_bytes_max: BODY_BYTES_MAX, ..limits() };
    let router = local(&host, limits);
    let largest = body("largest", BODY_BYTES_MAX);
    let forged = signed("my-shop", "generic", OTHER_SECRET, NOW, "", largest.as_bytes(), &[JSON]);
    let unknown = signed("nobody", "generic", OTHER_SECRET, NOW, "", largest.as_bytes(), &[JSON]);
    let no_json = webhook("my-shop", "generic", "", &vec![b'{'; BODY_BYTES_MAX], &[JSON]);
    let own_limit = webhook("small", "generic", "", largest.as_bytes(), &[JSON]);
    let (mut cut, cut_request) = in_pieces(shop(&largest));
    let (mut slow, slow_request) = in_pieces(shop(&largest));
    let (mut large, large_request) = in_pieces(shop(&largest));
    for (request, pieces, status) in [
        (forged, None, StatusCode::UNAUTHORIZED),
        (unknown, None, StatusCode::UNAUTHORIZED),
        (no_json, None, StatusCode::BAD_REQUEST),
        (own_limit, None, StatusCode::PAYLOAD_TOO_LARGE),
        (cut_request, Some((&mut cut, Err(io::ErrorKind::ConnectionReset.into()))), StatusCode::BAD_REQUEST),
        (slow_request, Some((&mut slow, Ok(Bytes::from_static(b"{")))), StatusCode::REQUEST_TIMEOUT),
        (large_request, Some((&mut large, Ok(vec![b'x'; 2].into()))), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let asked = tokio::spawn(ask(router.clone(), request));
        if let Some((pieces, last)) = pieces {
            pieces.send(Ok(vec![b'x'; BODY_BYTES_MAX - 1].into())).await.unwrap();
            // The receiver may be gone by then.
            let _ = pieces.send(last).await;
            if status == StatusCode::PAYLOAD_TOO_LARGE {
                pieces.close_channel();
            }
        }
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        let next = ask(router.clone(), shop(&body(&format!("after-{status}"), BODY_BYTES_MAX))).await;
        assert!(next.status.is_success(), "after {status}: {next:?}");
    }
}

#[tokio::test]
async fn a_store_that_fails_or_panics_gives_back_what_was_held() {
    let store = Arc::new(Faulty::with(StoreError::Unavailable("no space left".to_owned())));
    let host = Host::over(store.clone());
    let router = tight(&host);
    for webhooks in [Webhooks::Fail, Webhooks::Panic, Webhooks::Fail, Webhooks::Panic] {
        store.webhooks(webhooks.clone());
        let answer = ask(router.clone(), shop(&body("one", BODY_BYTES_MAX))).await;
        assert!(is_put_off(&answer), "{webhooks:?}: {answer:?}");
    }
    store.webhooks(Webhooks::Work);
    let answer = ask(router, shop(&body("one", BODY_BYTES_MAX))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_the_store_has_yet_to_write_is_held_though_its_sender_is_gone() {
    let store = Arc::new(Faulty::with(StoreError::Unavailable("no space left".to_owned())));
    let permits = Arc::new(Semaphore::new(0));
    store.webhooks(Webhooks::Wait(permits.clone()));
    let host = Host::over(store.clone());
    let router = tight(&host);
    let (mut pieces, asked, rest) = held(&router, "first").await;
    pieces.send(Ok(rest.into())).await.unwrap();
    drop(pieces);
    // It is at the store once all that can go on has gone on.
    while Arc::strong_count(&permits) < 3 {
        tokio::task::yield_now().await;
    }
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    let second = ask(router.clone(), shop(&body("second", BODY_BYTES_MAX))).await;
    assert!(is_put_off(&second), "{second:?}");

    store.webhooks(Webhooks::Work);
    permits.add_permits(1);
    has_room(&router, "second").await;
    assert_eq!(store.counts().events, 2, "the first was written, too");
}

#[tokio::test]
async fn one_source_holds_a_quarter_or_one_body() {
    let (host, logs) = (Host::new(), Logs::capture());
    let limits = IngressLimits { bodies_bytes_max: 8 * BODY_BYTES_MAX, ..limits() };
    let router = host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let from = |peer: &str, mut request: Request<Body>| {
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        request
    };
    let mut slow = Vec::new();
    for id in ["a", "b"] {
        let (mut pieces, request) = in_pieces(shop(&body(id, BODY_BYTES_MAX)));
        let asked = tokio::spawn(ask(router.clone(), from("192.0.2.1", request)));
        pieces.send(Ok(vec![b'x'; BODY_BYTES_MAX - 10].into())).await.unwrap();
        slow.push((pieces, asked));
    }
    logs.take();
    let more = ask(router.clone(), from("192.0.2.1", shop(&body("c", BODY_BYTES_MAX)))).await;
    assert!(is_put_off(&more), "{more:?}");
    assert!(logs.take()[0].contains("reason=\"source-bodies-full\""));
    let other = ask(router.clone(), from("192.0.2.2", shop(&body("d", BODY_BYTES_MAX)))).await;
    assert_eq!(other.status, StatusCode::ACCEPTED);
}
