//! The public listener: takes webhooks in, and tells strangers nothing.

mod charge;
mod delivery;
mod refused;
mod source;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hookbox_core::clock::Clock;
use hookbox_core::config::{BODY_BYTES, IN_FLIGHT, PER_SOURCE};
use hookbox_core::id::Mint;
use hookbox_core::name::ProviderName;
use hookbox_core::rate::Rate;
use hookbox_core::time::Millis;
use hookbox_core::verify::Delivery;
use hookbox_store::Store;
use hookbox_store::types::Accepted;
use ipnet::IpNet;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::body::{self, Unread};
use crate::health::{self, Detail};
use crate::lifecycle::{Lifecycle, Phase};
use crate::problem::Problem;
use crate::providers::Providers;
use charge::Sources;
use refused::Refused;

/// A body comes within this: senders give up on an answer after about as long.
pub const BODY_READ_TIMEOUT: Millis = Millis(10_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngressLimits {
    /// Of one webhook, unless its provider has a limit of its own.
    pub body_bytes_max: usize,
    /// Webhooks that are read, checked or written at one time.
    pub in_flight_max: usize,
    pub body_read_timeout: Millis,
    /// Webhooks of one source address, good or bad.
    pub per_source: Rate,
}

impl Default for IngressLimits {
    fn default() -> IngressLimits {
        IngressLimits {
            body_bytes_max: usize::try_from(BODY_BYTES).unwrap_or(usize::MAX),
            in_flight_max: usize::try_from(IN_FLIGHT).unwrap_or(usize::MAX),
            body_read_timeout: BODY_READ_TIMEOUT,
            per_source: PER_SOURCE,
        }
    }
}

/// What the public router is made of.
pub struct Ingress {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub mint: Arc<Mint>,
    pub providers: Arc<ArcSwap<Providers>>,
    pub lifecycle: Arc<Lifecycle>,
    pub limits: IngressLimits,
    /// Whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The address of the listener: health is told in full on loopback only, and there not through a proxy.
    pub listens_on: IpAddr,
}

struct Receiver {
    ingress: Ingress,
    in_flight: Semaphore,
    sources: Sources,
}

/// `POST /api/v1/webhooks/webhook/{provider}` and `GET /api/v1/webhooks/webhook/health`, nothing else.
pub fn router(ingress: Ingress) -> Router {
    let in_flight = Semaphore::new(ingress.limits.in_flight_max.min(Semaphore::MAX_PERMITS));
    Router::new()
        .route("/api/v1/webhooks/webhook/{provider}", post(receive))
        .route("/api/v1/webhooks/webhook/health", get(health))
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .fallback(async || Problem::not_found())
        .with_state(Arc::new(Receiver { ingress, in_flight, sources: Sources::new() }))
}

async fn health(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let ingress = &receiver.ingress;
    let detail = if ingress.listens_on.is_loopback() && is_local(&request) { Detail::Full } else { Detail::Status };
    health::report(&*ingress.store, &ingress.lifecycle, &ingress.providers.load(), detail)
}

/// Whoever asks calls this host by a name of loopback: a proxy, and a page of another site, use names of their own.
fn is_local(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none()).and_then(|host| host.to_str().ok());
    let target = request.uri().authority().map(|authority| authority.as_str());
    host.is_some_and(is_loopback_name) && target.is_none_or(is_loopback_name)
}

/// With or without a port.
fn is_loopback_name(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    ["localhost", "127.0.0.1", "[::1]"].iter().filter_map(|name| host.strip_prefix(name)).any(|rest| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
    })
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let path = request.uri().path();
    let provider = path.rsplit('/').next().unwrap_or_default().to_owned();
    match receiver.take(&provider, request).await {
        Ok(Accepted::New(id)) => answer(StatusCode::ACCEPTED, format!(r#"{{"id":"{id}","status":"accepted"}}"#)),
        Ok(Accepted::Duplicate { first, same_body }) => {
            if !same_body {
                let provider = shown(&provider);
                tracing::warn!(provider, event.id = %first, "a duplicate of {first} has another body than the first");
            }
            answer(StatusCode::OK, format!(r#"{{"id":"{first}","status":"duplicate"}}"#))
        }
        Err(refused) => {
            refused.log(shown(&provider));
            Problem::from(refused).into_response()
        }
    }
}

/// What a stranger called the provider, where it is harmless to print.
fn shown(provider: &str) -> &str {
    ProviderName::parse(provider).map_or("(no name)", |_| provider)
}

fn answer(status: StatusCode, json: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}

impl Receiver {
    /// What is looked at before the body is read.
    fn admit(&self, source: IpAddr) -> Result<SemaphorePermit<'_>, Refused> {
        let Ingress { clock, limits, lifecycle, .. } = &self.ingress;
        match lifecycle.phase() {
            Phase::Starting => return Err(Refused::Starting),
            Phase::Draining => return Err(Refused::Draining),
            Phase::Serving => {}
        }
        self.sources.charge(source, limits.per_source, clock.monotonic()).map_err(Refused::SourceRate)?;
        self.in_flight.try_acquire().map_err(|_| Refused::Busy)
    }

    /// Returns once the event is on disk. Everything that takes long for a provider that exists is done for one that
    /// does not.
    async fn take(&self, name: &str, request: Request) -> Result<Accepted, Refused> {
        let Ingress { store, clock, mint, limits, .. } = &self.ingress;
        let (head, mut body) = request.into_parts();
        let source = source::of(&head, &self.ingress.trusted_proxies);
        let _permit = match self.admit(source) {
            Ok(permit) => permit,
            Err(refused) => {
                body::discard(&mut body).await;
                return Err(refused);
            }
        };
        let providers = self.ingress.providers.load_full();
        let provider = providers.find(name);
        let own_max = provider.and_then(|(_, live)| live.body_bytes_max).unwrap_or(limits.body_bytes_max);
        // A smaller limit of the provider's own is looked at later: here it would tell strangers that there is one.
        let body = body::read(body, own_max.max(limits.body_bytes_max), limits.body_read_timeout)
            .await
            .map_err(Refused::Unread)?;
        let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery { headers: &headers, body: &body };
        let now = clock.now();
        let Some((name, live)) = provider else {
            let _ = providers.decoy(name).map(|decoy| decoy.verify(&delivery, now));
            return Err(Refused::UnknownProvider);
        };
        let verdict = live.verifier.verify(&delivery, now).map_err(Refused::Unverified);
        // Looked at after the signature is, so that the time taken does not tell who may send from where.
        let from_elsewhere = !live.allow_from.is_empty() && !source::is_in(&live.allow_from, source);
        let verdict = if from_elsewhere { Err(Refused::SourceNotAllowed) } else { verdict };
        let verified = verdict.map_err(|refused| match body.len() {
            // As where nobody has a larger limit.
            len if len > limits.body_bytes_max => Refused::Unread(Unread::TooLarge),
            _ => refused,
        })?;
        if body.len() > own_max {
            return Err(Refused::Unread(Unread::TooLarge));
        }
        if let Some(allowance) = &live.allowance {
            allowance.charge(clock.monotonic()).map_err(Refused::ProviderRate)?;
        }
        let parts = delivery::Parts::read(name, live.verifier.scheme(), &delivery, verified)?;
        let targets = store.catalogue().route(name.as_str(), parts.event_type());
        let new = parts.into_event(body, targets, mint, now);
        store.accept(new).await.map_err(Refused::Store)
    }
}
