//! The operator's listener: a JSON API over everything that is stored, its pages, and who may use them.

mod access;
mod alerts;
mod audit;
mod backup;
mod bulk;
mod etag;
mod events;
mod filter;
mod found;
mod holds;
mod idempotency;
mod jobs;
mod metrics;
mod openapi;
pub(crate) mod overview;
mod pairing;
mod payload;
mod plugins;
mod providers;
mod query;
mod routes;
mod routing;
mod runs;
mod schedules;
mod searches;
mod sessions;
mod sort;
mod streams;
mod suppressed;
mod system;
mod tokens;
mod totals;
mod ui;
mod unrouted;
mod waits;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use bytes::Bytes;
use hookbox_core::clock::Clock;
use hookbox_core::config::Config;
use hookbox_core::distribution::Meters;
use hookbox_core::id::Mint;
use hookbox_core::limits::AllSettings;
use hookbox_core::live_logs::LiveLogs;
use hookbox_core::spending::Spending;
use hookbox_core::time::Millis;
use hookbox_store::Store;
use hookbox_store::backup::Folder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::alerts::Alerts;
use crate::bodies::Held;
use crate::body::{self, Unread};
use crate::changes::Changes;
use crate::health::{self, Detail, Standing};
use crate::lifecycle::Lifecycle;
use crate::pairing::Pairing;
use crate::problem::Problem;
use crate::providers::Providers;
use crate::tally::Tally;
use crate::trend::{Sources, Trend};
use crate::uploads::Uploads;
use query::Query;
use routing::Routes;

pub use access::{
    Access, Act, CALLBACK, Fetch, FetchError, Least, Login, Oidc, OidcParts, RULES, Random, Rule, Takes, TokenNeeded,
};

/// Body of a request: what an operator asks for is a few words.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Such a body comes in one packet.
const BODY_READ_TIMEOUT: Millis = Millis(10_000);

/// What the operator's router is made of.
pub struct Operator {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub mint: Arc<Mint>,
    pub providers: Arc<ArcSwap<Providers>>,
    /// The same as the ingress has.
    pub pairing: Arc<Pairing>,
    /// The same as the ingress has.
    pub tally: Arc<Tally>,
    /// The same as the engine has.
    pub spending: Arc<Spending>,
    /// The same as the sandbox has.
    pub live_logs: Arc<LiveLogs>,
    /// The same as the engine has.
    pub meters: Arc<Meters>,
    /// The folder of the store, whose disk is looked at.
    pub data: PathBuf,
    /// Somebody must look for it: see [`Trend::watch`].
    pub trend: Arc<Trend>,
    pub lifecycle: Arc<Lifecycle>,
    /// Of the plugins: what each may do.
    pub settings: Arc<ArcSwap<AllSettings>>,
    pub access: Access,
    /// Of an event whose payload is edited, unless its provider has a limit of its own.
    pub body_bytes_max: usize,
    /// Runs that may wait, those of webhooks and those that operators make.
    pub queue_max: u64,
    pub uploads: Arc<Uploads>,
    /// Whose files a backup has beside the store.
    pub backed_up: Vec<Folder>,
    pub changes: Arc<Changes>,
    /// hooks.yaml as it counts at this moment.
    pub config: Arc<ArcSwap<Config>>,
    /// The same as whoever watches has.
    pub alerts: Arc<Alerts>,
    pub listens: Listens,
}

/// Where the host is reached, whatever hooks.yaml says.
#[derive(Debug, Clone, Copy)]
pub struct Listens {
    pub webhooks: SocketAddr,
    pub operator: SocketAddr,
    /// Of those who send webhooks, as far as there are descriptors for them.
    pub connections_max: usize,
}

impl Operator {
    /// What a look at how it goes looks at.
    fn sources(&self) -> Sources {
        let (store, tally) = (Arc::clone(&self.store), Arc::clone(&self.tally));
        Sources { store, tally, spending: Arc::clone(&self.spending), clock: Arc::clone(&self.clock) }
    }

