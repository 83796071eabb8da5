//! Reading. A scan is no snapshot, so nothing here fails because a row that was
//! seen in one place has moved to another.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hookbox_core::denial::Denials;
use hookbox_core::event::{Event, Job, JobOrigin};
use hookbox_core::hold::Holds;
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{PluginName, ScheduleName};
use hookbox_core::run::{Run, RunStatus, Work};
use hookbox_core::schedule::ScheduleRow;
use hookbox_core::time::{Millis, Timestamp};

use crate::catalogue::{PluginCommand, PluginRow};
use crate::codec::{self, KvV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::{EventPage, EventRecord, KvPage, PageRequest, RunFilter, RunPage};
use crate::values;

/// Rows of a page at most.
pub(crate) const PAGE_MAX: usize = 500;
/// Rows that a filter looks through for one page; the page then says where to go on.
const FILTERED_ROWS_MAX: usize = 20_000;
/// A run's id may be older than the run: an attempt that asks for it is recorded later, after some conflicts perhaps.
const ID_AGE_MAX: Millis = Millis::DAY;

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

pub(crate) fn runs(tree: &dyn Read, page: PageRequest<RunId>, filter: &RunFilter) -> Result<RunPage, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    // No run is older than its id.
    let until = filter.until.map(|until| RunId::new(until, 0));
    let before = [page.before, until].into_iter().flatten().min();
    let before = before.map_or_else(|| vec![u8::MAX; 17], |id| id.to_bytes().to_vec());
    let at = |place| runs_at(tree, place, &before, limit + 1, filter);
    let nothing = || Ok((Vec::new(), None));
    let is_over = filter.status.map(RunStatus::is_terminal);
    // The living first: a run that ends meanwhile is then found among the ended, at worst twice.
    let (mut runs, seen_to_live) = if is_over == Some(true) { nothing()? } else { at(keys::LIVE_RUN)? };
    let without_ended = is_over == Some(false) || filter.alive;
    let (ended, seen_to_ended) = if without_ended { nothing()? } else { at(keys::ENDED_RUN)? };
    runs.retain(|run| !ended.iter().any(|other| other.id == run.id));
    runs.extend(ended);
    runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.id));
    // A side that gave up early hides what the other side has beyond it.
    let horizon = seen_to_live.max(seen_to_ended);
    if let Some(horizon) = horizon {
        runs.retain(|run| run.id >= horizon);
    }
    let full = runs.len() > limit;
    runs.truncate(limit);
    let next = if full { runs.last().map(|run| run.id) } else { horizon };
    Ok(RunPage { runs, next })
}

/// Up to `limit` runs in one place, newest first; and how far it came, where it did not come to the end.
fn runs_at(
    tree: &dyn Read,
    place: u8,
    before: &[u8],
    limit: usize,
    filter: &RunFilter,
) -> Result<(Vec<Run>, Option<RunId>), StoreError> {
    let (mut runs, mut looked_at, mut stopped_at) = (Vec::new(), 0, None);
    let to = [&[place], before].concat();
    let oldest = filter.since.map(|since| since.minus(ID_AGE_MAX));
    tree.scan(&[place], &to, Order::Descending, &mut |key, stored| {
        let Some(id) = keys::id_of(key).map(RunId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if oldest.is_some_and(|oldest| id.time() < oldest) {
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        if let Some(row) = values::current(tree, key, stored)? {
            let run = codec::decode_run(id, &row)?.run;
            if matches(tree, &run, filter)? {
                runs.push(without_details(run));
            }
        }
        if runs.len() == limit || looked_at == FILTERED_ROWS_MAX {
            stopped_at = Some(id);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((runs, stopped_at))
}

pub(crate) fn matches(tree: &dyn Read, run: &Run, filter: &RunFilter) -> Result<bool, StoreError> {
    let fits = filter.status.is_none_or(|status| run.status() == status)
        && !(filter.alive && run.status().is_terminal())
        && filter.plugin.as_ref().is_none_or(|plugin| run.target.plugin == *plugin)
        && filter.handler.as_ref().is_none_or(|handler| run.target.handler == *handler)
        && filter.event.is_none_or(|event| run.work == Work::Event(event))
        && filter.since.is_none_or(|since| run.created >= since)
        && filter.until.is_none_or(|until| run.created < until)
        && filter.error.as_ref().is_none_or(|error| has_failed_with(run, error));
    match (&filter.schedule, run.work) {
        (None, _) => Ok(fits),
        (Some(name), _) if run.schedule.is_some() => Ok(fits && run.schedule.as_ref() == Some(name)),
        (Some(_), Work::Event(_)) => Ok(false),
        // An earlier release kept it with the job only.
        (Some(name), Work::Job(id)) => {
            Ok(fits && job(tree, id).is_ok_and(|job| job.origin == JobOrigin::Schedule(name.clone())))
        }
    }
}

/// Whether the last attempt says this, in any case.
fn has_failed_with(run: &Run, error: &str) -> bool {
    let last = run.attempts.last().filter(|attempt| !attempt.outcome.is_success());
    let message = last.and_then(|attempt| attempt.outcome.message());
    message.is_some_and(|message| message.to_lowercase().contains(&error.to_lowercase()))
}

fn without_details(mut run: Run) -> Run {
    for attempt in run.attempts.iter_mut().chain(&mut run.revoked) {
        attempt.log = Default::default();
        if let hookbox_core::attempt::Outcome::Completed { output } = &mut attempt.outcome {
            *output = None;
        }
    }
    run
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
