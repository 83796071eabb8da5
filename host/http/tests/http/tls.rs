//! The listener with TLS, and the places that connections have.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hookbox_core::time::Millis;
use hookbox_http::serve::{Served, ServerLimits, serve};
use hookbox_http::tls::Tls;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::harness::Host;

const REQUEST: &[u8] = b"GET /api/v1/webhooks/webhook/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

struct Pair {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair() -> Pair {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Pair { certificate: cert.pem(), key: signing_key.serialize_pem(), der: cert.der().clone() }
}

fn tls(pair: &Pair) -> Tls {
    Tls::new(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap()
}

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Served>,
}

async fn start(tls: Option<Arc<Tls>>, limits: ServerLimits) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = Host::new().ingress();
    let served = tokio::spawn(serve(listener, router, tls, limits, async { drop(stopped.await) }));
    Server { address, stop, served }
}

async fn connect(
    address: SocketAddr,
    trusted: &Pair,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

async fn health(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = String::new();
    // The end of TLS may be told by the end of the connection.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_plain_http_is_not() {
    let own = pair();
    let server = start(Some(Arc::new(tls(&own))), ServerLimits::default()).await;
    for version in [&TLS12, &TLS13] {
        let stream = connect(server.address, &own, version).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert!(health(stream).await.starts_with("HTTP/1.1 200"), "{version:?}");
    }
    let plain = health(TcpStream::connect(server.address).await.unwrap()).await;
    assert!(!plain.contains("HTTP/1.1"), "{plain}");
    server.stop.send(()).unwrap();
    assert_eq!(server.served.await.unwrap(), Served { cut: 0 });
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_connections_go_on() {
    let (old, new) = (pair(), pair());
    let serving = Arc::new(tls(&old));
    let server = start(Some(serving.clone()), ServerLimits::default()).await;
    let before = connect(server.address, &old, &TLS13).await.unwrap();
    serving.replace(tls(&new));
    assert!(connect(server.address, &old, &TLS13).await.is_err(), "the old one is shown no more");
    assert!(health(connect(server.address, &new, &TLS13).await.unwrap()).await.starts_with("HTTP/1.1 200"));
    assert!(health(before).await.starts_with("HTTP/1.1 200"));
}

#[test]
fn what_cannot_be_used_is_told() {
    let (one, other) = (pair(), pair());
    let told = |certificate: &str, key: &str| Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string();
    assert!(told("", &one.key).contains("the certificate file holds none"));
    assert!(told(&one.key, &one.key).contains("the certificate file holds none"));
    assert!(told(&one.certificate, &one.certificate).contains("the key file holds no private key"));
    assert_eq!(told(&one.certificate, &other.key), "the key is not the one of the certificate");
}

#[tokio::test]
async fn who_does_not_come_to_tls_is_given_up() {
    let limits = ServerLimits { head_read_timeout: Millis(20), ..ServerLimits::default() };
    let server = start(Some(Arc::new(tls(&pair()))), limits).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(is_closed(&mut silent).await);
}

#[tokio::test]
async fn who_has_not_come_to_tls_does_not_hold_up_the_end() {
    let server = start(Some(Arc::new(tls(&pair()))), ServerLimits::default()).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    server.stop.send(()).unwrap();
    assert_eq!(server.served.await.unwrap(), Served { cut: 0 });
    assert!(is_closed(&mut silent).await);
}

#[tokio::test]
async fn a_full_host_makes_room_by_closing_the_oldest_that_says_nothing() {
    let limits = ServerLimits { connections_max: 4, silent_for: Millis(0), ..ServerLimits::default() };
    let server = start(None, limits).await;
    let mut silent = Vec::new();
    for half in [&b""[..], b"POST / HTTP/1.1\r\n", b"", b""] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(half).await.unwrap();
        silent.push(stream);
    }
    for _ in 0..3 {
        let stream = TcpStream::connect(server.address).await.unwrap();
        assert!(health(stream).await.starts_with("HTTP/1.1 200"));
    }
    assert!(is_closed(&mut silent[0]).await, "the oldest made room");
}

#[tokio::test]
async fn a_connection_with_a_request_is_not_closed_for_another() {
    let limits = ServerLimits { connections_max: 1, silent_for: Millis(0), ..ServerLimits::default() };
    let server = start(None, limits).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /api/v1/webhooks/webhook/my-shop HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    busy.read_exact(&mut [0; 25]).await.unwrap();
    let waiting = tokio::spawn(health(TcpStream::connect(server.address).await.unwrap()));
    tokio::task::yield_now().await;
    busy.write_all(b"{}").await.unwrap();
    let mut answer = [0; 12];
    busy.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert!(waiting.await.unwrap().starts_with("HTTP/1.1 200"), "now there is room");
}
