//! The events of a verified delivery, put where they cannot be lost.

use std::sync::Arc;

use bytes::Bytes;
use hookbox_core::body_schema::{self, Otherwise};
use hookbox_core::name::ProviderName;
use hookbox_core::retry::DeadCause;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::Reply;
use hookbox_store::StoreError;
use hookbox_store::types::{NewEvent, NewRun};

use super::answer::Taken;
use super::delivery::{Parts, Read};
use super::refused::Refused;
use super::{Admitted, Ingress, Receiver};
use crate::bodies::Held;
use crate::body::Unread;
use crate::providers::LiveProvider;

/// The events of one delivery.
pub(super) struct New {
    provider: ProviderName,
    events: Vec<NewEvent>,
    is_batch: bool,
    /// What the sender wants to hear.
    answer: Option<Reply>,
    /// Where the secret is from that it was signed with.
    secret_place: String,
    now: Timestamp,
}

impl Receiver {
    /// Returns once all of them are on disk, in one transaction. Where the sender goes away before, they are written
    /// nevertheless, and count as in flight until they are.
    pub(super) async fn take_in(&self, new: New, admitted: Admitted, mut held: Held) -> Result<Taken, Refused> {
        let Ingress { store, limits, tally, .. } = &self.ingress;
        let New { provider, events, is_batch, answer, secret_place, now } = new;
        // One delivery may bring many.
        let runs: usize = events.iter().map(|event| event.runs.len()).sum();
        let runs = u64::try_from(runs).unwrap_or(u64::MAX);
        if events.len() > 1 && store.counts().pending.saturating_add(runs) > limits.queue_max {
            return Err(Refused::QueueFull);
        }
        // It may have been inflated.
        let bytes = events.iter().map(|event| event.event.data.len()).sum();
        held.resize(bytes).map_err(|full| Refused::Unread(Unread::NoRoom(full)))?;
        let store = Arc::clone(store);
        let written = tokio::spawn(async move {
            let written = store.accept_all(events).await;
            drop((admitted, held));
            written
        });
        let failed = |_| StoreError::Unavailable("the write of a webhook panicked".to_owned());
        let accepted = written.await.map_err(failed).flatten().map_err(Refused::Store)?;
        tally.accepted(&provider, &secret_place, &accepted, now);
        Ok(if is_batch { Taken::Batch(accepted) } else { Taken::Event(accepted, answer) })
    }

    /// `body` as it was sent.
    pub(super) fn new_events(
        &self,
        name: &ProviderName,
        live: &LiveProvider,
        events: Read<'_>,
        secret: usize,
        body: &Bytes,
        now: Timestamp,
    ) -> Result<New, Refused> {
        let is_batch = events.is_batch();
        let parts = events.into_parts().into_iter();
        let events: Result<Vec<NewEvent>, Refused> =
            parts.map(|parts| self.new_event(name, live, parts, body, now)).collect();
        Ok(New {
            provider: name.clone(),
            events: events?,
            is_batch,
            answer: live.verifier.scheme().answer(),
            secret_place: live.secret_place(secret).to_owned(),
            now,
        })
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
