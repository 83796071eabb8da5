//! Looking for runs. A page costs no more than so many bytes that are read, whatever it finds: where that is not enough, it
//! says how far it came.

use std::ops::ControlFlow;

use hookbox_core::attempt::Outcome;
use hookbox_core::event::{JobOrigin, Source};
use hookbox_core::id::RunId;
use hookbox_core::name::ProviderName;
use hookbox_core::run::{Run, RunStatus, Work};
use hookbox_core::time::Millis;

use super::{PAGE_MAX, event_input, job};
use crate::codec::{self, StoredRun};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{self, Read};
use crate::types::{Order, PageRequest, RunFilter, RunPage, any};
use crate::values;

/// Bytes that one page reads in one place: some thousand runs, or some of their payloads.
const READ_BYTES_MAX: usize = 2 << 20;
/// What a row costs besides its own bytes.
const ROW_BYTES: usize = 256;
/// Of a result or payload, so much is looked through.
const SEARCHED_BYTES_MAX: usize = 256 << 10;
/// A run's id may be older than the run: an attempt that asks for it is recorded later, after some conflicts perhaps.
const ID_AGE_MAX: Millis = Millis::DAY;

pub(crate) fn runs(tree: &dyn Read, page: PageRequest<RunId>, filter: &RunFilter) -> Result<RunPage, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let at = |place: &[u8]| runs_at(tree, place, page.before, limit + 1, filter);
    let (mut runs, horizon) = match filter.made_by {
        Some(maker) => at(&keys::all_made_by(maker))?,
        None => in_both_places(filter, at)?,
    };
    // A side that gave up early hides what the other side has beyond it.
    match (horizon, filter.order) {
        (None, _) => {}
        (Some(horizon), Order::NewestFirst) => runs.retain(|run| run.id >= horizon),
        (Some(horizon), Order::OldestFirst) => runs.retain(|run| run.id <= horizon),
    }
    let full = runs.len() > limit;
    runs.truncate(limit);
    let next = if full { runs.last().map(|run| run.id) } else { horizon };
    Ok(RunPage { runs, next })
}

