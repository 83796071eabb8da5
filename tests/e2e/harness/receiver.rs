//! A small server that keeps what it is sent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Receiver {
    pub(crate) at: SocketAddr,
    kept: Arc<Kept>,
    serving: Option<JoinHandle<()>>,
}

struct Kept {
    seen: Mutex<Vec<Received>>,
    status: AtomicU16,
    /// By its path; what has none is answered with nothing.
    pages: BTreeMap<String, String>,
    done: AtomicBool,
}

impl Receiver {
    pub(crate) fn start() -> Receiver {
        Receiver::with_pages(BTreeMap::new())
    }

    /// One that shows these, by their paths.
    pub(crate) fn with_pages(pages: BTreeMap<String, String>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let kept =
            Arc::new(Kept { seen: Mutex::default(), status: AtomicU16::new(200), pages, done: AtomicBool::new(false) });
        let of_thread = kept.clone();
        let serving = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.done.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever asks may go away.
                let _ = serve(&stream.unwrap(), &of_thread);
            }
        });
        Receiver { at, kept, serving: Some(serving) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    pub(crate) fn seen(&self) -> Vec<Received> {
        self.kept.seen.lock().unwrap().clone()
    }

    /// What it answers from now on.
    pub(crate) fn answer_with(&self, status: u16) {
        self.kept.status.store(status, Ordering::Relaxed);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kept.done.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.at));
        self.serving.take().unwrap().join().unwrap();
    }
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// One request for each connection, with a length.
fn serve(stream: &TcpStream, kept: &Kept) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into())).collect();
    let mut received = Received { path, headers, body: Vec::new() };
    let length = received.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    received.body.resize(length, 0);
    reader.read_exact(&mut received.body)?;
    let page = kept.pages.get(&received.path).map_or("", String::as_str);
    kept.seen.lock().unwrap().push(received);
    let (status, length) = (kept.status.load(Ordering::Relaxed), page.len());
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-type: text/html\r\n")?;
    write!(stream, "content-length: {length}\r\n\r\n{page}")
}
