//! HTTP/2, which a server and the host agree upon as TLS begins.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame};
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use super::*;

const TOGETHER: usize = 8;

#[derive(Default)]
struct Book {
    connections: AtomicUsize,
    /// What was taken of an endless body.
    taken: AtomicUsize,
}

struct Server {
    book: Arc<Book>,
    client: Client,
    port: u16,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    async fn start() -> Server {
        let (mut server, trusting) = certified();
        server.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (book, together) = (Arc::<Book>::default(), Arc::new(Barrier::new(TOGETHER)));
        let served = Arc::clone(&book);
        let serving = tokio::spawn(async move {
            loop {
                let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
                served.connections.fetch_add(1, Ordering::SeqCst);
                let (book, together) = (Arc::clone(&served), Arc::clone(&together));
                let service = service_fn(move |request| answer(request, Arc::clone(&book), Arc::clone(&together)));
                let http = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        let places = Places::default().of(&plugin("a"));
        let client = Client::new(egress(&format!("https://*:{port}")), Arc::new(Here), trusting, places);
        Server { book, client, port, serving }
    }

    async fn ask(&self, path: &str) -> Result<Response<Incoming>, Error> {
        let request = get(&format!("https://a.example:{}{path}", self.port));
        self.client.request(request).await.map_err(|refusal| refusal.error)
    }

    async fn read(&self, path: &str) -> Bytes {
        let answer = self.ask(path).await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        answer.into_body().collect().await.unwrap().to_bytes()
    }

    fn connections(&self) -> usize {
        self.book.connections.load(Ordering::SeqCst)
    }
}

struct Endless(Arc<Book>);

const PART: [u8; 4 << 10] = [b'x'; 4 << 10];

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.taken.fetch_add(PART.len(), Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PART)))))
    }
}

async fn answer(
    request: Request<Incoming>,
    book: Arc<Book>,
    together: Arc<Barrier>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let path = request.uri().path();
    let heads = path.strip_prefix("/head/").map_or(0, |number| number.parse().unwrap());
    let body = match path {
        "/endless" => Endless(book).boxed(),
        "/large" => Full::from(vec![b'x'; 1 << 20]).boxed(),
        "/together" => {
            together.wait().await;
            Full::from("together").boxed()
        }
        _ => Full::from("hello").boxed(),
    };
    let mut answer = Response::new(body);
    for n in 0..heads {
        let name: http::HeaderName = format!("x-{n}").parse().unwrap();
        answer.headers_mut().insert(name, "v".repeat(1000).parse().unwrap());
    }
    Ok(answer)
}

#[tokio::test]
async fn requests_at_one_time_share_one_connection() {
    let server = Server::start().await;
    assert_eq!(server.read("/").await, "hello");
    // Each is answered when all of them are there.
    let all: [_; TOGETHER] = std::array::from_fn(|_| server.read("/together"));
    let [a, b, c, d, e, f, g, h] = all;
    let answers: [Bytes; TOGETHER] = tokio::join!(a, b, c, d, e, f, g, h).into();
    assert!(answers.iter().all(|answer| answer == "together"), "{answers:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let server = Server::start().await;
    assert_eq!(server.read("/head/14").await, "hello");
    let ended = server.ask("/head/16").await.map(|answer| answer.headers().len());
    assert!(matches!(ended, Err(Error::HttpProtocolError)), "{ended:?}");
    assert_eq!((server.read("/").await, server.connections()), (Bytes::from("hello"), 1));
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_not_taken_whole_and_holds_up_no_other() {
    let server = Server::start().await;
    let unread = server.ask("/endless").await.unwrap();
    while server.book.taken.load(Ordering::SeqCst) < WINDOW_BYTES as usize {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.read("/large").await.len(), 1 << 20);
    // What the server has put out itself comes on top.
    let taken = server.book.taken.load(Ordering::SeqCst);
    assert!(taken < 1 << 20, "{taken}");
    assert_eq!(server.connections(), 1);
    drop(unread);
}
