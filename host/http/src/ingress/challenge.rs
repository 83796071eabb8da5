//! A GET: a sender asks whether the host is its customer's, before it sends anything.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use hookbox_core::verify::{Delivery, Reply};

use super::answer::Taken;
use super::refused::Refused;
use super::{Receiver, shown, url_of};

pub(super) async fn ask(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let provider = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let source = receiver.source(&request);
    match receiver.reply(&provider, source, &request) {
        Ok(reply) => Taken::Reply(reply).answer(shown(&provider)),
        Err(refused) => receiver.refuse(&provider, source, refused),
    }
}

impl Receiver {
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
