//! The events of a verified delivery, put where they cannot be lost.

use bytes::Bytes;
use hookbox_core::body_schema::{self, Otherwise};
use hookbox_core::name::ProviderName;
use hookbox_core::retry::DeadCause;
use hookbox_core::time::Timestamp;
use hookbox_store::types::{Accepted, NewEvent, NewRun};

use super::delivery::{Parts, Read};
use super::refused::Refused;
use super::{Ingress, Receiver};
use crate::providers::LiveProvider;

impl Receiver {
    /// Returns once all of them are on disk, in one transaction. `body` as it was sent.
    pub(super) async fn take_in(
        &self,
        name: &ProviderName,
        live: &LiveProvider,
        events: Read<'_>,
        body: &Bytes,
        now: Timestamp,
    ) -> Result<Vec<Accepted>, Refused> {
        let parts = events.into_parts().into_iter();
        let new: Result<Vec<NewEvent>, Refused> =
            parts.map(|parts| self.new_event(name, live, parts, body, now)).collect();
        let new = new?;
        // One delivery may bring many.
        let runs: usize = new.iter().map(|event| event.runs.len()).sum();
        let (Ingress { store, limits, .. }, runs) = (&self.ingress, u64::try_from(runs).unwrap_or(u64::MAX));
        if new.len() > 1 && store.counts().pending.saturating_add(runs) > limits.queue_max {
            return Err(Refused::QueueFull);
        }
        store.accept_all(new).await.map_err(Refused::Store)
    }

    /// With its runs.
    fn new_event(
        &self,
        name: &ProviderName,
        live: &LiveProvider,
        parts: Parts<'_>,
        body: &Bytes,
        now: Timestamp,
    ) -> Result<NewEvent, Refused> {
        let fault = match live.fault(name, parts.event_type(), parts.document()) {
            Some((fault, Otherwise::Refuse)) => return Err(Refused::InvalidBody(fault)),
            Some((fault, Otherwise::DeadLetter)) => Some(fault),
            None => None,
        };
        let mint = &self.ingress.mint;
        let mut new = parts.into_event(body, mint, now);
        let dead = fault.as_ref().map(|_| DeadCause::InvalidBody);
        new.event.attributes.extend(fault.map(|fault| (body_schema::ATTRIBUTE.to_owned(), fault.to_string())));
        let targets = self.ingress.store.catalogue().reach(&new.event).into_iter();
        new.runs = targets.map(|(target, terms)| NewRun { id: mint.run(now), target, dead, terms }).collect();
        Ok(new)
    }
}