/// How many dead letters were replayed: a look at each. One that does not read is none of them; whoever looks at it is told.
pub(crate) fn dead_replayed(tree: &dyn Read) -> Result<u64, StoreError> {
    let mut replayed = 0;
    tree.scan(&[keys::ASIDE], &keys::end_of(&[keys::ASIDE]), overlay::Order::Ascending, &mut |key, _| {
        let Some(id) = keys::id_of(key).map(RunId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if let Some(row) = values::get(tree, &keys::ended_run(id))? {
            let run = codec::decode_run(id, &row).map(|stored| stored.run);
            replayed += u64::from(run.is_ok_and(|run| run.status() == RunStatus::Dead && run.replayed.is_some()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(replayed)
}

/// Runs in one place or two, and how far it came, where it did not come to the end.
type Seen = (Vec<Run>, Option<RunId>);

fn in_both_places(filter: &RunFilter, at: impl Fn(&[u8]) -> Result<Seen, StoreError>) -> Result<Seen, StoreError> {
    let only = |of: fn(&RunStatus) -> bool| !filter.status.is_empty() && filter.status.iter().all(of);
    // Few runs have not succeeded: their marks lead to them.
    let among_ended = match only(|status| matches!(status, RunStatus::Dead | RunStatus::Cancelled)) {
        true => keys::ASIDE,
        false => keys::ENDED_RUN,
    };
    let nothing = || Ok((Vec::new(), None));
    // The living first: a run that ends meanwhile is then found among the ended, at worst twice.
    let without_living = only(|status| status.is_terminal());
    let (mut runs, seen_to_live) = if without_living { nothing()? } else { at(&[keys::LIVE_RUN])? };
    let without_ended = only(|status| !status.is_terminal()) || filter.alive;
    let (ended, seen_to_ended) = if without_ended { nothing()? } else { at(&[among_ended])? };
    runs.retain(|run| !ended.iter().any(|other| other.id == run.id));
    runs.extend(ended);
    runs.sort_unstable_by_key(|run| run.id);
    let stops = [seen_to_live, seen_to_ended].into_iter().flatten();
    match filter.order {
        Order::OldestFirst => Ok((runs, stops.min())),
        Order::NewestFirst => {
            runs.reverse();
            Ok((runs, stops.max()))
        }
    }
}

/// Up to `limit` runs in one place; and how far it came, where it did not come to the end.
fn runs_at(
    tree: &dyn Read,
    place: &[u8],
    behind: Option<RunId>,
    limit: usize,
    filter: &RunFilter,
) -> Result<Seen, StoreError> {
    let (mut runs, mut stopped_at) = (Vec::new(), None);
    let mut look = Look { tree, filter, read_bytes: 0 };
    let (from, to) = bounds(place, behind, filter);
    let order = match filter.order {
        Order::NewestFirst => overlay::Order::Descending,
        Order::OldestFirst => overlay::Order::Ascending,
    };
    if from >= to {
        return Ok((runs, None));
    }
    tree.scan(&from, &to, order, &mut |key, stored| {
        let id = key.get(place.len()..).and_then(|rest| rest.first_chunk()).map(|id| RunId::from_bytes(*id));
        let Some(id) = id else { return Ok(ControlFlow::Continue(())) };
        look.read_bytes += ROW_BYTES;
        let row = match place.first() {
            Some(&keys::ASIDE) => values::get(tree, &keys::ended_run(id))?,
            // A run that ends moves from the first place to the second, never back.
            Some(&keys::MADE_BY) => match values::get(tree, &keys::live_run(id))? {
                Some(row) => Some(row),
                None => values::get(tree, &keys::ended_run(id))?,
            },
            _ => values::current(tree, key, stored)?,
        };
        if let Some(row) = row {
            look.read_bytes += row.len();
            let stored = codec::decode_run(id, &row)?;
            if look.fits(&stored)? {
                runs.push(without_details(stored.run));
            }
        }
        if runs.len() == limit || look.read_bytes >= READ_BYTES_MAX {
            stopped_at = Some(id);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((runs, stopped_at))
}

/// The keys from the first to before the second: behind what was shown, and within the time that is asked for.
fn bounds(place: &[u8], behind: Option<RunId>, filter: &RunFilter) -> (Vec<u8>, Vec<u8>) {
    let at = |id: RunId| [place, &id.to_bytes()].concat();
    let oldest = filter.since.map(|since| at(RunId::new(since.minus(ID_AGE_MAX), 0)));
    // No run is older than its id.
    let newest = filter.until.map(|until| at(RunId::new(until, 0)));
    let (after, before) = match filter.order {
        Order::NewestFirst => (None, behind.map(at)),
        Order::OldestFirst => (behind.map(|id| [at(id).as_slice(), &[0]].concat()), None),
    };
    let from = [oldest, after].into_iter().flatten().max();
    let to = [newest, before].into_iter().flatten().min();
    (from.unwrap_or_else(|| place.to_vec()), to.unwrap_or_else(|| keys::end_of(place)))
}

struct Look<'t> {
    tree: &'t dyn Read,
    filter: &'t RunFilter,
    read_bytes: usize,
}

impl Look<'_> {
    /// What costs the least is looked at first.
    fn fits(&mut self, stored: &StoredRun) -> Result<bool, StoreError> {
        let (run, filter) = (&stored.run, self.filter);
        Ok(filter.fits_run(run)
            && self.schedule_fits(run)?
            && self.provider_fits(run)?
            && self.result_fits(stored)?
            && self.payload_fits(run)?)
    }

    fn schedule_fits(&mut self, run: &Run) -> Result<bool, StoreError> {
        let wanted = &self.filter.schedule;
        match run.work {
            _ if wanted.is_empty() => Ok(true),
            _ if run.schedule.is_some() => Ok(any(wanted, |name| run.schedule.as_ref() == Some(name))),
            Work::Event(_) => Ok(false),
            // An earlier release kept it with the job only.
            Work::Job(id) => {
                self.read_bytes += ROW_BYTES;
                let origin = job(self.tree, id).ok().map(|job| job.origin);
                Ok(any(wanted, |name| matches!(&origin, Some(JobOrigin::Schedule(other)) if other == name)))
            }
        }
    }

    fn provider_fits(&mut self, run: &Run) -> Result<bool, StoreError> {
        let (wanted, unwanted) = (&self.filter.provider, &self.filter.not.provider);
        if wanted.is_empty() && unwanted.is_empty() {
            return Ok(true);
        }
        let source = self.provider_of(run)?;
        let is_source = |name: &ProviderName| source.as_ref() == Some(name);
        Ok(any(wanted, is_source) && !unwanted.iter().any(is_source))
    }

    fn provider_of(&mut self, run: &Run) -> Result<Option<ProviderName>, StoreError> {
        let Work::Event(id) = run.work else { return Ok(None) };
        let Some(row) = values::get(self.tree, &keys::event(id))? else { return Ok(None) };
        self.read_bytes += ROW_BYTES + row.len();
        match codec::decode_event(id, &row)?.event.source {
            Source::Provider(name) => Ok(Some(name)),
            Source::Plugin(_) => Ok(None),
        }
    }

    fn result_fits(&mut self, stored: &StoredRun) -> Result<bool, StoreError> {
        let (wanted, unwanted) = (&self.filter.result, &self.filter.not.result);
        if wanted.is_empty() && unwanted.is_empty() {
            return Ok(true);
        }
        let result = self.result_of(stored)?;
        Ok(self.text_fits(result.as_deref(), wanted, unwanted))
    }

    fn result_of(&mut self, stored: &StoredRun) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(last) = stored.run.attempts.last() else { return Ok(None) };
        let mut last = last.clone();
        if stored.apart.contains(&last.number)
            && let Some(detail) = values::get(self.tree, &keys::attempt_detail(stored.run.id, last.number))?
        {
            self.read_bytes += ROW_BYTES + detail.len();
            codec::restore_detail(&mut last, &detail)?;
        }
        match last.outcome {
            Outcome::Completed { output } => Ok(output.map(|output| output.data)),
            _ => Ok(None),
        }
    }

    fn payload_fits(&mut self, run: &Run) -> Result<bool, StoreError> {
        let (wanted, unwanted) = (&self.filter.payload, &self.filter.not.payload);
        if wanted.is_empty() && unwanted.is_empty() {
            return Ok(true);
        }
        let payload = match run.work {
            Work::Event(id) => event_input(self.tree, id).map(|event| event.data),
            Work::Job(id) => job(self.tree, id).map(|job| job.data),
        };
        let payload = match payload {
            Ok(payload) => Some(payload),
            // Pruned: it says nothing.
            Err(StoreError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        self.read_bytes += ROW_BYTES + payload.as_ref().map_or(0, Vec::len);
        Ok(self.text_fits(payload.as_deref(), wanted, unwanted))
    }

    fn text_fits(&mut self, bytes: Option<&[u8]>, wanted: &[String], unwanted: &[String]) -> bool {
        let bytes = bytes.unwrap_or_default();
        let text = String::from_utf8_lossy(bytes.get(..SEARCHED_BYTES_MAX).unwrap_or(bytes)).to_lowercase();
        self.read_bytes += text.len();
        let says = |words: &String| text.contains(&words.to_lowercase());
        any(wanted, says) && !unwanted.iter().any(says)
    }
}

fn without_details(mut run: Run) -> Run {
    for attempt in run.attempts.iter_mut().chain(&mut run.revoked) {
        attempt.log = Default::default();
        if let Outcome::Completed { output } = &mut attempt.outcome {
            *output = None;
        }
    }
    run
}
