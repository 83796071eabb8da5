//! Reading. A scan is no snapshot, so nothing here fails because a row that was
//! seen in one place has moved to another.

mod runs;
mod searches;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hookbox_core::denial::Denials;
use hookbox_core::event::{Event, Job};
use hookbox_core::hold::Holds;
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{PluginName, ScheduleName};
use hookbox_core::run::Run;
use hookbox_core::schedule::ScheduleRow;
use hookbox_core::time::Timestamp;

use crate::catalogue::{PluginCommand, PluginRow};
use crate::codec::{self, KvV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::{EventPage, EventRecord, KvPage, PageRequest};
use crate::values;
pub(crate) use runs::{dead_replayed, runs};
pub(crate) use searches::searches;

/// Rows of a page at most.
pub(crate) const PAGE_MAX: usize = 500;

pub(crate) fn run(tree: &dyn Read, id: RunId) -> Result<Run, StoreError> {
    // A run that ends moves from the first place to the second, never back.
    let row = match values::get(tree, &keys::live_run(id))? {
        Some(row) => Some(row),
        None => values::get(tree, &keys::ended_run(id))?,
    };
    let row = row.ok_or_else(|| StoreError::NotFound(format!("run {id}")))?;
    let stored = codec::decode_run(id, &row)?;
    let mut run = stored.run;
    for (number, attempt) in codec::details_apart(&mut run, &stored.apart) {
        if let Some(detail) = values::get(tree, &keys::attempt_detail(id, number))? {
            codec::restore_detail(attempt, &detail)?;
        }
    }
    Ok(run)
}

pub(crate) fn event(tree: &dyn Read, id: EventId) -> Result<EventRecord, StoreError> {
    let row = values::get(tree, &keys::event(id))?.ok_or_else(|| StoreError::NotFound(format!("event {id}")))?;
    let stored = codec::decode_event(id, &row)?;
    let mut event = stored.event;
    if stored.body_apart {
        event.data = values::get(tree, &keys::event_body(id))?
            .ok_or_else(|| StoreError::Corrupt(format!("the body of event {id} is missing")))?;
    }
    let mut runs = stored.runs;
    runs.extend(replays(tree, id)?);
    Ok(EventRecord { event, data_bytes: stored.data_bytes, runs })
}

pub(crate) fn event_input(tree: &dyn Read, id: EventId) -> Result<Event, StoreError> {
    let row = values::get(tree, &keys::event(id))?.ok_or_else(|| StoreError::NotFound(format!("event {id}")))?;
    let stored = codec::decode_event(id, &row)?;
    let mut event = stored.event;
    if stored.body_apart {
        event.data = values::get(tree, &keys::event_body(id))?
            .ok_or_else(|| StoreError::Corrupt(format!("the body of event {id} is missing")))?;
    }
    Ok(event)
}

pub(crate) fn replays(tree: &dyn Read, event: EventId) -> Result<Vec<RunId>, StoreError> {
    let (from, mut runs) = (keys::replays(event), Vec::new());
    tree.scan(&from, &keys::end_of(&from), Order::Ascending, &mut |key, _| {
        runs.extend(key.get(17..33).and_then(|id| id.try_into().ok()).map(RunId::from_bytes));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(runs)
}

pub(crate) fn job(tree: &dyn Read, id: JobId) -> Result<Job, StoreError> {
    let row = values::get(tree, &keys::job(id))?.ok_or_else(|| StoreError::NotFound(format!("job {id}")))?;
    codec::decode_job(id, &row)
}

pub(crate) fn events(tree: &dyn Read, page: PageRequest<EventId>) -> Result<EventPage, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let to = page.before.map_or_else(|| keys::end_of(&[keys::EVENT]), keys::event);
    let (mut events, mut next) = (Vec::new(), None);
    tree.scan(&[keys::EVENT], &to, Order::Descending, &mut |key, stored| {
        let Some(id) = keys::id_of(key).map(EventId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if events.len() == limit {
            next = events.last().map(|last: &EventRecord| last.event.id);
            return Ok(ControlFlow::Break(()));
        }
        if let Some(row) = values::current(tree, key, stored)? {
            let stored = codec::decode_event(id, &row)?;
            let event = Event { data: Vec::new(), ..stored.event };
            let mut runs = stored.runs;
            runs.extend(replays(tree, id)?);
            events.push(EventRecord { event, data_bytes: stored.data_bytes, runs });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(EventPage { events, next })
}

/// Those after `after`, by name.
pub(crate) fn schedules(
    tree: &dyn Read,
    after: Option<&ScheduleName>,
    limit: usize,
) -> Result<Vec<ScheduleRow>, StoreError> {
    let from = after.map_or_else(|| vec![keys::SCHEDULE], |after| [keys::schedule(after).as_slice(), &[0]].concat());
    let mut rows = Vec::new();
    tree.scan(&from, &keys::end_of(&[keys::SCHEDULE]), Order::Ascending, &mut |key, stored| {
        if rows.len() == limit {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(row) = values::current(tree, key, stored)? {
            rows.push(codec::decode_schedule(&row)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

pub(crate) fn schedule(tree: &dyn Read, name: &ScheduleName) -> Result<ScheduleRow, StoreError> {
    let row =
        values::get(tree, &keys::schedule(name))?.ok_or_else(|| StoreError::NotFound(format!("schedule {name}")))?;
    codec::decode_schedule(&row)
}

pub(crate) fn denials(tree: &dyn Read, plugin: &PluginName) -> Result<Denials, StoreError> {
    values::get(tree, &keys::denials(plugin))?.map_or_else(|| Ok(Denials::default()), |row| codec::decode(&row))
}

pub(crate) fn plugins(tree: &dyn Read) -> Result<Vec<PluginRow>, StoreError> {
    let mut rows = Vec::new();
    tree.scan(&[keys::PLUGIN], &keys::end_of(&[keys::PLUGIN]), Order::Ascending, &mut |key, stored| {
        if let Some(row) = values::current(tree, key, stored)? {
            rows.push(codec::decode_plugin(&row)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

pub(crate) fn plugin_commands(tree: &dyn Read) -> Result<BTreeMap<PluginName, PluginCommand>, StoreError> {
    let mut commands = BTreeMap::new();
    let all = [keys::PLUGIN_COMMAND];
    tree.scan(&all, &keys::end_of(&all), Order::Ascending, &mut |key, stored| {
        let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
        let name = name.and_then(|name| PluginName::parse(name).ok());
        if let Some((name, row)) = name.zip(values::current(tree, key, stored)?) {
            commands.insert(name, codec::decode(&row)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(commands)
}

pub(crate) fn holds(tree: &dyn Read) -> Result<Holds, StoreError> {
    let mut holds = Holds::default();
    tree.scan(&[keys::HOLD], &keys::end_of(&[keys::HOLD]), Order::Ascending, &mut |key, stored| {
        let held = key.get(1..).and_then(|name| std::str::from_utf8(name).ok()).and_then(|name| name.parse().ok());
        if let Some((held, row)) = held.zip(values::current(tree, key, stored)?) {
            holds.0.insert(held, codec::decode(&row)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(holds)
}

pub(crate) fn kv_row(
    tree: &dyn Read,
    plugin: &PluginName,
    key: &str,
    now: Timestamp,
) -> Result<Option<KvV1>, StoreError> {
    match values::get(tree, &keys::kv(plugin, key))? {
        Some(row) => Ok(Some(codec::decode::<KvV1>(&row)?).filter(|row| !row.is_expired(now))),
        None => Ok(None),
    }
}

pub(crate) fn kv_list(
    tree: &dyn Read,
    plugin: &PluginName,
    page: &KvPage,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let prefix = keys::kv(plugin, &page.prefix);
    let from = match &page.after {
        Some(after) => [keys::kv(plugin, after).as_slice(), &[0]].concat().max(prefix.clone()),
        None => prefix.clone(),
    };
    let mut names = Vec::new();
    tree.scan(&from, &keys::end_of(&prefix), Order::Ascending, &mut |key, stored| {
        if names.len() == page.limit {
            return Ok(ControlFlow::Break(()));
        }
        let beginning = match values::beginning(tree, key, stored)? {
            Some(beginning) => Some(beginning),
            None => values::get(tree, key)?,
        };
        let expired = beginning.map(|row| codec::kv_is_expired(&row, now)).transpose()?;
        if expired == Some(false) {
            names.extend(keys::kv_name(plugin, key).map(str::to_owned));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(names)
}

pub(crate) fn kv_used(tree: &dyn Read, plugin: &PluginName) -> Result<u64, StoreError> {
    let row = values::get(tree, &keys::kv_used(plugin))?;
    Ok(row.and_then(|row| row.try_into().ok()).map_or(0, u64::from_be_bytes))
}
