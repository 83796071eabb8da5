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
use crate::overlay::{Order, Read};
use crate::types::{Excluded, PageRequest, RunFilter, RunPage};
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
    // No run is older than its id.
    let until = filter.until.map(|until| RunId::new(until, 0));
    let before = [page.before, until].into_iter().flatten().min();
    let before = before.map_or_else(|| vec![u8::MAX; 17], |id| id.to_bytes().to_vec());
    // Few runs have not succeeded: their marks lead to them.
    let among_ended = match filter.status {
        Some(RunStatus::Dead | RunStatus::Cancelled) => keys::ASIDE,
        _ => keys::ENDED_RUN,
    };
    let at = |place| runs_at(tree, place, &before, limit + 1, filter);
    let nothing = || Ok((Vec::new(), None));
    let is_over = filter.status.map(RunStatus::is_terminal);
    // The living first: a run that ends meanwhile is then found among the ended, at worst twice.
    let (mut runs, seen_to_live) = if is_over == Some(true) { nothing()? } else { at(keys::LIVE_RUN)? };
    let without_ended = is_over == Some(false) || filter.alive;
    let (ended, seen_to_ended) = if without_ended { nothing()? } else { at(among_ended)? };
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
    let (mut runs, mut stopped_at) = (Vec::new(), None);
    let mut look = Look { tree, filter, read_bytes: 0 };
    let to = [&[place], before].concat();
    let oldest = filter.since.map(|since| since.minus(ID_AGE_MAX));
    tree.scan(&[place], &to, Order::Descending, &mut |key, stored| {
        let Some(id) = keys::id_of(key).map(RunId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
        if oldest.is_some_and(|oldest| id.time() < oldest) {
            return Ok(ControlFlow::Break(()));
        }
        look.read_bytes += ROW_BYTES;
        let row = match place {
            keys::ASIDE => values::get(tree, &keys::ended_run(id))?,
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

struct Look<'t> {
    tree: &'t dyn Read,
    filter: &'t RunFilter,
    read_bytes: usize,
}

impl Look<'_> {
    /// What costs the least is looked at first.
    fn fits(&mut self, stored: &StoredRun) -> Result<bool, StoreError> {
        let (run, filter) = (&stored.run, self.filter);
        Ok(by_its_row(run, filter)
            && !is_excluded_by_its_row(run, &filter.not)
            && self.schedule_fits(run)?
            && self.provider_fits(run)?
            && self.result_fits(stored)?
            && self.payload_fits(run)?)
    }

    fn schedule_fits(&mut self, run: &Run) -> Result<bool, StoreError> {
        match (&self.filter.schedule, run.work) {
            (None, _) => Ok(true),
            (Some(name), _) if run.schedule.is_some() => Ok(run.schedule.as_ref() == Some(name)),
            (Some(_), Work::Event(_)) => Ok(false),
            // An earlier release kept it with the job only.
            (Some(name), Work::Job(id)) => {
                self.read_bytes += ROW_BYTES;
                Ok(job(self.tree, id).is_ok_and(|job| job.origin == JobOrigin::Schedule(name.clone())))
            }
        }
    }

    fn provider_fits(&mut self, run: &Run) -> Result<bool, StoreError> {
        let (wanted, unwanted) = (&self.filter.provider, &self.filter.not.provider);
        if wanted.is_none() && unwanted.is_none() {
            return Ok(true);
        }
        let source = self.provider_of(run)?;
        Ok((wanted.is_none() || source == *wanted) && (unwanted.is_none() || source != *unwanted))
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
        if wanted.is_none() && unwanted.is_none() {
            return Ok(true);
        }
        let result = self.result_of(stored)?;
        Ok(self.text_fits(result.as_deref(), wanted.as_deref(), unwanted.as_deref()))
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
        if wanted.is_none() && unwanted.is_none() {
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
        Ok(self.text_fits(payload.as_deref(), wanted.as_deref(), unwanted.as_deref()))
    }

    fn text_fits(&mut self, bytes: Option<&[u8]>, wanted: Option<&str>, unwanted: Option<&str>) -> bool {
        let bytes = bytes.unwrap_or_default();
        let text = String::from_utf8_lossy(bytes.get(..SEARCHED_BYTES_MAX).unwrap_or(bytes)).to_lowercase();
        self.read_bytes += text.len();
        wanted.is_none_or(|wanted| text.contains(&wanted.to_lowercase()))
            && unwanted.is_none_or(|unwanted| !text.contains(&unwanted.to_lowercase()))
    }
}

fn by_its_row(run: &Run, filter: &RunFilter) -> bool {
    filter.status.is_none_or(|status| run.status() == status)
        && !(filter.alive && run.status().is_terminal())
        && filter.plugin.as_ref().is_none_or(|plugin| run.target.plugin == *plugin)
        && filter.handler.as_ref().is_none_or(|handler| run.target.handler == *handler)
        && filter.event.is_none_or(|event| run.work == Work::Event(event))
        && filter.since.is_none_or(|since| run.created >= since)
        && filter.until.is_none_or(|until| run.created < until)
        && filter.version.as_ref().is_none_or(|version| has_run_on(run, version))
        && filter.error.as_ref().is_none_or(|error| has_failed_with(run, error))
}

fn is_excluded_by_its_row(run: &Run, not: &Excluded) -> bool {
    not.status.is_some_and(|status| run.status() == status)
        || not.plugin.as_ref().is_some_and(|plugin| run.target.plugin == *plugin)
        || not.handler.as_ref().is_some_and(|handler| run.target.handler == *handler)
        || not.version.as_ref().is_some_and(|version| has_run_on(run, version))
        || not.error.as_ref().is_some_and(|error| has_failed_with(run, error))
}

/// Whether one of its attempts ran on a version whose digest begins so.
fn has_run_on(run: &Run, version: &str) -> bool {
    let digests = run.attempts.iter().filter_map(|attempt| attempt.version);
    digests.map(|digest| digest.to_string()).any(|digest| {
        let bare = digest.strip_prefix("sha256:").unwrap_or(&digest);
        digest.starts_with(version) || bare.starts_with(version)
    })
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
        if let Outcome::Completed { output } = &mut attempt.outcome {
            *output = None;
        }
    }
    run
}
