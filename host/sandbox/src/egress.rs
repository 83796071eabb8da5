//! Requests that a guest sends through `wasi:http`.
//!
//! Each passes two gates of [`hookbox_core::egress`]: its grant before anything is resolved, and then
//! the addresses that its host resolved to. It is connected to those very
//! addresses, so a name that is resolved to another one a moment later changes
//! nothing. No redirect is followed: it comes back to the guest, whose next request passes both gates again.
//!
//! Each plugin version has a pool of connections of its own, whose places it shares with the plugin's other versions. Every request is
//! written down, whatever becomes of it, and ends with the attempt.

mod body;
mod bounds;
mod client;
mod connect;
mod headers;
mod line;
mod places;
mod record;
mod resolve;
mod within;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hookbox_core::denial::DeniedKind;
use hookbox_core::egress::{Destination, Egress, Host, Scheme, is_public};
use http::{Method, Request, Response, Uri};
use hyper_util::client::legacy::connect::capture_connection;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::denied::{DeniedBook, Weight};
use crate::logbook::LogBook;

pub(crate) use bounds::bound;
pub(crate) use client::{Client, tls};
pub(crate) use headers::Repetitions;
pub(crate) use places::Places;
pub(crate) use record::Records;
pub use resolve::{Resolve, SystemResolver};

use body::Budget;
use line::{Travelling, Unfinished};
use record::Recorded;
use within::Within;

pub(crate) type Answer = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);
pub(crate) type Answering = Box<dyn Future<Output = Result<Answer, Error>> + Send>;

/// Sends the requests of one attempt.
pub(crate) struct Sender {
    egress: Arc<Egress>,
    client: Option<Client>,
    log: LogBook,
    records: Records,
    denied: DeniedBook,
    repetitions: Repetitions,
    budget: Budget,
    begun: u32,
    at_once: Arc<AtomicU32>,
    /// Whether any may be sent: not while a plugin describes itself.
    open: bool,
}

/// Why a request is not sent: what the guest is told, and what its operator is.
struct Refusal {
    error: Error,
    reason: String,
}

impl Refusal {
    fn denied(reason: String) -> Refusal {
        Refusal { error: Error::HttpRequestDenied, reason }
    }
}

