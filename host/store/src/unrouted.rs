//! Events that have reached no handler: each has a mark, so that nobody looks for them among all events.

use std::ops::ControlFlow;

use hookbox_core::event::Event;
use hookbox_core::id::EventId;

use crate::codec;
use crate::counts::Counts;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Changed, Order, Read};
use crate::query::PAGE_MAX;
use crate::types::{EventPage, EventRecord, PageRequest};
use crate::values;

/// Marks that one write sets.
const MARKS_MAX: usize = 4096;

/// Newest first, without bodies.
pub(crate) fn page(tree: &dyn Read, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let to = page.before.map_or_else(|| keys::end_of(&[keys::UNROUTED]), keys::unrouted);
    let (mut events, mut next) = (Vec::new(), None);
    tree.scan(&[keys::UNROUTED], &to, Order::Descending, &mut |key, _| {
        let Some(id) = keys::id_of(key).map(EventId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if events.len() == limit {
            next = events.last().map(|last: &EventRecord| last.event.id);
            return Ok(ControlFlow::Break(()));
        }
        // It may have been pruned or routed meanwhile.
        if let Some(row) = values::get(tree, &keys::event(id))? {
            let stored = codec::decode_event(id, &row)?;
            if stored.runs.is_empty() {
                let event = Event { data: Vec::new(), ..stored.event };
                events.push(EventRecord { event, data_bytes: stored.data_bytes, runs: Vec::new() });
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(EventPage { events, next })
}

pub(crate) fn oldest(tree: &dyn Read, after: Option<EventId>, limit: usize) -> Result<Vec<EventId>, StoreError> {
    let from = after.map_or_else(|| vec![keys::UNROUTED], |after| [keys::unrouted(after).as_slice(), &[0]].concat());
    let limit = limit.clamp(1, PAGE_MAX);
    let mut ids = Vec::new();
    tree.scan(&from, &keys::end_of(&[keys::UNROUTED]), Order::Ascending, &mut |key, _| {
        ids.extend(keys::id_of(key).map(EventId::from_bytes));
        Ok(if ids.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(ids)
}

/// Marks the events of a store that older releases wrote, and counts them. Cut off, it begins anew at the next start.
pub(crate) fn mark_all(
    tree: &dyn Read,
    mut write: impl FnMut(Changed) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if tree.get(keys::UNROUTED_MARKED)?.is_some() {
        return Ok(());
    }
    let (mut marks, mut marked) = (Changed::new(), 0);
    tree.scan(&[keys::EVENT], &keys::end_of(&[keys::EVENT]), Order::Ascending, &mut |key, stored| {
        let Some(id) = keys::id_of(key).map(EventId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if let Some(row) = values::current(tree, key, stored)?
            && codec::decode_event(id, &row)?.runs.is_empty()
        {
            marked += 1;
            marks.insert(keys::unrouted(id), Some(vec![0]));
        }
        if marks.len() == MARKS_MAX {
            write(std::mem::take(&mut marks))?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let counts: Counts = match values::get(tree, keys::COUNTS)? {
        Some(row) => codec::decode_counts(&row)?,
        None => Counts::default(),
    };
    if counts.unrouted != marked {
        let row = codec::encode_counts(&Counts { unrouted: marked, ..counts })?;
        marks.insert(keys::COUNTS.to_vec(), Some([&[0], row.as_slice()].concat()));
    }
    marks.insert(keys::UNROUTED_MARKED.to_vec(), Some(vec![0]));
    write(marks)
}
