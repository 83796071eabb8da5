//! A server that writes down what reaches it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Seen(HeaderMap);

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.to_str().unwrap())
    }
}

#[derive(Default)]
struct Book {
    seen: Mutex<Vec<HeaderMap>>,
    /// How the bodies of requests ended.
    ended: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

pub(crate) struct Server {
    port: u16,
    book: Arc<Book>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, book) = (listener.local_addr().unwrap().port(), Arc::<Book>::default());
        let served = Arc::clone(&book);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                served.connections.fetch_add(1, Ordering::Relaxed);
                let book = Arc::clone(&served);
                let service = service_fn(move |request| answer(request, Arc::clone(&book)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Server { port, book, serving }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.book.seen.lock().unwrap().iter().cloned().map(Seen).collect()
    }

    pub(crate) fn ended(&self) -> Vec<String> {
        self.book.ended.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.book.connections.load(Ordering::Relaxed)
    }
}

/// A body that goes on after its first part, some day.
struct Stalled(Option<Bytes>);

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |part| Poll::Ready(Some(Ok(Frame::data(part)))))
    }
}

async fn answer(
    request: Request<Incoming>,
    book: Arc<Book>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    book.seen.lock().unwrap().push(parts.headers);
    let body = body.collect().await.map(|body| body.to_bytes());
    let end = if body.is_ok() { "whole" } else { "broken off" };
    book.ended.lock().unwrap().push(format!("{}: {end}", parts.uri.path()));
    let body = body.unwrap_or_default();
    let text = match parts.uri.path() {
        "/redirect" => {
            let to = "http://169.254.169.254/latest/meta-data";
            return Ok(Response::builder().status(302).header("location", to).body(Full::default().boxed()).unwrap());
        }
        "/silence" => std::future::pending().await,
        "/stall" => return Ok(Response::new(Stalled(Some(Bytes::from_static(b"some"))).boxed())),
        "/flood" => Bytes::from(vec![b'x'; 4 << 20]),
        _ => format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&body)).into(),
    };
    Ok(Response::new(Full::new(text).boxed()))
}