/// One of the places that requests have at one time, until its answer was read or dropped.
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(places: &Arc<AtomicU32>, max: u32) -> Option<Place> {
        let one_more = |taken: u32| (taken < max).then_some(taken + 1);
        places.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Place(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Sender {
    /// `key` is the invocation's idempotency key.
    pub(crate) fn new(
        egress: Arc<Egress>,
        client: Option<Client>,
        log: LogBook,
        denied: DeniedBook,
        key: &str,
    ) -> Sender {
        let budget = Budget::new(egress.response_bytes_max);
        let repetitions = Repetitions::new(key);
        let (records, at_once) = (Records::default(), Arc::default());
        Sender { egress, client, log, records, denied, repetitions, budget, begun: 0, at_once, open: true }
    }

    /// For `describe()`: it refuses everything.
    pub(crate) fn closed(log: LogBook) -> Sender {
        Sender { open: false, ..Sender::new(Arc::default(), None, log, DeniedBook::default(), "") }
    }

    pub(crate) fn records(&self) -> Records {
        self.records.clone()
    }

    fn send(
        &mut self,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> impl Future<Output = Result<Answer, Error>> + Send + use<> {
        let recorded = self.records.begin(request.method(), request.uri());
        let (log, denied) = (self.log.clone(), self.denied.clone());
        let (target, weight) = (target(request.method(), request.uri()), weight(request.uri()));
        let admitted = self.admit(&mut request);
        let (budget, within) = (self.budget.clone(), Within::of(options));
        async move {
            let answered = match admitted {
                Ok((client, place)) => exchange(client, request, within, &recorded, budget, place).await,
                Err(refusal) => Err(refusal),
            };
            answered.map_err(|Refusal { error, reason }| {
                if is_denial(&error) {
                    log.told(&format!("request refused: {}: {reason}", recorded.shown()));
                    let inner = matches!(error, Error::DestinationIpProhibited);
                    let weight = if inner { Weight::Inner } else { weight };
                    denied.note_as(weight, DeniedKind::Request, &target, &reason);
                }
                recorded.failed(reason, is_denial(&error));
                error
            })
        }
    }

    /// The first gate, and how many there may be.
    fn admit(&mut self, request: &mut Request<WasiBody>) -> Result<(Client, Place), Refusal> {
        if !self.open {
            return Err(Refusal::denied("no request may be sent while a plugin describes itself".to_owned()));
        }
        // Refused ones, too: by many of them a guest could hide what it sends.
        let max = self.egress.requests_max;
        if self.begun >= max {
            return Err(Refusal::denied(format!("more than {max} requests in one attempt: raise limits.requests")));
        }
        self.begun += 1;
        let to = destination(request.uri())?;
        let method = request.method().as_str().to_owned();
        // A tunnel would carry anything past the gates, and a trace sends the headers back.
        // In whatever letters: a careless server reads them alike.
        let never = [Method::CONNECT, Method::TRACE];
        if never.iter().any(|never| never.as_str().eq_ignore_ascii_case(&method)) {
            return Err(Refusal::denied(format!("{method} is never allowed")));
        }
        let client = self.client.clone().filter(|_| self.egress.is_granted(&method, &to)).ok_or_else(|| {
            Refusal::denied(format!("it is not granted: add \"{method} {to}\" to grants.http of the plugin"))
        })?;
        client::look(&self.egress, &to.host, false)?;
        let max = self.egress.at_once_max;
        // What is refused for others that are under way is not counted, nor is its key: when that happens depends on how
        // fast the other side answers.
        let Some(place) = Place::take(&self.at_once, max) else {
            self.begun -= 1;
            let reason = format!("more than {max} requests at one time: raise limits.requests_at_once");
            return Err(Refusal { error: Error::ConnectionLimitReached, reason });
        };
        let carries = headers::fill_in(&self.egress, &to, request)?;
        self.repetitions.mark(request);
        if carries && to.scheme == Scheme::Http {
            client::look(&self.egress, &to.host, true)?;
            return Ok((client.private(), place));
        }
        Ok((client, place))
    }
}

/// What a grant would have to name: neither a path nor a name and password.
fn target(method: &Method, uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{method} {}://{host}", uri.scheme_str().unwrap_or("https"))
}

/// By the URL alone. Where a name leads to is not asked before it is granted.
fn weight(uri: &Uri) -> Weight {
    match destination(uri) {
        Ok(Destination { host: Host::Address(address), .. }) if !is_public(address) => Weight::Inner,
        _ => Weight::Ordinary,
    }
}

fn is_denial(error: &Error) -> bool {
    matches!(error, Error::HttpRequestDenied | Error::DestinationIpProhibited | Error::ConnectionLimitReached)
}

fn destination(uri: &Uri) -> Result<Destination, Refusal> {
    let bad = |reason: String| Refusal { error: Error::HttpRequestUriInvalid, reason };
    let scheme = uri.scheme_str().and_then(Scheme::parse).ok_or_else(|| bad("only http and https".to_owned()))?;
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    Destination::parse(scheme, authority).map_err(|error| bad(format!("its URL {error}")))
}

async fn exchange(
    client: Client,
    mut request: Request<WasiBody>,
    within: Within,
    recorded: &Recorded,
    budget: Budget,
    place: Place,
) -> Result<Answer, Refusal> {
    let connection = capture_connection(&mut request);
    let (travelling, sending) = Travelling::new(connection.clone());
    let request = request.map(|body| body::sent(body, recorded.clone(), sending));
    let unfinished = Unfinished::new(travelling, recorded.clone());
    let response = within.answer(client.request(request), connection, recorded).await?;
    recorded.answered(response.status());
    let response =
        response.map(|body| body::received(body, budget, within.between_bytes, recorded.clone(), (place, unfinished)));
    Ok((response, Box::new(async { Ok(()) })))
}

impl WasiHttpHooks for Sender {
    /// The client sets it, from the URL alone.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Answering {
        Box::new(self.send(request, options.unwrap_or_default()))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        body::CHUNK_BYTES
    }
}
