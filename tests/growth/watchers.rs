//! Those who look at a host while it works. Each ends when it is told to, or when the host does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");

/// When somebody saw something new.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    moments: Vec<Instant>,
}

/// How live it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Live {
    pub(crate) updates: u64,
    pub(crate) gap_max: Duration,
}

impl Seen {
    /// Between these moments.
    fn live(&self, from: Instant, to: Instant) -> Live {
        let within: Vec<Instant> = self.moments.iter().copied().filter(|moment| (from..to).contains(moment)).collect();
        let edges: Vec<Instant> = [from].into_iter().chain(within.iter().copied()).chain([to]).collect();
        let gaps = edges.windows(2).map(|pair| pair[1].duration_since(pair[0]));
        Live { updates: within.len() as u64, gap_max: gaps.max().unwrap_or_default() }
    }
}

/// The least live of all of them.
pub(crate) fn least(all: impl IntoIterator<Item = Live>) -> Option<Live> {
    all.into_iter()
        .reduce(|one, other| Live { updates: one.updates.min(other.updates), gap_max: one.gap_max.max(other.gap_max) })
}

/// Threads of this program that look.
pub(crate) struct Readers {
    done: Arc<AtomicBool>,
    seen: Vec<Arc<Mutex<Seen>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(crate) fn start(count: usize, look: impl Fn(&dyn Fn() -> bool, &dyn Fn()) + Clone + Send + 'static) -> Readers {
        let mut readers = Readers { done: Arc::default(), seen: Vec::new(), threads: Vec::new() };
        for _ in 0..count {
            let (done, seen, look) = (readers.done.clone(), Arc::<Mutex<Seen>>::default(), look.clone());
            readers.seen.push(seen.clone());
            readers.threads.push(std::thread::spawn(move || {
                look(&|| done.load(Ordering::Relaxed), &|| seen.lock().unwrap().moments.push(Instant::now()));
            }));
        }
        readers
    }

    pub(crate) fn live(&self, from: Instant, to: Instant) -> Option<Live> {
        least(self.seen.iter().map(|seen| seen.lock().unwrap().live(from, to)))
    }

    pub(crate) fn stop(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// After the host has stopped: whoever reads a stream is at its end.
    pub(crate) fn join(self) {
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Each line of a stream that the host ends when it stops.
fn lines(url: &str, mut line: impl FnMut(&str)) {
    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    let answer = agent.get(url).header("accept", "text/event-stream").call().unwrap();
    let mut reader = BufReader::new(answer.into_body().into_reader());
    let mut text = String::new();
    while reader.read_line(&mut text).is_ok_and(|read| read > 0) {
        line(text.trim_end());
        text.clear();
    }
}

/// A page of the overview, as its script keeps it up to date: asked for anew when the host says that something changed.
pub(crate) fn page(operator: &str, done: &dyn Fn() -> bool, seen: &dyn Fn()) {
    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    // The host may stop meanwhile.
    let ask = || agent.get(operator).header("accept", "text/html").call().ok()?.into_body().read_to_string().ok();
    let mut shown = ask();
    lines(&format!("{operator}/live"), |line| {
        if line != "event: changed" || done() {
            return;
        }
        let fresh = ask();
        if fresh.is_some() && fresh != shown {
            seen();
            shown = fresh;
        }
    });
}

pub(crate) fn scrape(operator: &str, done: &dyn Fn() -> bool, seen: &dyn Fn()) {
    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    while !done() {
        let Ok(answer) = agent.get(format!("{operator}/metrics")).call() else { return };
        if answer.into_body().read_to_string().is_err() {
            return;
        }
        seen();
        std::thread::sleep(SCRAPE_EVERY);
    }
}

/// Reads every change of every run.
pub(crate) fn follow(operator: &str, seen: &dyn Fn()) {
    lines(&format!("{operator}/api/v1/runs/stream"), |line| {
        if line.starts_with("event: ") {
            seen();
        }
    });
}

/// A collector that takes spans and forgets them.
pub(crate) struct Collector {
    pub(crate) at: SocketAddr,
}

impl Collector {
    /// It serves as long as this program runs.
    pub(crate) fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || take(&stream.unwrap()));
            }
        });
        Collector { at }
    }
}

/// One request after the other. Whoever sends may go away.
fn take(stream: &TcpStream) -> Option<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
            if let Some(value) = head.get(from..)?.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        writer.write_all(answer).ok()?;
    }
}

/// The overview in Chromium, which counts its own updates.
pub(crate) struct Chromium(Child);

impl Chromium {
    /// Whether this machine has one, and what drives it.
    pub(crate) fn is_here() -> bool {
        Path::new(BROWSER).join("node_modules").is_dir()
            && Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok()
    }

    /// Returns once the page is live.
    pub(crate) fn open(operator: &str) -> Chromium {
        let mut command = Command::new("node");
        command.current_dir(BROWSER).args(["watch.mjs", operator]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Byte by byte: what comes after the line is read later.
        let (mut line, mut byte) = (Vec::new(), [0]);
        while child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.extend(byte);
        }
        assert_eq!(line, b"live");
        Chromium(child)
    }

    /// Since it was opened.
    pub(crate) fn close(mut self) -> Live {
        drop(self.0.stdin.take());
        let told: Value = serde_json::from_reader(self.0.stdout.take().unwrap()).unwrap();
        assert!(self.0.wait().unwrap().success());
        let number = |name: &str| told[name].as_u64().unwrap();
        Live { updates: number("updates"), gap_max: Duration::from_millis(number("gap_max_ms")) }
    }
}
