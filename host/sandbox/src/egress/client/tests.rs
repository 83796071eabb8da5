use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookbox_core::egress::Grant;
use http_body_util::{BodyExt, Empty};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::super::connect;
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

fn get(url: &str) -> Request<WasiBody> {
    let body = Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync();
    Request::get(url).body(body).unwrap()
}

#[tokio::test]
async fn connections_of_all_plugins_together_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sockets = Arc::new(Semaphore::new(1));
    let client = || Client::new(egress(&format!("http://*:{port}")), Arc::new(Here), tls(), Arc::clone(&sockets));
    let ask = |client: Client, host: &str| {
        let request = get(&format!("http://{host}.example:{port}/"));
        tokio::spawn(async move { client.request(request).await.is_ok() })
    };
    let first = ask(client(), "a");
    let (stream, _) = listener.accept().await.unwrap();
    // Its server says nothing, so it keeps the only place.
    let second = ask(client(), "b");
    while sockets.available_permits() > 0 || !first.is_finished() && second.is_finished() {
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
    let sockets = Arc::new(Semaphore::new(SOCKETS_MAX));
    let client = Client::new(egress("http://*"), resolver.clone(), tls(), Arc::clone(&sockets));
    let begun = Instant::now();
    // More than may look up names at one time: the last one is never asked for.
    let asking: Vec<_> = (0..=LOOKUPS_MAX)
        .map(|n| {
            let (client, request) = (client.clone(), get(&format!("http://h{n}.example/")));
            tokio::spawn(async move { client.request(request).await.map(drop).map_err(|refusal| refusal.error) })
        })
        .collect();
    for one in asking {
        let ended = one.await.unwrap();
        assert!(matches!(ended, Err(Error::ConnectionTimeout)), "{ended:?}");
    }
    let took = begun.elapsed();
    assert!(took >= connect::CONNECT && took < 2 * connect::CONNECT, "{took:?}");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), LOOKUPS_MAX);
    assert_eq!(sockets.available_permits(), SOCKETS_MAX, "places of connections are free again");
    // A place for lookups is free when the system has given up.
    resolver.open.add_permits(1);
    let ended = client.request(get("http://next.example/")).await.map(drop).map_err(|refusal| refusal.error);
    assert!(matches!(ended, Err(Error::DnsError { .. })), "{ended:?}");
}

#[tokio::test]
async fn tls_sessions_are_resumed_by_the_same_plugin_only() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trusting = trusting.with_root_certificates(roots).with_no_client_auth();
    let client = || {
        let sockets = Arc::new(Semaphore::new(SOCKETS_MAX));
        Client::new(egress(&format!("https://*:{port}")), Arc::new(Here), trusting.clone(), sockets)
    };
    let (first, other) = (client(), client());
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
