//! How long pages take with many runs stored, beside the mark that they should stay below.
//!
//! `cargo bench -p hookbox-http --bench pages -- [RUNS] [FOLDER]` stores a million runs, or so many, in a folder of its own,
//! or in this one where they stay, and asks the operator's router for every page. Figures are printed and judged by nobody.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints it and may fail"
)]

mod fill;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::id::Mint;
use hookbox_core::time::Timestamp;
use hookbox_http::alerts::Alerts;
use hookbox_http::changes::Changes;
use hookbox_http::lifecycle::Lifecycle;
use hookbox_http::operator::{self, Access, Operator};
use hookbox_http::pairing::Pairing;
use hookbox_http::providers::Providers;
use hookbox_http::uploads::Uploads;
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use hookbox_store::types::{PageRequest, RunFilter};
use tower::ServiceExt;

const RUNS: u64 = 1_000_000;
const MARK: Duration = Duration::from_millis(200);
/// Of each page; the slowest counts.
const TIMES: usize = 5;
const LISTENS_ON: &str = "127.0.0.1:5555";

struct Watch(Instant);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        fill::now()
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runs = arguments.first().map_or(RUNS, |runs| runs.parse().unwrap());
    let own = tempfile::tempdir().unwrap();
    let folder = arguments.get(1).map_or_else(|| own.path().join("data"), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = Arc::new(SledStore::open(&folder).unwrap());
    runtime.block_on(async {
        let counts = store.counts();
        let there = counts.succeeded + counts.dead;
        let begun = Instant::now();
        fill::fill(&store, runs.saturating_sub(there)).await;
        println!("{runs} runs stored, {} of them now, in {:.0?}", runs.saturating_sub(there), begun.elapsed());
        measure(&store).await;
    });
}

async fn measure(store: &Arc<SledStore>) {
    let page = store.runs(PageRequest { before: None, limit: 1 }, RunFilter::default()).await.unwrap();
    let run = page.runs[0].id;
    let event = store.events(PageRequest { before: None, limit: 1 }).await.unwrap().events[0].event.id;
    let router = router(store.clone());
    println!("{:>9}  {:>9}  page", "slowest", "of 200 ms");
    for path in [
        "/".to_owned(),
        "/?span=24h".to_owned(),
        "/runs".to_owned(),
        "/runs?state=succeeded".to_owned(),
        "/runs?state=dead".to_owned(),
        "/runs?state=dead&error=needle".to_owned(),
        "/runs?state=pending".to_owned(),
        "/runs?plugin=nobody".to_owned(),
        "/runs?provider=nobody".to_owned(),
        "/runs?version=ff".to_owned(),
        "/runs?error=nobody-says-this".to_owned(),
        "/runs?result=nobody-says-this".to_owned(),
        "/runs?payload=nobody-says-this".to_owned(),
        "/runs?not_state=succeeded".to_owned(),
        "/runs?not_payload=x&count=true".to_owned(),
        "/runs?since=2100-01-01T00:00:00Z".to_owned(),
        "/runs?until=2000-01-01T00:00:00Z".to_owned(),
        "/runs?sort=created".to_owned(),
        "/runs?sort=-duration".to_owned(),
        "/runs?sort=handler&state=dead&state=cancelled".to_owned(),
        "/runs?columns=run,source,topic,size,result".to_owned(),
        format!("/runs?made_by={run}"),
        format!("/runs?sort=-duration&cursor={run}"),
        format!("/runs?cursor={run}"),
        format!("/runs/{run}"),
        "/events".to_owned(),
        "/events?unrouted=true".to_owned(),
        format!("/events/{event}"),
        "/schedules".to_owned(),
        "/new-schedule".to_owned(),
        "/plugins".to_owned(),
        "/providers".to_owned(),
        "/alerts".to_owned(),
        "/system".to_owned(),
    ] {
        let mut slowest = Duration::ZERO;
        for _ in 0..TIMES {
            let begun = Instant::now();
            let request = Request::get(&path).header("host", LISTENS_ON).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            to_bytes(answer.into_body(), 64 << 20).await.unwrap();
            slowest = slowest.max(begun.elapsed());
        }
        let share = slowest.as_secs_f64() / MARK.as_secs_f64() * 100.0;
        let ms = slowest.as_secs_f64() * 1000.0;
        println!("{ms:>6.1} ms  {share:>7.0} %  {path}");
    }
}

fn router(store: Arc<SledStore>) -> Router {
    let lifecycle = Arc::new(Lifecycle::default());
    lifecycle.begin_serving();
    operator::router(Operator {
        store,
        clock: Arc::new(Watch(Instant::now())),
        mint: Arc::new(Mint::new([9; 32])),
        providers: Arc::new(ArcSwap::from_pointee(Providers::new([]))),
        pairing: Arc::new(Pairing::new(Box::new(|_, _| Ok(())))),
        tally: Arc::default(),
        spending: Arc::default(),
        meters: Arc::default(),
        data: PathBuf::from("."),
        backed_up: Vec::new(),
        live_logs: Arc::default(),
        trend: Arc::default(),
        lifecycle,
        settings: Arc::default(),
        access: Access::new(LISTENS_ON.parse().unwrap(), &[], None, Box::new(|| Ok([7; 32]))),
        body_bytes_max: 1 << 20,
        queue_max: 1_000_000,
        uploads: Arc::new(Uploads::to(PathBuf::from("plugins"))),
        changes: Arc::new(Changes::new(fill::now())),
        alerts: Arc::new(Alerts::new().0),
    })
}
