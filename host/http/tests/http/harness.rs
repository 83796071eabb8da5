//! A host without an engine: both routers over a store in memory and a clock that stands still.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Once};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use hookbox_core::clock::{Clock, ManualClock};
use hookbox_core::distribution::Meters;
use hookbox_core::id::Mint;
use hookbox_core::limits::AllSettings;
use hookbox_core::live_logs::LiveLogs;
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;
use hookbox_core::spending::Spending;
use hookbox_core::time::Timestamp;
use hookbox_core::trace::Tracing;
use hookbox_core::verify::{ID_WINDOW, Outgoing, Scheme, Verifier, sign};
use hookbox_http::alerts::{Alerts, Test};
use hookbox_http::changes::Changes;
use hookbox_http::ingress::{self, Ingress, IngressLimits};
use hookbox_http::lifecycle::Lifecycle;
use hookbox_http::operator::{self, Access, Listens, Operator, Random};
use hookbox_http::pairing::{Pairable, Pairing};
use hookbox_http::providers::{LiveProvider, Providers};
use hookbox_http::tally::Tally;
use hookbox_http::trend::{Sources, Trend};
use hookbox_http::uploads::Uploads;
use hookbox_store::Store;
use hookbox_store::backup::Folder;
use hookbox_store::memory::MemoryStore;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tower::ServiceExt;

pub(crate) const NOW: Timestamp = Timestamp(1_750_861_210_123);
/// Where the operator's listener is taken to be.
pub(crate) const OPERATOR: &str = "127.0.0.1:5555";
pub(crate) const SECRET: &str = "whsec_aHVzaCBodXNoIGh1c2ggaHVzaCBodXNoIGh1c2g=";

pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) mint: Arc<Mint>,
    pub(crate) providers: Arc<ArcSwap<Providers>>,
    pub(crate) pairing: Arc<Pairing>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) tracing: Tracing,
    pub(crate) spending: Arc<Spending>,
    pub(crate) live_logs: Arc<LiveLogs>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) trend: Arc<Trend>,
    /// What was put in files.
    pub(crate) kept: Kept,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) settings: Arc<ArcSwap<AllSettings>>,
    /// Runs that an operator lets wait.
    pub(crate) queue_max: u64,
    /// The folder of the plugins.
    pub(crate) plugins: TempDir,
    pub(crate) changes: Arc<Changes>,
    pub(crate) alerts: Arc<Alerts>,
    /// Whoever sends tests takes it.
    pub(crate) tests: Mutex<Option<mpsc::Receiver<Test>>>,
}

pub(crate) type Kept = Arc<Mutex<Vec<(PathBuf, Secret)>>>;

impl Host {
    /// `pages` brings its secret. One that serves the providers `my-shop`, `small` (of 16 bytes), `large` (of 2 MiB), `github`, `stripe` and `standard`.
    pub(crate) fn new() -> Host {
        Host::over(Arc::new(MemoryStore::new().unwrap()))
    }

    pub(crate) fn over(store: Arc<dyn Store>) -> Host {
        let host = Host::starting_over(store);
        host.lifecycle.begin_serving();
        host
    }

    pub(crate) fn starting() -> Host {
        Host::starting_over(Arc::new(MemoryStore::new().unwrap()))
    }

    fn starting_over(store: Arc<dyn Store>) -> Host {
        let providers = [
            live("my-shop", "generic", None),
            live("small", "generic", Some(16)),
            live("large", "generic", Some(2 << 20)),
            live("github", "github", None),
            live("stripe", "stripe", None),
            live("standard", "standard-webhooks", None),
        ];
        let pages = Pairable { member: "verification_token".to_owned(), file: Some("pages.key".into()) };
        let pages = (ProviderName::parse("pages").unwrap(), pages);
        let (kept, to) = {
            let kept = Kept::default();
            (kept.clone(), kept)
        };
        let keep = move |file: &Path, token: &Secret| {
            to.lock().unwrap().push((file.to_owned(), Secret::new(token.expose()).unwrap()));
            Ok(())
        };
        let (alerts, tests) = Alerts::new();
        Host {
            store,
            pairing: Arc::new(Pairing::new(Box::new(keep))),
            tally: Arc::default(),
            tracing: Tracing::default(),
            spending: Arc::default(),
            live_logs: Arc::default(),
            meters: Arc::default(),
            trend: Arc::default(),
            kept,
            clock: Arc::new(ManualClock::at(NOW)),
            mint: Arc::new(Mint::new([7; 32])),
            providers: Arc::new(ArcSwap::from_pointee(Providers::new(providers).with_pairables([pages]))),
            lifecycle: Arc::new(Lifecycle::default()),
            settings: Arc::default(),
            queue_max: IngressLimits::default().queue_max,
            plugins: tempfile::tempdir().unwrap(),
            changes: Arc::new(Changes::new(NOW)),
            alerts: Arc::new(alerts),
            tests: Mutex::new(Some(tests)),
        }
    }

