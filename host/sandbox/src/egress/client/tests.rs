//! Against servers of our own, without a sandbox around it.

mod h2;
mod roots;
mod time;

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookbox_core::egress::Grant;
use hookbox_core::name::PluginName;
use http_body_util::{BodyExt, Empty};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::super::places::{ALL_MAX, LOOKUPS_MAX, Places};
use super::*;

struct Here;

#[async_trait::async_trait]
impl Resolve for Here {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }
}

/// Says nothing until it is opened, and then that there is no such name.
struct Hanging {
    asked: AtomicUsize,
    open: Semaphore,
}

#[async_trait::async_trait]
impl Resolve for Hanging {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _open = self.open.acquire().await.map_err(io::Error::other)?;
        Err(io::Error::other("no such name"))
    }
}

fn egress(grant: &str) -> Arc<Egress> {
    let grants = vec![Grant::parse(grant).unwrap()];
    Arc::new(Egress { grants, networks: vec!["127.0.0.0/8".parse().unwrap()], ..Egress::default() })
}

fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

fn get(url: &str) -> Request<WasiBody> {
    let body = Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync();
    Request::get(url).body(body).unwrap()
}

#[tokio::test]
async fn connections_of_all_plugins_together_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let places = Places::new(1, 0);
    let client =
        |name| Client::new(egress(&format!("http://*:{port}")), Arc::new(Here), tls(), places.of(&plugin(name)));
    let ask = |client: Client, host: &str| {
        let request = get(&format!("http://{host}.example:{port}/"));
        tokio::spawn(async move { client.request(request).await.is_ok() })
    };
    let first = ask(client("a"), "a");
    let (stream, _) = listener.accept().await.unwrap();
    // Its server says nothing, so it keeps the only place.
    let second = ask(client("b"), "b");
    while places.free() > 0 || !first.is_finished() && second.is_finished() {
        tokio::task::yield_now().await;
    }
    let early = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(early.is_err(), "the second one is connected beside the first");
    first.abort();
    drop(stream);
    listener.accept().await.unwrap();
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_never_answers_ends_with_the_time_to_connect_and_keeps_no_connection() {
    let resolver = Arc::new(Hanging { asked: AtomicUsize::new(0), open: Semaphore::new(0) });
    let places = Places::default();
    let version = || Client::new(egress("http://*"), resolver.clone(), tls(), places.of(&plugin("a")));
    let versions = [version(), version()];
    let begun = Instant::now();
    // More than may look up names at one time: the last one is never asked for.
    let asking: Vec<_> = (0..=LOOKUPS_MAX)
        .map(|n| {
            let (client, request) = (versions[n % 2].clone(), get(&format!("http://h{n}.example/")));
            tokio::spawn(async move { client.request(request).await.map(drop).map_err(|refusal| refusal.error) })
        })
        .collect();
    while resolver.asked.load(Ordering::SeqCst) < LOOKUPS_MAX {
        tokio::task::yield_now().await;
    }
    assert_eq!(places.free(), ALL_MAX, "a lookup has the place of a connection");
    for one in asking {
        let ended = one.await.unwrap();
        assert!(matches!(ended, Err(Error::ConnectionTimeout)), "{ended:?}");
    }
    let took = begun.elapsed();
    assert!(took >= CONNECT && took < 2 * CONNECT, "{took:?}");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), LOOKUPS_MAX);
    // A place for lookups is free when the system has given up.
    resolver.open.add_permits(1);
    let ended = versions[0].request(get("http://next.example/")).await.map(drop).map_err(|refusal| refusal.error);
    assert!(matches!(ended, Err(Error::DnsError { .. })), "{ended:?}");
}

/// One that is told apart by its certificate, and one that trusts it alone.
fn certified() -> (ServerConfig, ClientConfig) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (server_of(cert.der().clone(), &signing_key), trusting.with_root_certificates(roots).with_no_client_auth())
}

fn server_of(cert: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    server.with_no_client_auth().with_single_cert(vec![cert], key).unwrap()
}

#[tokio::test]
async fn tls_sessions_are_resumed_by_the_same_plugin_only() {
    let (server, trusting) = certified();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let places = Places::default();
    let client = |name| {
        Client::new(egress(&format!("https://*:{port}")), Arc::new(Here), trusting.clone(), places.of(&plugin(name)))
    };
    let (first, other) = (client("a"), client("b"));
    let mut shaken = Vec::new();
    for client in [&first, &first, &other] {
        let serve = async {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            let (mut request, mut part) = (Vec::new(), [0; 1024]);
            while !request.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
            kind
        };
        let (kind, answered) = tokio::join!(serve, client.request(get(&format!("https://a.example:{port}/"))));
        assert_eq!(answered.map_err(|refusal| refusal.reason).unwrap().status(), 200);
        shaken.push(kind);
    }
    assert_eq!(shaken, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Full]);
}