    /// How the host is: it takes webhooks, and looks at schedules.
    fn standing(&self) -> Standing {
        Standing::of(&*self.store, &self.lifecycle).and_scheduler(self.pass_age())
    }

    /// How long ago the scheduler finished a pass; nothing before it began.
    fn pass_age(&self) -> Option<Millis> {
        self.meters.scheduler.age(self.clock.monotonic())
    }

    /// Fails where so many more runs would be more than may wait.
    fn has_room_for(&self, runs: usize) -> Result<(), Problem> {
        let (waiting, most) = (self.store.counts().pending, self.queue_max);
        let room = most.saturating_sub(waiting);
        if u64::try_from(runs).is_ok_and(|runs| runs <= room) {
            return Ok(());
        }
        let told = format!(
            "{runs} more runs would wait, and there is room for {room}: {waiting} do, server.limits.queue is {most}. Ask \
             for fewer at a time, wait until some have ended, or raise the limit"
        );
        Err(Problem::for_now().because(told))
    }
}

type Api = State<Arc<Operator>>;

/// Everything below `/api/v1`, the metrics, and the pages. Each request passes [`Access`] first, those for paths that do not
/// exist too.
pub fn router(operator: Operator) -> Router {
    let operator = Arc::new(operator);
    let edits = (Arc::clone(&operator), Arc::<etag::Edits>::default());
    let under_way = (Arc::clone(&operator), Arc::<idempotency::UnderWay>::default());
    routes(&operator)
        .router()
        .method_not_allowed_fallback(async || {
            Problem::wrong_method().because("use one of the methods that the Allow header names")
        })
        .fallback(async || {
            Problem::not_found().because("/ has the pages, and /api/v1/openapi.json lists the paths of the API")
        })
        .layer(middleware::from_fn_with_state(edits, etag::conditional))
        .layer(middleware::from_fn_with_state(under_way, idempotency::once))
        .layer(middleware::from_fn_with_state(Arc::clone(&operator), access::check))
        .with_state(operator)
}

/// Each path of the router, with a router of it alone that lets everybody in: for the test that holds them against
/// [`RULES`].
pub fn routes_apart(operator: Operator) -> Vec<(String, Router)> {
    let operator = Arc::new(operator);
    routes(&operator).apart(&operator)
}

fn routes(operator: &Arc<Operator>) -> Routes {
    let streams = (Arc::clone(operator), Arc::new(streams::Streams::new(operator.clock.now())));
    let waits = (Arc::clone(operator), Arc::<waits::Waits>::default());
    let api = Routes::new()
        .route("/runs/stream", get(streams::runs).with_state(streams.clone()))
        .route("/runs/{id}/logs/stream", get(streams::logs).with_state(streams))
        .route("/alerts", get(alerts::list))
        .route("/alerts/channels/{name}/test", post(alerts::test))
        .route("/events", get(events::list))
        .route("/events/route", post(unrouted::route_all))
        .route("/events/{id}", get(events::show))
        .route("/events/{id}/route", post(unrouted::route))
        .route("/suppressed", get(suppressed::list))
        .route("/suppressed/{id}", get(suppressed::show))
        .route("/suppressed/{id}/release", post(suppressed::release))
        .route("/routes", get(routes::list))
        .route("/routes/test", post(routes::test))
        .route("/runs", get(runs::list))
        .route("/runs/cancel", post(bulk::cancel))
        .route("/runs/replay", post(bulk::replay))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/result", get(runs::result).with_state(waits.clone()))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/replay", post(runs::replay))
        .route("/searches", get(searches::list))
        .route("/searches/{name}", get(searches::show).put(searches::keep).delete(searches::drop))
        .route("/handlers/{plugin}/{handler}/run", post(jobs::run).with_state(waits))
        .route("/holds", get(holds::list))
        .route("/holds/{*target}", get(holds::show).put(holds::hold).delete(holds::release))
        .route("/schedules", get(schedules::list))
        .route(
            "/schedules/{name}",
            get(schedules::show).put(schedules::put).post(schedules::preview).delete(schedules::remove),
        )
        .route("/schedules/{name}/run", post(schedules::run))
        .route("/schedules/{name}/pause", post(schedules::pause))
        .route("/schedules/{name}/resume", post(schedules::resume))
        .route("/schedules/{name}/reset", post(schedules::reset))
        .route("/schedules/{name}/backfill", post(schedules::backfill))
        .route("/plugins", get(plugins::list).post(plugins::push::push))
        .route("/plugins/{name}", get(plugins::show))
        .route("/plugins/{name}/rollback", post(plugins::rollback::roll_back))
        .route("/plugin-changes", get(plugins::changes))
        .route("/providers", get(providers::list))
        .route("/providers/{name}", get(providers::show))
        .route("/providers/{name}/pairing", get(pairing::look).post(pairing::open))
        .route("/providers/{name}/pairing/confirm", post(pairing::confirm))
        .route("/providers/{name}/pairing/close", post(pairing::close))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{name}", delete(tokens::revoke))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", delete(sessions::end_one))
        .route("/audit", get(audit::list))
        .route("/whoami", get(tokens::who_am_i))
        .route("/backup", post(backup::make))
        .route("/overview", get(overview::show))
        .route("/system", get(system::show))
        .route("/health", get(health))
        .route("/openapi.json", get(openapi::show));
    Routes::new()
        .merge(ui::routes())
        .route("/metrics", get(metrics::show))
        .route("/login", get(access::show_login).post(access::log_in))
        .route("/login/oidc", get(access::begin_oidc))
        .route("/login/callback", get(access::come_back_oidc))
        .route("/logout", post(access::log_out))
        .nest("/api/v1", api)
}

