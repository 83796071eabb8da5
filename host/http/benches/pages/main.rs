//! How long pages and lists take with much stored, beside the mark that they should stay below.
//!
//! `cargo bench -p hookbox-http --bench pages -- [RUNS] [FOLDER]` stores a million runs, or so many, in a folder of its own,
//! or in this one where they stay, beside 100 schedules, 50 plugins, 30 providers, 100,000 entries of the audit log and what else
//! a host has, and asks the operator's router for everything that it reads. Figures are printed and judged by nobody.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints it and may fail"
)]

mod asked;
mod fill;
mod house;

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
use hookbox_http::operator::{self, Access, Listens, Operator};
use hookbox_http::pairing::Pairing;
use hookbox_http::trend::Trend;
use hookbox_http::uploads::Uploads;
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use hookbox_store::types::{PageRequest, RunFilter};
use serde_json::Value;
use tower::ServiceExt;

use crate::asked::Ids;

const RUNS: u64 = 1_000_000;
const MARK: Duration = Duration::from_millis(200);
/// Of each path.
const TIMES_MIN: usize = 5;
const TIMES_MAX: usize = 100;
const EACH_MAX: Duration = Duration::from_secs(3);
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
    let store: Arc<dyn Store> = Arc::new(SledStore::open(&folder).unwrap());
    runtime.block_on(async {
        let (counts, begun) = (store.counts(), Instant::now());
        let missing = runs.saturating_sub(counts.succeeded + counts.dead);
        fill::fill(&store, missing).await;
        println!("{runs} runs stored, {missing} of them now, in {:.0?}", begun.elapsed());
        if store.catalogue().plugins().next().is_none() {
            let begun = Instant::now();
            house::furnish(&store).await;
            println!("everything else stored in {:.0?}", begun.elapsed());
        }
        measure(&store).await;
    });
}

/// Asks for everything, and tells the slowest first.
async fn measure(store: &Arc<dyn Store>) {
    let one = PageRequest { before: None, limit: 1 };
    let router = router(store.clone()).await;
    let ids = Ids {
        run: store.runs(one, RunFilter::default()).await.unwrap().runs[0].id,
        event: store.events(PageRequest { before: None, limit: 1 }).await.unwrap().events[0].event.id,
        suppressed: store.suppressed(PageRequest { before: None, limit: 1 }).await.unwrap().items[0].event.id,
        in_order: next(&router, "/api/v1/runs?sort=-duration").await,
    };
    let mut rows = Vec::new();
    for path in asked::all(&ids) {
        rows.push(ask(&router, path).await);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.p99));
    println!("   median        p99  of 200 ms      bytes  path");
    for row in &rows {
        let share = row.p99.as_secs_f64() / MARK.as_secs_f64() * 100.0;
        let [median, p99] = [row.median, row.p99].map(|took| took.as_secs_f64() * 1000.0);
        println!("{median:>6.1} ms  {p99:>6.1} ms  {share:>7.0} %  {:>9}  {}", row.bytes, row.path);
    }
    let beyond = rows.iter().filter(|row| row.p99 > MARK).count();
    println!("{} paths, {beyond} of them above {MARK:?} at p99", rows.len());
}

/// Where the first page of a list ends.
async fn next(router: &Router, path: &str) -> String {
    let request = Request::get(path).header("host", LISTENS_ON).body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let page: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 64 << 20).await.unwrap()).unwrap();
    page["next"].as_str().unwrap().to_owned()
}

struct Row {
    path: String,
    median: Duration,
    p99: Duration,
    bytes: usize,
}

async fn ask(router: &Router, path: String) -> Row {
    let (begun, mut took, mut bytes) = (Instant::now(), Vec::new(), 0);
    while took.len() < TIMES_MIN || (took.len() < TIMES_MAX && begun.elapsed() < EACH_MAX) {
        let begun = Instant::now();
        let request = Request::get(&path).header("host", LISTENS_ON).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        bytes = to_bytes(answer.into_body(), 64 << 20).await.unwrap().len();
        // Nobody pairs this provider.
        assert!(status.is_success() || path.ends_with("/pairing"), "{path}: {status}");
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    Row { path, median: at(50), p99: at(99), bytes }
}

async fn router(store: Arc<dyn Store>) -> Router {
    let trend = Arc::<Trend>::default();
    house::look_back(&trend, &store).await;
    let alerts = Alerts::new().0;
    alerts.show(house::alerts());
    let lifecycle = Arc::new(Lifecycle::default());
    lifecycle.begin_serving();
    operator::router(Operator {
        store,
        clock: Arc::new(Watch(Instant::now())),
        mint: Arc::new(Mint::new([9; 32])),
        providers: Arc::new(ArcSwap::from_pointee(house::providers())),
        pairing: Arc::new(Pairing::new(Box::new(|_, _| Ok(())))),
        tally: Arc::default(),
        spending: Arc::new(house::spending()),
        meters: Arc::default(),
        data: PathBuf::from("."),
        backed_up: Vec::new(),
        live_logs: Arc::default(),
        trend,
        lifecycle,
        settings: Arc::default(),
        access: Access::new(LISTENS_ON.parse().unwrap(), &[], None, Box::new(|| Ok([7; 32]))),
        body_bytes_max: 1 << 20,
        queue_max: 1_000_000,
        uploads: Arc::new(Uploads::to(PathBuf::from("plugins"))),
        changes: Arc::new(Changes::new(fill::now())),
        config: Arc::default(),
        alerts: Arc::new(alerts),
        listens: Listens {
            webhooks: ([127, 0, 0, 1], 8080).into(),
            operator: ([127, 0, 0, 1], 5555).into(),
            connections_max: 1000,
        },
    })
}
