//! `hookbox bench`: drives a running host with signed webhooks, each unique, on
//! loopback, and prints how fast they are accepted and finished.

mod sender;

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::name::ProviderName;
use hookbox_core::verify::{Outgoing, sign};
use serde_json::{Value, json};

use crate::args::BenchArgs;
use crate::client::Client;
use crate::clock::SystemClock;
use crate::dev;
use crate::inspect::{self, Print};
use crate::project::{Mistakes, Project};
use sender::Sent;

/// Waiting for the last run: without progress for so long, it gives up.
const STALLED: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

pub(crate) fn bench(args: &BenchArgs, client: &Client, print: Print) -> Result<()> {
    let mut project = Project::read(&args.project)?;
    project.dev = true;
    dev::read_secrets(&mut project)?;
    let origin = args.ingress.clone().unwrap_or_else(|| project.origin());
    let address = loopback(&origin)?;
    let clock = SystemClock::new();
    let requests = requests(args, &project, &clock, address)?;
    let before = finished(client)?;

    let began = clock.monotonic();
    let sent = sender::send_all(address, requests, args.connections as usize, args.rate)?;
    let accepted_ms = clock.monotonic().since(began).0.max(1);
    let done = wait(client, before, sent.accepted, &clock, began);
    let report = Report { sent, accepted_ms, done: done? };
    report.print(args, print)
}

/// Every request whole, signed before the clock starts.
fn requests(args: &BenchArgs, project: &Project, clock: &SystemClock, host: SocketAddr) -> Result<Vec<Vec<u8>>> {
    let provider = ProviderName::parse(&args.provider).map_err(|error| Mistakes(vec![error.to_string()]))?;
    let found = project.providers()?.remove(&provider);
    let found = found.with_context(|| Mistakes(vec![format!("there is no provider {provider}")]))?;
    ensure!(
        found.provider.scheme.name() == "generic",
        Mistakes(vec![format!("provider {provider} must have the scheme generic")])
    );
    let no_secret =
        || Mistakes(vec![format!("provider {provider} has no secret: start `hookbox dev` once, or set it")]);
    let secret = found.lasting().with_context(no_secret)?;
    let now = clock.now();
    let event_type = &args.event_type;
    let mut requests = Vec::with_capacity(args.total as usize);
    for n in 0..args.total {
        let id = format!("bench-{}-{n}", now.0);
        let head = format!(r#"{{"event_id":"{id}","type":"{event_type}","data":{{"n":{n},"pad":""#);
        let pad = (args.body_bytes as usize).saturating_sub(head.len() + 3);
        let body = format!(r#"{head}{}"}}}}"#, "x".repeat(pad));
        let headers = sign(&found.provider.scheme, secret, now, &Outgoing::post(&id, body.as_bytes()))?.headers;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let path = format!("/api/v1/webhooks/webhook/{provider}");
        requests.push(format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-Event-Type: {event_type}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ).into_bytes());
    }
    Ok(requests)
}

/// Load is for one's own host only.
fn loopback(origin: &str) -> Result<SocketAddr> {
    let authority = origin.strip_prefix("http://").unwrap_or(origin).trim_end_matches('/');
    let address = authority.to_socket_addrs().ok().and_then(|mut found| found.next());
    let address =
        address.with_context(|| Mistakes(vec![format!("--ingress must be http://HOST:PORT, got {origin}")]))?;
    if !address.ip().is_loopback() {
        bail!(Mistakes(vec![format!("bench sends to loopback only, and {origin} is not")]));
    }
    Ok(address)
}

/// Runs that have ended, and runs that are alive.
fn finished(client: &Client) -> Result<(u64, u64)> {
    let health = client.get("health", &[])?;
    let number = |path: &str| health.pointer(path).and_then(Value::as_u64);
    let ended = number("/counts/succeeded").zip(number("/counts/dead")).map(|(succeeded, dead)| succeeded + dead);
    let alive = number("/queue/pending").zip(number("/queue/leased")).map(|(pending, leased)| pending + leased);
    ended.zip(alive).context("the host's health does not tell how many runs ended")
}

struct Done {
    /// That were made, whether they have ended or not.
    made: u64,
    /// That have ended.
    runs: u64,
    ms: u64,
    complete: bool,
}

/// Waits until no more is alive than before; bounded by progress.
fn wait(client: &Client, before: (u64, u64), accepted: u64, clock: &SystemClock, began: Monotonic) -> Result<Done> {
    let (mut last, mut progress) = (0, clock.monotonic());
    loop {
        let (ended, alive) = finished(client)?;
        let now = clock.monotonic();
        let runs = ended.saturating_sub(before.0);
        let made = (ended + alive).saturating_sub(before.0 + before.1);
        let ms = now.since(began).0.max(1);
        if alive <= before.1 && runs >= accepted.min(1) {
            return Ok(Done { made, runs, ms, complete: true });
        }
        if runs > last {
            (last, progress) = (runs, now);
        } else if now.since(progress).as_duration() > STALLED {
            return Ok(Done { made, runs, ms, complete: false });
        }
        std::thread::sleep(POLL);
    }
}

struct Report {
    sent: Sent,
    accepted_ms: u64,
    done: Done,
}

impl Report {
    /// Events whose runs have ended, those that handlers emitted counted with the webhook they came from. An event
    /// that no handler wants is finished as it is accepted.
    fn events(&self) -> u64 {
        match self.done.made {
            0 => self.sent.accepted,
            made => (self.done.runs * self.sent.accepted / made).min(self.sent.accepted),
        }
    }

    fn print(&self, args: &BenchArgs, print: Print) -> Result<()> {
        let per_second = |count: u64, ms: u64| count * 1000 / ms;
        let accepted = per_second(self.sent.accepted, self.accepted_ms);
        let (runs, finished) = (per_second(self.done.runs, self.done.ms), per_second(self.events(), self.done.ms));
        let runs_per_event = self.done.made as f64 / self.sent.accepted.max(1) as f64;
        let (p50, p99, worst) = (self.sent.quantile(50), self.sent.quantile(99), self.sent.quantile(100));
        if print == Print::Json {
            return inspect::json(&json!({
                "total": args.total,
                "connections": args.connections,
                "rate": args.rate,
                "body_bytes": args.body_bytes,
                "accepted": self.sent.accepted,
                "refused": self.sent.refused,
                "accepted_per_second": accepted,
                "ack_p50_us": p50,
                "ack_p99_us": p99,
                "ack_max_us": worst,
                "finished": self.events(),
                "finished_per_second": finished,
                "runs": self.done.runs,
                "runs_per_second": runs,
                "runs_per_event": runs_per_event,
                "all_finished": self.done.complete,
            }));
        }
        say!("accepted  {accepted}/s ({} of {}, {} refused)", self.sent.accepted, args.total, self.sent.refused);
        say!("ack       p50 {p50} us, p99 {p99} us, worst {worst} us");
        let note = if self.done.complete { "" } else { ", then no more for a while" };
        say!("finished  {finished}/s ({} events{note})", self.events());
        say!("runs      {runs}/s ({} recorded, {runs_per_event:.2} runs per event)", self.done.runs);
        Ok(())
    }
}