async fn health(State(operator): Api, uri: Uri) -> Result<Response, Problem> {
    Query::read(&uri, &[])?;
    let providers = operator.providers.load();
    Ok(health::report(&*operator.store, operator.standing(), operator.pass_age(), &providers, Detail::Full))
}

/// A request body that says nothing: no bytes, or an object without members.
async fn nothing_in(body: Body) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    let parsed = asked_in::<Nothing>(body, BODY_BYTES_MAX).await;
    parsed.map(|_| ()).map_err(|problem| match problem.code() {
        "broken-json" => problem.because("send {} or no body: no members are known here"),
        _ => problem,
    })
}

/// What a request's body asks for; no bytes are an object without members.
async fn asked_in<T: DeserializeOwned>(body: Body, bytes_max: usize) -> Result<T, Problem> {
    let body = bytes_of(body, bytes_max, BODY_READ_TIMEOUT).await?;
    let text = if body.is_empty() { b"{}" } else { &body[..] };
    serde_json::from_slice(text).map_err(|error| Problem::broken_json().because(error.to_string()))
}

async fn bytes_of(body: Body, bytes_max: usize, within: Millis) -> Result<Bytes, Problem> {
    let read = body::read(body, bytes_max, within, Held::uncounted()).await;
    let read = read.map_err(|unread| match unread {
        Unread::TooLarge => Problem::large_body().because(format!("at most {} KiB are read", bytes_max / 1024)),
        Unread::TooSlow => Problem::slow_body(),
        Unread::Cut => Problem::broken_body(),
        Unread::NoRoom(_) => Problem::for_now(),
    });
    read.map(|(body, _)| body)
}

/// One line for every write, whether it was done or not.
fn audited<T>(what: &'static str, which: impl fmt::Display, result: Result<T, Problem>) -> Result<T, Problem> {
    let outcome = result.as_ref().err().map_or("done", Problem::code);
    let who = access::caller().map_or_else(|| "operator".to_owned(), |caller| caller.to_string());
    tracing::info!(%who, what, %which, outcome, "{who}: {what} {which}: {outcome}");
    access::note(which.to_string());
    result
}

/// A question how much a write would change.
fn counted<T>(answer: T) -> T {
    access::note("counted only".to_owned());
    answer
}

fn created(place: &str, view: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    response.headers_mut().extend(HeaderValue::from_str(place).ok().map(|place| (LOCATION, place)));
    response
}
