//! How long a connection is waited for, and how long it is kept.

use std::net::TcpStream;

use tokio::net::TcpSocket;

use super::*;

#[tokio::test]
async fn an_idle_connection_gives_its_place_back_while_another_waits_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let places = Places::new(1, 0);
    let client =
        |name| Client::new(egress(&format!("http://*:{port}")), Arc::new(Here), tls(), places.of(&plugin(name)));
    let (first, second) = (client("a"), client("b"));
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut request, mut part) = (Vec::new(), [0; 1024]);
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut part).await.unwrap();
            request.extend_from_slice(&part[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream
    };
    let (mut stream, answered) = tokio::join!(serve, first.request(get(&format!("http://a.example:{port}/"))));
    assert_eq!(answered.map_err(|refusal| refusal.reason).unwrap().status(), 200);
    // Nothing but timers is waited for from here on.
    tokio::time::pause();
    let begun = Instant::now();
    let next = tokio::spawn(async move { second.request(get(&format!("http://b.example:{port}/"))).await.is_ok() });
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "it is closed");
    tokio::time::resume();
    assert!(begun.elapsed() < CONNECT, "{:?}", begun.elapsed());
    listener.accept().await.unwrap();
    next.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_let_in_is_waited_for_as_long_as_a_lookup() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts them, until the system lets in no more.
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    let places = Places::default();
    let grant = format!("http://*:{}", address.port());
    let client = Client::new(egress(&grant), Arc::new(Here), tls(), places.of(&plugin("a")));
    let begun = Instant::now();
    let request = get(&format!("http://a.example:{}/", address.port()));
    let ended = client.request(request).await.map(drop).map_err(|refusal| refusal.error);
    assert!(matches!(ended, Err(Error::ConnectionTimeout)), "{ended:?}");
    let took = begun.elapsed();
    assert!(took >= CONNECT && took < CONNECT + Duration::from_secs(1), "{took:?}");
}

/// A thousand addresses of each family, and as many that are not to be reached.
struct Many;

#[async_trait::async_trait]
impl Resolve for Many {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let end = |n: usize| format!("{}.{}", n / 256, n % 256);
        let each = |n| [format!("10.0.{}", end(n)), format!("127.0.{}", end(n)), format!("2606:4700::{n:x}")];
        Ok((0..1000).flat_map(each).map(|address| address.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn of_many_addresses_so_few_are_tried_that_each_has_time() {
    let places = Places::default().of(&plugin("a"));
    let gate = Gate { egress: egress("http://*"), resolver: Arc::new(Many), places, private: false };
    let tried = gate.addresses("a.example").await.unwrap();
    assert_eq!((tried.len(), tried.iter().filter(|address| address.is_ipv6()).count()), (8, 4));
    assert!(tried.iter().all(|address| gate.egress.is_reachable(address.ip())), "{tried:?}");
}
