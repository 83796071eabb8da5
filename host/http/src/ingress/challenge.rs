//! A GET or OPTIONS: a sender asks whether the host is its customer's, before it sends anything.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_core::verify::{Delivery, Refusal, Reply};

use super::answer::Taken;
use super::refused::Refused;
use super::{Receiver, shown, url_of};
use crate::source;

const ORIGIN: &str = "webhook-request-origin";
const ORIGIN_BYTES_MAX: usize = 255;

pub(super) async fn ask(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let provider = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let source = receiver.source(&request);
    match receiver.reply(&provider, source, &request) {
        Ok(reply) => Taken::Reply(reply).answer(shown(&provider)),
        Err(refused) => receiver.refuse(&provider, source, refused),
    }
}

/// Section 4 of <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md>. Whoever may send shows it
/// with each delivery, so everybody may: what the stranger calls itself is not sent back.
pub(super) async fn permit(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let provider = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let source = receiver.source(&request);
    match receiver.may_send(&provider, source, request.headers()) {
        Ok(rate) => {
            let headers = [("webhook-allowed-origin", "*".to_owned()), ("webhook-allowed-rate", rate)];
            (StatusCode::OK, [(ALLOW, "POST")], headers).into_response()
        }
        Err(refused) => receiver.refuse(&provider, source, refused),
    }
}

impl Receiver {
    /// How many a minute, if the provider's senders are of those that ask.
    fn may_send(&self, name: &str, source: IpAddr, headers: &HeaderMap) -> Result<String, Refused> {
        let _permit = self.admit(source)?;
        let providers = self.ingress.providers.load_full();
        let (_, live) = providers.find(name).ok_or(Refused::UnknownProvider)?;
        if !live.allow_from.is_empty() && !source::is_in(&live.allow_from, source) {
            return Err(Refused::SourceNotAllowed);
        }
        if !live.verifier.scheme().is_asked_for_permission() {
            return Err(Refused::Unverified(Refusal::NoChallenge));
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'*');
        let good = |origin: &[u8]| (1..=ORIGIN_BYTES_MAX).contains(&origin.len()) && origin.iter().all(plain);
        match (origins.next(), origins.next()) {
            (Some(origin), None) if good(origin.as_bytes()) => Ok(live.allowed_per_minute()),
            _ => Err(Refused::Unverified(Refusal::BadChallenge)),
        }
    }

    /// A stranger cannot tell a provider without a challenge from one that does not exist.
    fn reply(&self, name: &str, source: IpAddr, request: &Request) -> Result<Reply, Refused> {
        let _permit = self.admit(source)?;
        let providers = self.ingress.providers.load_full();
        let provider = providers.find(name);
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers: Vec<_> = headers.collect();
        let query = request.uri().query();
        let url = url_of(provider.and_then(|(_, live)| live.public_url.as_deref()), query);
        let delivery =
            Delivery { method: "GET", url: &url, query: query.unwrap_or_default(), headers: &headers, body: &[] };
        let now = self.ingress.clock.now();
        let Some((_, live)) = provider else {
            let _ = providers.decoy(name).map(|decoy| decoy.challenge(&delivery));
            return Err(Refused::UnknownProvider);
        };
        live.verifier.challenge(&delivery, now).map_err(Refused::Unverified)
    }
}
