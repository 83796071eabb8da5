//! The events of a verified delivery, put where they cannot be lost.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use hookbox_core::body_schema::{self, Otherwise};
use hookbox_core::name::{HandlerRef, ProviderName};
use hookbox_core::queue::Room;
use hookbox_core::retry::DeadCause;
use hookbox_core::time::Timestamp;
use hookbox_core::trace::{Entered, TRACEPARENT};
use hookbox_core::verify::Reply;
use hookbox_store::types::{NewEvent, NewRun};
use hookbox_store::{Store, StoreError};

use super::answer::Taken;
use super::delivery::{Parts, Read};
use super::refused::Refused;
use super::{Admitted, Ingress, Receiver};
use crate::bodies::Held;
use crate::body::Unread;
use crate::providers::LiveProvider;

/// The events of one delivery.
pub(super) struct New {
    pub(super) provider: ProviderName,
    /// Nothing where nobody traces.
    pub(super) entered: Option<Entered>,
    events: Vec<NewEvent>,
    is_batch: bool,
    /// What the sender wants to hear.
    answer: Option<Reply>,
    /// Where the secret is from that it was signed with.
    secret_place: String,
    now: Timestamp,
}

/// Whether the runs of one delivery may wait. That there is room for one was looked at before it was read.
fn has_room(store: &dyn Store, room: Room, events: &[NewEvent]) -> Result<(), Refused> {
    let mut runs_of = HashMap::<&HandlerRef, u64>::new();
    for run in events.iter().flat_map(|event| &event.runs).filter(|run| run.dead.is_none()) {
        *runs_of.entry(&run.target).or_default() += 1;
    }
    let pending = store.counts().pending.saturating_add(runs_of.values().sum());
    if events.len() > 1 && pending > room.0 {
        return Err(Refused::QueueFull);
    }
    // No handler has more than all have together.
    let is_over = |(target, runs): (&&HandlerRef, &u64)| store.waiting_of(target).saturating_add(*runs) > room.share();
    match pending > room.share() && runs_of.iter().any(is_over) {
        true => Err(Refused::HandlerFull),
        false => Ok(()),
    }
}

impl Receiver {
    /// Returns once all of them are on disk, in one transaction. Where the sender goes away before, they are written
    /// nevertheless, and count as in flight until they are.
    pub(super) async fn take_in(&self, new: New, admitted: Admitted, mut held: Held) -> Result<Taken, Refused> {
        let Ingress { store, limits, tally, .. } = &self.ingress;
        let New { provider, entered: _, events, is_batch, answer, secret_place, now } = new;
        has_room(&**store, Room(limits.queue_max), &events)?;
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

    /// `body` as it was sent. With which secret it is signed, and the trace that it is in.
    pub(super) fn new_events(
        &self,
        name: &ProviderName,
        live: &LiveProvider,
        events: Read<'_>,
        (secret, entered): (usize, Option<Entered>),
        body: &Bytes,
        now: Timestamp,
    ) -> Result<New, Refused> {
        let is_batch = events.is_batch();
        let parts = events.into_parts().into_iter();
        let traceparent = entered.map(|entered| (TRACEPARENT.to_owned(), entered.context.to_string()));
        let new_event = |parts| {
            let mut new = self.new_event(name, live, parts, body, now)?;
            new.event.attributes.extend(traceparent.clone());
            Ok(new)
        };
        let events: Result<Vec<NewEvent>, Refused> = parts.map(new_event).collect();
        Ok(New {
            provider: name.clone(),
            entered,
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
        new.runs =
            targets.map(|(target, terms)| NewRun { id: mint.run(now), target, dead, made_by: None, terms }).collect();
        Ok(new)
    }
}
