//! How many there are: known at once where a counter is kept, else counted as far as that is cheap.

use std::ops::ControlFlow;

use hookbox_core::id::RunId;
use hookbox_core::run::RunStatus;
use hookbox_core::time::Millis;

use crate::codec;
use crate::counts::Counts;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::query::matches;
use crate::types::{Listed, RunFilter, Total};
use crate::values;

/// Rows that are read for one count: some tens of milliseconds.
const READ_MAX: usize = 10_000;
/// Keys that are looked at for one count, whose rows are not read.
const KEYS_MAX: usize = 20_000;
/// A run's id may be older than the run.
const ID_AGE_MAX: Millis = Millis::DAY;

pub(crate) fn total(tree: &dyn Read, counts: &Counts, listed: &Listed) -> Result<Total, StoreError> {
    match listed {
        Listed::Runs(filter) => match kept_count(counts, filter) {
            Some(count) => Ok(Total { count, exact: true }),
            None => runs(tree, filter),
        },
        Listed::Events => keys_of(tree, keys::EVENT),
        Listed::Unrouted => Ok(Total { count: counts.unrouted, exact: true }),
        Listed::Suppressed => keys_of(tree, keys::SUPPRESSED),
    }
}

/// Where the filter asks for nothing but the state.
fn kept_count(counts: &Counts, filter: &RunFilter) -> Option<u64> {
    let plain = RunFilter { status: filter.status, alive: filter.alive, ..RunFilter::default() };
    if *filter != plain {
        return None;
    }
    let of = |status| match status {
        RunStatus::Pending => counts.pending,
        RunStatus::Leased => counts.leased,
        RunStatus::Succeeded => counts.succeeded,
        RunStatus::Dead => counts.dead,
        RunStatus::Cancelled => counts.cancelled,
    };
    let meant = |status: &RunStatus| {
        filter.status.is_none_or(|wanted| wanted == *status) && !(filter.alive && status.is_terminal())
    };
    Some(RunStatus::ALL.into_iter().filter(meant).map(of).sum())
}

fn runs(tree: &dyn Read, filter: &RunFilter) -> Result<Total, StoreError> {
    let (mut count, mut read, mut exact) = (0, 0, true);
    let over = filter.status.map(RunStatus::is_terminal);
    let places = [(keys::LIVE_RUN, over == Some(true)), (keys::ENDED_RUN, over == Some(false) || filter.alive)];
    // No run is older than its id, and none much younger.
    let until = filter.until.map(|until| RunId::new(until, 0).to_bytes());
    let oldest = filter.since.map(|since| since.minus(ID_AGE_MAX));
    for (place, _) in places.into_iter().filter(|(_, left_out)| !left_out) {
        let to = until.map_or_else(|| keys::end_of(&[place]), |until| [&[place][..], &until].concat());
        tree.scan(&[place], &to, Order::Descending, &mut |key, stored| {
            let Some(id) = keys::id_of(key).map(RunId::from_bytes) else { return Ok(ControlFlow::Continue(())) };
            if oldest.is_some_and(|oldest| id.time() < oldest) {
                return Ok(ControlFlow::Break(()));
            }
            if read == READ_MAX {
                exact = false;
                return Ok(ControlFlow::Break(()));
            }
            read += 1;
            if let Some(row) = values::current(tree, key, stored)? {
                count += u64::from(matches(tree, &codec::decode_run(id, &row)?.run, filter)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(Total { count, exact })
}

fn keys_of(tree: &dyn Read, place: u8) -> Result<Total, StoreError> {
    let (mut count, mut exact) = (0, true);
    tree.scan(&[place], &keys::end_of(&[place]), Order::Descending, &mut |_, _| {
        if count == KEYS_MAX as u64 {
            exact = false;
            return Ok(ControlFlow::Break(()));
        }
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Total { count, exact })
}
