//! Keeping what was a duplicate, and releasing it.

use std::ops::ControlFlow;

use hookbox_core::encoding::ATTRIBUTE;
use hookbox_core::event::Event;
use hookbox_core::id::{EventId, RunId};
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec::{self, DedupeV1, SuppressedV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::suppressed;
use crate::types::{NewEvent, NewRun};
use crate::values;

/// Bodies that are kept of the duplicates of one event: with more, its sender has lost its way, and they are counted.
const BODIES_MAX: usize = 16;

impl Ledger<'_> {
    /// One row for each body that a delivery comes with; the same one again is counted in it.
    pub(super) fn suppress(&mut self, first: &DedupeV1, new: NewEvent) -> Result<(), StoreError> {
        let now = new.event.time.0;
        let same_body = first.fingerprint == new.fingerprint;
        let index = keys::suppressed_of(&first.event, &new.fingerprint);
        if let Some(known) = values::get(&self.tree, &index)?.and_then(|row| row.try_into().ok()) {
            let key = keys::suppressed(EventId::from_bytes(known));
            if let Some(row) = values::get(&self.tree, &key)? {
                let form: SuppressedV1 = codec::decode(&row)?;
                let again = SuppressedV1 { times: form.times + 1, last: now, ..form };
                return values::replace(&mut self.tree, key, &codec::encode(&again)?);
            }
        }
        if !same_body && self.bodies_of(&first.event)? >= BODIES_MAX {
            let first = EventId::from_bytes(first.event);
            tracing::warn!(event.id = %first, "a duplicate of {first} is not kept: {BODIES_MAX} with other bodies are");
            return Ok(());
        }
        let (id, data_bytes) = (new.event.id, new.event.data.len() as u64);
        // The same text may have been sent compressed the one time and not the other.
        let shared = same_body && self.was_sent_alike(EventId::from_bytes(first.event), &new.event)?;
        let data = if shared { Vec::new() } else { new.event.data };
        if codec::body_is_apart(&data) {
            values::insert(&mut self.tree, keys::event_body(id), &data)?;
        }
        let row = codec::encode(&SuppressedV1 {
            first: first.event,
            fingerprint: new.fingerprint,
            same_body,
            times: 1,
            last: now,
            data_bytes,
            event: codec::encode_event(Event { data, ..new.event }, &[], Vec::new())?,
        })?;
        values::insert(&mut self.tree, keys::suppressed(id), &row)?;
        values::replace(&mut self.tree, index, &id.to_bytes())
    }

    fn was_sent_alike(&self, first: EventId, again: &Event) -> Result<bool, StoreError> {
        let Some(row) = values::get(&self.tree, &keys::event(first))? else { return Ok(false) };
        let first = codec::decode_event(first, &row)?;
        let encoding = |event: &Event| event.attributes.iter().find(|(name, _)| name == ATTRIBUTE).cloned();
        Ok(first.data_bytes == again.data.len() as u64 && encoding(&first.event) == encoding(again))
    }

    fn bodies_of(&self, first: &[u8; 16]) -> Result<usize, StoreError> {
        let from = keys::all_suppressed_of(first);
        let mut bodies = 0;
        self.tree.scan(&from, &keys::end_of(&from), Order::Ascending, &mut |_, _| {
            bodies += 1;
            Ok(if bodies < BODIES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(bodies)
    }

    /// Makes an event of a suppressed delivery, under the id that it has.
    pub(crate) fn release(&mut self, id: EventId, runs: Vec<NewRun>, now: Timestamp) -> Result<(), StoreError> {
        let released = suppressed::one(&self.tree, id)?;
        self.remove_suppressed(id)?;
        let mut event = released.event;
        event.attributes.push(("duplicate-of".to_owned(), released.first.to_string()));
        self.counts.events += 1;
        if runs.is_empty() {
            self.counts.unrouted += 1;
            self.tree.put(keys::unrouted(id), vec![0]);
        }
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        for run in runs {
            self.insert_run_of(&event, run, now)?;
        }
        self.insert_event(event, &ids, Vec::new())
    }

    pub(super) fn remove_suppressed(&mut self, id: EventId) -> Result<(), StoreError> {
        let key = keys::suppressed(id);
        let Some(row) = values::get(&self.tree, &key)? else { return Ok(()) };
        let decoded = suppressed::decode(id, &row)?;
        let index = keys::suppressed_of(&decoded.shown.first.to_bytes(), &decoded.fingerprint);
        if values::get(&self.tree, &index)?.is_some_and(|known| known == id.to_bytes()) {
            self.tree.delete(index);
        }
        if decoded.body_apart {
            values::remove(&mut self.tree, keys::event_body(id))?;
        }
        values::remove(&mut self.tree, key).map(|_| ())
    }
}