    pub(crate) fn ingress(&self) -> Router {
        self.ingress_with(IngressLimits::default(), IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(crate) fn ingress_with(&self, limits: IngressLimits, listens_on: IpAddr) -> Router {
        ingress::router(Ingress {
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            mint: Arc::clone(&self.mint),
            providers: Arc::clone(&self.providers),
            pairing: Arc::clone(&self.pairing),
            tally: Arc::clone(&self.tally),
            lifecycle: Arc::clone(&self.lifecycle),
            tracing: self.tracing.clone(),
            limits,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            listens_on,
        })
    }

    pub(crate) fn operator(&self) -> Router {
        let listens_on: SocketAddr = OPERATOR.parse().unwrap();
        self.operator_with(Access::new(listens_on, &[], None, random()))
    }

    pub(crate) fn operator_with(&self, access: Access) -> Router {
        self.operator_by(access, self.clock.clone())
    }

    pub(crate) fn operator_by(&self, access: Access, clock: Arc<dyn Clock>) -> Router {
        operator::router(self.parts_by(access, clock))
    }

    pub(crate) fn parts_with(&self, access: Access) -> Operator {
        self.parts_by(access, self.clock.clone())
    }

    fn parts_by(&self, access: Access, clock: Arc<dyn Clock>) -> Operator {
        Operator {
            store: Arc::clone(&self.store),
            clock,
            mint: Arc::clone(&self.mint),
            providers: Arc::clone(&self.providers),
            pairing: Arc::clone(&self.pairing),
            tally: Arc::clone(&self.tally),
            spending: Arc::clone(&self.spending),
            live_logs: Arc::clone(&self.live_logs),
            meters: Arc::clone(&self.meters),
            data: self.plugins.path().to_owned(),
            trend: Arc::clone(&self.trend),
            lifecycle: Arc::clone(&self.lifecycle),
            settings: Arc::clone(&self.settings),
            access,
            body_bytes_max: IngressLimits::default().body_bytes_max,
            queue_max: self.queue_max,
            uploads: Arc::new(Uploads::to(self.plugins.path().to_owned())),
            backed_up: vec![Folder { name: "plugins", path: self.plugins.path().to_owned() }],
            changes: Arc::clone(&self.changes),
            config: Arc::default(),
            alerts: Arc::clone(&self.alerts),
            listens: Listens {
                webhooks: ([127, 0, 0, 1], 8080).into(),
                operator: ([127, 0, 0, 1], 5555).into(),
                connections_max: 1000,
            },
        }
    }

    /// As the host looks every few seconds.
    pub(crate) async fn look(&self) {
        let (store, tally) = (self.store.clone(), self.tally.clone());
        let sources = Sources { store, tally, spending: self.spending.clone(), clock: self.clock.clone() };
        self.trend.take(&sources).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", OPERATOR).body(Body::empty()).unwrap();
        ask(self.operator(), request).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        let request = Request::post(path).header("host", OPERATOR).header(JSON.0, JSON.1);
        ask(self.operator(), request.body(Body::from("{}")).unwrap()).await
    }

    /// A write with a JSON body.
    pub(crate) async fn write(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", OPERATOR).header(JSON.0, JSON.1);
        ask(self.operator(), request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Nothing of any delivery was kept.
    pub(crate) fn is_untouched(&self) -> bool {
        let counts = self.store.counts();
        (counts.events, counts.duplicates, counts.pending) == (0, 0, 0)
    }

    pub(crate) async fn deliver(&self, request: Request<Body>) -> Answer {
        ask(self.ingress(), request).await
    }
}

/// Not random at all, and another one each time.
pub(crate) fn random() -> Random {
    static LAST: AtomicU8 = AtomicU8::new(0);
    Box::new(|| Ok([LAST.fetch_add(1, Ordering::SeqCst); 32]))
}

/// A listener on loopback with that token.
pub(crate) fn with_token(token: &str) -> Access {
    Access::new(OPERATOR.parse().unwrap(), &[], Secret::new(token).ok().as_ref(), random())
}

pub(crate) fn live(name: &str, scheme: &str, body_bytes_max: Option<usize>) -> (ProviderName, LiveProvider) {
    let scheme = Scheme::named(scheme).unwrap();
    let verifier = Verifier::new(scheme, &[Secret::new(SECRET).unwrap()], None).unwrap();
    (
        ProviderName::parse(name).unwrap(),
        LiveProvider {
            verifier: verifier.into(),
            secret_places: vec!["env SECRET".to_owned()],
            secrets_written: vec![Some(Timestamp(NOW.0 - 3 * 86_400_000))],
            public_url: None,
            dedupe: ID_WINDOW,
            body_bytes_max,
            allow_from: Vec::new(),
            allowance: None,
            schemas: Vec::new(),
        },
    )
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn ask(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.into()).unwrap() }
}

/// A webhook as its sender would post it, with `headers` beside those of the signature.
pub(crate) fn webhook(provider: &str, scheme: &str, id: &str, body: &[u8], headers: &[(&str, &str)]) -> Request<Body> {
    signed(provider, scheme, SECRET, NOW, id, body, headers)
}

pub(crate) fn signed(
    provider: &str,
    scheme: &str,
    secret: &str,
    at: Timestamp,
    id: &str,
    body: &[u8],
    headers: &[(&str, &str)],
) -> Request<Body> {
    let scheme = Scheme::named(scheme).unwrap();
    let signed = sign(scheme, &Secret::new(secret).unwrap(), at, &Outgoing::post(id, body)).unwrap();
    let mut request = Request::post(format!("{WEBHOOKS}/{provider}"));
    for (name, value) in signed.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain(headers.iter().copied()) {
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).unwrap()
}

pub(crate) const WEBHOOKS: &str = "/api/v1/webhooks/webhook";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

/// A signed delivery of the generic scheme.
pub(crate) fn shop(body: &str) -> Request<Body> {
    webhook("my-shop", "generic", "", body.as_bytes(), &[JSON])
}

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread logs, at every level. One subscriber serves all tests: with one for each, a test on another thread
/// could turn a line off for all.
pub(crate) struct Logs(());

impl Logs {
    pub(crate) fn capture() -> Logs {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
            subscriber.without_time().with_writer(|| Sink).init();
        });
        LOGGED.take();
        Logs(())
    }

    /// Lines of this crate since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        let text = String::from_utf8(LOGGED.take()).unwrap();
        text.lines().filter(|line| line.contains("hookbox_http")).map(str::to_owned).collect()
    }
}

struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
