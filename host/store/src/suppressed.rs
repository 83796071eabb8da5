//! Deliveries that were duplicates: each is listed once for every body it came with, and can be released.

use std::ops::ControlFlow;

use hookbox_core::event::Event;
use hookbox_core::id::EventId;

use crate::codec::{self, SuppressedV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::query::{self, PAGE_MAX};
use crate::types::{PageRequest, Suppressed, SuppressedPage};
use crate::values;

/// Newest first, without bodies.
pub(crate) fn page(tree: &dyn Read, page: PageRequest<EventId>) -> Result<SuppressedPage, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let to = page.before.map_or_else(|| keys::end_of(&[keys::SUPPRESSED]), keys::suppressed);
    let (mut items, mut next) = (Vec::new(), None);
    tree.scan(&[keys::SUPPRESSED], &to, Order::Descending, &mut |key, stored| {
        let Some(id) = keys::id_of(key).map(EventId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if items.len() == limit {
            next = items.last().map(|last: &Suppressed| last.event.id);
            return Ok(ControlFlow::Break(()));
        }
        if let Some(row) = values::current(tree, key, stored)? {
            let shown = decode(id, &row)?.shown;
            items.push(Suppressed { event: Event { data: Vec::new(), ..shown.event }, ..shown });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(SuppressedPage { items, next })
}

/// One with its body.
pub(crate) fn one(tree: &dyn Read, id: EventId) -> Result<Suppressed, StoreError> {
    let row = values::get(tree, &keys::suppressed(id))?.ok_or_else(|| gone(id))?;
    let Decoded { mut shown, body_apart, .. } = decode(id, &row)?;
    if shown.same_body && !body_apart && shown.event.data.is_empty() && shown.data_bytes > 0 {
        shown.event.data = match query::event_input(tree, shown.first) {
            Ok(first) => first.data,
            Err(StoreError::NotFound(_)) => {
                return Err(StoreError::Conflict(format!(
                    "{id} has the body of {}, which has been pruned",
                    shown.first
                )));
            }
            Err(error) => return Err(error),
        };
    } else if body_apart {
        shown.event.data = match values::get(tree, &keys::event_body(id))? {
            Some(body) => body,
            // It was released or pruned while it was read.
            None if tree.get(&keys::suppressed(id))?.is_none() => return Err(gone(id)),
            None => return Err(StoreError::Corrupt(format!("the body of suppressed delivery {id} is missing"))),
        };
    }
    Ok(shown)
}

fn gone(id: EventId) -> StoreError {
    StoreError::NotFound(format!("suppressed delivery {id}: released or pruned already"))
}

pub(crate) struct Decoded {
    /// Without its body where that is another's, or kept apart.
    pub(crate) shown: Suppressed,
    pub(crate) fingerprint: [u8; 16],
    pub(crate) body_apart: bool,
}

pub(crate) fn decode(id: EventId, row: &[u8]) -> Result<Decoded, StoreError> {
    let form: SuppressedV1 = codec::decode(row)?;
    let stored = codec::decode_event(id, &form.event)?;
    let shown = Suppressed {
        event: stored.event,
        data_bytes: form.data_bytes,
        first: EventId::from_bytes(form.first),
        same_body: form.same_body,
        times: form.times,
        last: hookbox_core::time::Timestamp(form.last),
    };
    Ok(Decoded { shown, fingerprint: form.fingerprint, body_apart: stored.body_apart })
}
