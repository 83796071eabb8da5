//! The public listener: takes webhooks in, and tells strangers nothing.

mod answer;
mod challenge;
mod charge;
pub(crate) mod delivery;
mod refused;
mod take_in;
mod trace;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hookbox_core::clock::Clock;
use hookbox_core::config::{BODIES_BYTES, BODY_BYTES, IN_FLIGHT, PER_SOURCE, QUEUE};
use hookbox_core::id::Mint;
use hookbox_core::name::ProviderName;
use hookbox_core::rate::Rate;
use hookbox_core::time::Millis;
use hookbox_core::trace::{TRACEPARENT, Tracing};
use hookbox_core::verify::{Delivery, Refusal};
use hookbox_store::Store;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bodies::Bodies;
use crate::body::{self, Unread};
use crate::health::{self, Detail, Standing};
use crate::lifecycle::{Lifecycle, Phase};
use crate::pairing::Pairing;
use crate::problem::Problem;
use crate::providers::Providers;
use crate::share::{PART, Share, Shares};
use crate::source;
use crate::tally::{Tally, Turned};
use answer::Taken;
use charge::Sources;
use delivery::{Known, Read};
use refused::Refused;
use take_in::New;
use trace::Traced;

/// A body comes within this: senders give up on an answer after about as long.
pub const BODY_READ_TIMEOUT: Millis = Millis(10_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngressLimits {
    /// Of one webhook, unless its provider has a limit of its own.
    pub body_bytes_max: usize,
    /// Of all bodies that are held at one time, until they are answered; one source has a quarter of it, or room for
    /// one body.
    pub bodies_bytes_max: usize,
    /// Runs that may wait: more would be promises that nobody can keep. One handler has three quarters of them.
    pub queue_max: u64,
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
            bodies_bytes_max: usize::try_from(BODIES_BYTES).unwrap_or(usize::MAX),
            queue_max: QUEUE,
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
    /// The same as the operator's listener has.
    pub pairing: Arc<Pairing>,
    /// The same as the operator's listener has.
    pub tally: Arc<Tally>,
    pub lifecycle: Arc<Lifecycle>,
    /// What becomes of deliveries, as spans.
    pub tracing: Tracing,
    pub limits: IngressLimits,
    /// Whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The address of the listener: health is told in full on loopback only, and there not through a proxy.
    pub listens_on: IpAddr,
}

struct Receiver {
    ingress: Ingress,
    in_flight: Arc<Semaphore>,
    bodies: Bodies,
    sources: Sources,
    shares: Shares,
}

/// A request that was let in, until this is dropped.
struct Admitted {
    _place: OwnedSemaphorePermit,
    _share: Share,
}

/// What is to be done with a delivery.
enum Judged {
    Answer(Taken),
    /// It is the sender's own: its events.
    TakeIn(New),
}

/// `POST /api/v1/webhooks/webhook/{provider}`, `GET` and `OPTIONS` there for senders that ask first, and `GET /api/v1/webhooks/webhook/health`, nothing else.
pub fn router(ingress: Ingress) -> Router {
    let in_flight = Arc::new(Semaphore::new(ingress.limits.in_flight_max.min(Semaphore::MAX_PERMITS)));
    let bodies = Bodies::new(ingress.limits.bodies_bytes_max);
    let (shares, sources) = (Shares::default(), Sources::new());
    Router::new()
        .route("/api/v1/webhooks/webhook/{provider}", post(receive).get(challenge::ask).options(challenge::permit))
        .route("/api/v1/webhooks/webhook/health", get(health))
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .fallback(async || Problem::not_found())
        .with_state(Arc::new(Receiver { ingress, in_flight, bodies, shares, sources }))
}

async fn health(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let ingress = &receiver.ingress;
    let detail = if ingress.listens_on.is_loopback() && is_local(&request) { Detail::Full } else { Detail::Status };
    // Whether webhooks are taken: whoever balances load is not to take the host away for its schedules.
    let standing = Standing::of(&*ingress.store, &ingress.lifecycle);
    health::report(&*ingress.store, standing, None, &ingress.providers.load(), detail)
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
    let (source, began) = (receiver.source(&request), receiver.ingress.clock.micros());
    match receiver.take(&provider, source, request).await {
        Ok(taken) => {
            receiver.ingress.tally.acked(receiver.ingress.clock.micros().saturating_sub(began));
            taken.answer(shown(&provider))
        }
        Err(refused) => receiver.refuse(&provider, source, refused),
    }
}

/// The URL that the sender called: what the operator says, and the query that came. Nothing where the operator says
/// nothing.
fn url_of(public_url: Option<&str>, query: Option<&str>) -> String {
    match (public_url, query) {
        (Some(url), Some(query)) => format!("{url}?{query}"),
        (Some(url), None) => url.to_owned(),
        (None, _) => String::new(),
    }
}

/// What a stranger called the provider, where it is harmless to print.
fn shown(provider: &str) -> &str {
    ProviderName::parse(provider).map_or("(no name)", |_| provider)
}

impl Receiver {
    fn source(&self, request: &Request) -> IpAddr {
        source::of(request.headers(), request.extensions(), &self.ingress.trusted_proxies)
    }

    /// The cause is for the log and the operator alone.
    fn refuse(&self, provider: &str, source: IpAddr, refused: Refused) -> Response {
        refused.log(shown(provider));
        let Ingress { providers, tally, clock, .. } = &self.ingress;
        let turned = Turned { at: clock.now(), cause: refused.code(), message: refused.message(), source };
        tally.refused(providers.load().find(provider).map(|(name, _)| name), turned);
        Problem::from(refused).into_response()
    }

    /// What is looked at before the body is read.
    fn admit(&self, source: IpAddr) -> Result<Admitted, Refused> {
        let Ingress { clock, limits, .. } = &self.ingress;
        self.is_serving()?;
        self.sources.charge(source, limits.per_source, clock.monotonic()).map_err(Refused::SourceRate)?;
        if self.ingress.store.counts().pending >= limits.queue_max {
            return Err(Refused::QueueFull);
        }
        let place = Arc::clone(&self.in_flight).try_acquire_owned().map_err(|_| Refused::Busy)?;
        let share = self.shares.enter(source, limits.in_flight_max.div_ceil(PART)).ok_or(Refused::SourceBusy)?;
        Ok(Admitted { _place: place, _share: share })
    }

    /// Returns once the event is on disk.
    async fn take(&self, name: &str, source: IpAddr, request: Request) -> Result<Taken, Refused> {
        let tracing = &self.ingress.tracing;
        let began = tracing.began();
        let (head, mut body) = request.into_parts();
        let admitted = match self.admit(source) {
            Ok(admitted) => admitted,
            Err(refused) => {
                body::discard(&mut body).await;
                return Err(refused);
            }
        };
        let limits = &self.ingress.limits;
        let providers = self.ingress.providers.load_full();
        let provider = providers.find(name);
        let own_max = provider.and_then(|(_, live)| live.body_bytes_max).unwrap_or(limits.body_bytes_max);
        // A smaller limit of the provider's own is looked at later: here it would tell strangers that there is one.
        let most = own_max.max(limits.body_bytes_max);
        let held = self.bodies.of(source, most);
        let read = body::read(body, most, limits.body_read_timeout, held).await;
        let (body, held) = read.map_err(Refused::Unread)?;
        let judging = tracing.began();
        let judged = self.judge(&providers, name, source, &head, &body)?;
        // Its events have copies of what they need.
        drop((head, body));
        match judged {
            Judged::Answer(taken) => Ok(taken),
            Judged::TakeIn(new) => {
                let traced = Traced::of(tracing, new.entered, began, &new.provider);
                traced.iter().for_each(|traced| traced.part("verify", judging));
                let accepting = tracing.began();
                let taken = self.take_in(new, admitted, held).await;
                if let Some(traced) = traced {
                    traced.part("accept", accepting);
                    traced.end(&taken);
                }
                taken
            }
        }
    }

    /// Everything that takes long for a provider that exists is done for one that does not.
    fn judge(
        &self,
        providers: &Providers,
        name: &str,
        source: IpAddr,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Judged, Refused> {
        let Ingress { clock, limits, .. } = &self.ingress;
        let provider = providers.find(name);
        let url = url_of(provider.and_then(|(_, live)| live.public_url.as_deref()), head.uri.query());
        let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery {
            method: head.method.as_str(),
            url: &url,
            query: head.uri.query().unwrap_or_default(),
            headers: &headers,
            body,
        };
        let now = clock.now();
        let Some((name, live)) = provider else {
            let _ = providers.decoy(name).map(|decoy| decoy.verify(&delivery, now));
            return if self.pairs(providers, name, body, source) {
                Ok(Judged::Answer(Taken::Paired))
            } else {
                Err(Refused::UnknownProvider)
            };
        };
        // Looked at after the signature is, so that the time taken does not tell who may send from where; told first.
        let verdict = live.verifier.verify(&delivery, now);
        if !live.allow_from.is_empty() && !source::is_in(&live.allow_from, source) {
            return Err(Refused::SourceNotAllowed);
        }
        let mut verified = match verdict {
            Ok(verified) => verified,
            // As where nobody has a larger limit.
            Err(_) if body.len() > limits.body_bytes_max => return Err(Refused::Unread(Unread::TooLarge)),
            Err(Refusal::MissingHeader { .. } | Refusal::MissingSignature { .. })
                if self.pairs(providers, name.as_str(), body, source) =>
            {
                return Ok(Judged::Answer(Taken::Paired));
            }
            Err(refusal) => return Err(Refused::Unverified(refusal)),
        };
        if body.len() > live.body_bytes_max.unwrap_or(limits.body_bytes_max) {
            return Err(Refused::Unread(Unread::TooLarge));
        }
        if let Some(reply) = verified.challenge.take() {
            return Ok(Judged::Answer(Taken::Reply(reply)));
        }
        if let Some(allowance) = &live.allowance {
            allowance.charge(clock.monotonic()).map_err(Refused::ProviderRate)?;
        }
        let encoding = delivery::encoding(&delivery).map_err(Refused::NotInflated)?;
        let inflated = encoding.map(|encoding| encoding.inflate(body)).transpose().map_err(Refused::NotInflated)?;
        let read = Delivery { body: inflated.as_deref().unwrap_or(body), ..delivery };
        let (scheme, window, integrity) = (live.verifier.scheme(), live.dedupe, verified.integrity);
        let events = Read::new(Known { provider: name, scheme, window, integrity, encoding }, &read)?;
        if let Some(allowance) = &live.allowance {
            // The delivery was charged as one; each of its events counts.
            allowance.charge_many(events.len().saturating_sub(1), clock.monotonic()).map_err(Refused::ProviderRate)?;
        }
        let told = head.headers.get(TRACEPARENT).and_then(|told| told.to_str().ok());
        let entered = self.ingress.tracing.enter(name, told);
        Ok(Judged::TakeIn(self.new_events(name, live, events, (verified.secret, entered), body, now)?))
    }

    fn is_serving(&self) -> Result<(), Refused> {
        match self.ingress.lifecycle.phase() {
            Phase::Starting => Err(Refused::Starting),
            Phase::Draining => Err(Refused::Draining),
            Phase::Serving => Ok(()),
        }
    }

    /// Whether an operator waits for this provider's secret, and this unsigned body brings it.
    fn pairs(&self, providers: &Providers, name: &str, body: &[u8], source: IpAddr) -> bool {
        let Ingress { pairing, clock, .. } = &self.ingress;
        let pairable = providers.pairable(name);
        pairable.is_some_and(|(name, _)| pairing.offer(name, body, Some(source), clock.monotonic()))
    }
}
