//! The same over real connections: limits, keep-alive and the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::to_bytes;
use hookbox_core::time::Millis;
use hookbox_http::ingress::IngressLimits;
use hookbox_http::serve::{Served, ServerLimits, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::{Host, shop};

pub(crate) struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Served>,
}

impl Server {
    pub(crate) async fn start(router: Router, limits: ServerLimits) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, router, None, limits, async { drop(stopped.await) }));
        Server { address, stop, served }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn ingress(host: &Host, limits: IngressLimits) -> Router {
    host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The head of a signed webhook without its end, and its body.
pub(crate) async fn wire(body: &str) -> (String, Vec<u8>) {
    let (head, body) = shop(body).into_parts();
    let mut text = format!("POST {} HTTP/1.1\r\nhost: localhost\r\n", head.uri.path());
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    (text, to_bytes(body, usize::MAX).await.unwrap().into())
}

/// The head and as much of the body as its length says.
pub(crate) async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let byte = stream.read_u8().await.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
        text.push(byte);
        if text.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn one_connection_carries_many_webhooks() {
    let host = Host::new();
    let server = Server::start(ingress(&host, IngressLimits::default()), ServerLimits::default()).await;
    let mut stream = server.connect().await;
    for n in 0..3 {
        let (head, body) = wire(&format!("{{\"event_id\":\"{n}\"}}")).await;
        stream.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("\"accepted\""), "{answer}");
    }
    assert_eq!(host.store.counts().events, 3);
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_the_body_comes() {
    let host = Host::new();
    let server = Server::start(ingress(&host, IngressLimits::default()), ServerLimits::default()).await;
    let mut stream = server.connect().await;
    let (head, _) = wire("{}").await;
    stream.write_all(format!("{head}content-length: 1048577\r\n\r\n").as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(is_closed(&mut stream).await && host.is_untouched());
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_refused_where_it_passes_it() {
    let host = Host::new();
    let limits = IngressLimits { body_bytes_max: 16, ..IngressLimits::default() };
    let server = Server::start(ingress(&host, limits), ServerLimits::default()).await;
    let mut stream = server.connect().await;
    let (head, _) = wire("{}").await;
    stream
        .write_all(format!("{head}transfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n").as_bytes())
        .await
        .unwrap();
    stream.write_all(b"1\r\n!\r\n").await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(is_closed(&mut stream).await && host.is_untouched());
}

#[tokio::test]
async fn a_chunked_body_within_the_limit_is_taken() {
    let host = Host::new();
    let server = Server::start(ingress(&host, IngressLimits::default()), ServerLimits::default()).await;
    let mut stream = server.connect().await;
    let (head, body) = wire("{\"event_id\":\"1\"}").await;
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    for byte in body {
        stream.write_all(format!("1\r\n{}\r\n", char::from(byte)).as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[tokio::test]
async fn a_sender_that_stops_in_the_middle_is_given_up() {
    let host = Host::new();
    let limits = IngressLimits { body_read_timeout: Millis(20), ..IngressLimits::default() };
    let server = Server::start(ingress(&host, limits), ServerLimits::default()).await;
    let mut stream = server.connect().await;
    let (head, _) = wire("{}").await;
    stream.write_all(format!("{head}content-length: 2\r\n\r\n{{").as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(is_closed(&mut stream).await && host.is_untouched());
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let host = Host::new();
    let limits = ServerLimits { head_read_timeout: Millis(20), ..ServerLimits::default() };
    let server = Server::start(host.ingress(), limits).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /api/v1/webhooks/webhook/my-shop HTTP/1.1\r\nhost: ").await.unwrap();
    assert!(is_closed(&mut stream).await);
    let mut idle = server.connect().await;
    assert!(is_closed(&mut idle).await);
}

#[tokio::test]
async fn a_head_with_too_many_headers_is_refused() {
    let host = Host::new();
    let server = Server::start(host.ingress(), ServerLimits { headers_max: 8, ..ServerLimits::default() }).await;
    let mut stream = server.connect().await;
    let many = "x: y\r\n".repeat(9);
    stream.write_all(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn while_as_many_as_may_be_are_in_flight_others_are_put_off() {
    let host = Host::new();
    let limits = IngressLimits { in_flight_max: 1, ..IngressLimits::default() };
    let server = Server::start(ingress(&host, limits), ServerLimits::default()).await;
    let mut first = server.connect().await;
    let (head, body) = wire("{}").await;
    let head = format!("{head}content-length: {}\r\n", body.len());
    // The host asks for the body once it has let the webhook in.
    first.write_all(format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    first.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut second = server.connect().await;
    second.write_all(format!("{head}\r\n{{}}").as_bytes()).await.unwrap();
    let refused = answer(&mut second).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: "), "{refused}");
    first.write_all(&body).await.unwrap();
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 202"));
}

/// A connection whose webhook was let in and whose body is still to come.
async fn open_request(server: &Server) -> (TcpStream, Vec<u8>) {
    let mut stream = server.connect().await;
    let (head, body) = wire("{}").await;
    let head = format!("{head}content-length: {}\r\nexpect: 100-continue\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 25]).await.unwrap();
    (stream, body)
}

#[tokio::test]
async fn a_request_that_has_come_is_answered_at_shutdown() {
    let host = Host::new();
    let server = Server::start(host.ingress(), ServerLimits::default()).await;
    let mut idle = server.connect().await;
    let (mut stream, body) = open_request(&server).await;
    host.lifecycle.begin_draining();
    server.stop.send(()).unwrap();
    assert!(is_closed(&mut idle).await);
    stream.write_all(&body).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("connection: close"), "{answer}");
    assert_eq!(server.served.await.unwrap(), Served { cut: 0 });
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_at_shutdown() {
    let host = Host::new();
    let limits = ServerLimits { drain: Millis(20), ..ServerLimits::default() };
    let server = Server::start(host.ingress(), limits).await;
    let (mut stream, _) = open_request(&server).await;
    server.stop.send(()).unwrap();
    assert_eq!(server.served.await.unwrap(), Served { cut: 1 });
    assert!(is_closed(&mut stream).await && host.is_untouched());
}

/// Its answer is a part at once and one when it is told to.
fn endless() -> (Router, std::sync::Arc<tokio::sync::Notify>) {
    let more = std::sync::Arc::new(tokio::sync::Notify::new());
    let told = more.clone();
    let parts = futures::stream::unfold(0, move |n| {
        let told = told.clone();
        async move {
            if n > 0 {
                told.notified().await;
            }
            Some((Ok::<_, std::io::Error>("part\n"), n + 1))
        }
    });
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(axum::body::Body::from_stream(parts))));
    let take = move || std::future::ready(body.lock().unwrap().take().unwrap());
    let route = axum::routing::get(take);
    (Router::new().route("/stream", route).route("/short", axum::routing::get(async || "short")), more)
}

#[tokio::test]
async fn a_stream_that_waits_for_its_next_part_makes_no_room_and_a_silent_connection_does() {
    let (router, more) = endless();
    let limits = ServerLimits { connections_max: 2, silent_for: Millis(0), ..ServerLimits::default() };
    let server = Server::start(router, ServerLimits { crowds: vec!["127.0.0.0/8".parse().unwrap()], ..limits }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("part\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    // One after the other needs the second place, which is the only one that is silent.
    let mut silent = server.connect().await;
    for _ in 0..3 {
        let mut next = server.connect().await;
        next.write_all(b"GET /short HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert!(answer(&mut next).await.ends_with("short"));
        assert!(is_closed(&mut silent).await);
        silent = next;
    }
    more.notify_one();
    read.clear();
    while !String::from_utf8_lossy(&read).contains("part\n") {
        read.push(stream.read_u8().await.unwrap());
    }
}
