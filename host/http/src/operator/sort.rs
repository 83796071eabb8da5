//! In which order runs are listed. By the time at which they were made the store has them all; by anything else a bounded
//! number of the newest that fit are put in order.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::str::FromStr;

use hookbox_core::id::RunId;
use hookbox_core::run::Run;
use hookbox_store::StoreError;
use hookbox_store::types::{Order, PageRequest, RunFilter, RunPage};

use super::{Operator, found};
use crate::problem::Problem;

/// Runs that are put in order at most.
const SORTED_MAX: usize = 20_000;
/// Runs that the store is asked for at one time.
const PAGE: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Created,
    Started,
    Ended,
    Handler,
    State,
    Attempts,
    Duration,
    Cpu,
    Memory,
}

impl By {
    pub(super) const ALL: [By; 9] =
        [By::Created, By::Started, By::Ended, By::Handler, By::State, By::Attempts, By::Duration, By::Cpu, By::Memory];

    pub(super) fn code(self) -> &'static str {
        match self {
            By::Created => "created",
            By::Started => "started",
            By::Ended => "ended",
            By::Handler => "handler",
            By::State => "state",
            By::Attempts => "attempts",
            By::Duration => "duration",
            By::Cpu => "cpu",
            By::Memory => "memory",
        }
    }
}

/// `created` is the oldest first, `-created` the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) by: By,
    pub(super) is_descending: bool,
}

impl Default for Sort {
    fn default() -> Sort {
        Sort { by: By::Created, is_descending: true }
    }
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Sort, String> {
        let (name, is_descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let by = By::ALL.into_iter().find(|by| by.code() == name);
        by.map(|by| Sort { by, is_descending }).ok_or_else(|| {
            let known = By::ALL.map(By::code).join(", ");
            format!("must be one of {known}; with - before it, the greatest or latest come first")
        })
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_descending { "-" } else { "" }, self.by.code())
    }
}

impl Sort {
    /// Runs that have nothing to be compared come last both ways; among equals, the newest is first.
    fn compare(self, one: &Run, other: &Run) -> Ordering {
        let way = |order: Ordering| if self.is_descending { order.reverse() } else { order };
        let order = match self.by {
            By::Handler => way(one.target.cmp(&other.target)),
            By::State => way(one.status().cmp(&other.status())),
            _ => match (self.number(one), self.number(other)) {
                (Some(one), Some(other)) => way(one.cmp(&other)),
                (one, other) => one.is_none().cmp(&other.is_none()),
            },
        };
        order.then_with(|| Reverse(one.id).cmp(&Reverse(other.id)))
    }

    fn number(self, run: &Run) -> Option<u64> {
        match self.by {
            By::Created => Some(run.created.0),
            By::Started => run.started().map(|at| at.0),
            By::Ended => run.finished_or_due().map(|at| at.0),
            By::Attempts => Some(u64::from(run.attempts_begun)),
            By::Duration => run.spent().map(|spent| spent.wall_us),
            By::Cpu => run.spent().map(|spent| spent.cpu_us),
            By::Memory => run.spent().map(|spent| spent.memory_peak_bytes),
            By::Handler | By::State => None,
        }
    }
}

/// A page of runs in some order.
pub(super) struct Sorted {
    pub(super) page: RunPage,
    /// Of what is in order; nothing where that is all there is.
    pub(super) among: Option<Among>,
}

/// The newest runs that fit, which were put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Among {
    pub(super) runs: u64,
    /// Where the looking ended: older ones were not looked at.
    pub(super) oldest: Option<RunId>,
}

/// As [`found::runs`], in this order. The run that `page` goes on behind must still be there.
pub(super) async fn runs(
    operator: &Operator,
    page: PageRequest<RunId>,
    mut filter: RunFilter,
    sort: Sort,
) -> Result<Sorted, Problem> {
    if sort.by == By::Created {
        filter.order = if sort.is_descending { Order::NewestFirst } else { Order::OldestFirst };
        return Ok(Sorted { page: found::runs(operator, page, &filter).await?, among: None });
    }
    let behind = match page.before {
        None => None,
        Some(id) => match operator.store.run(id).await {
            Ok(run) => Some(run),
            Err(StoreError::NotFound(_)) => {
                let cure = "cursor: its run is gone by now: begin with the first page";
                return Err(Problem::bad_parameter().because(cure));
            }
            Err(error) => return Err(error.into()),
        },
    };
    let is_behind = |run: &Run| behind.as_ref().is_none_or(|behind| sort.compare(run, behind) == Ordering::Greater);
    let begun = operator.clock.monotonic();
    let (mut first, mut looked, mut before) = (Vec::new(), 0, None);
    let oldest = loop {
        let RunPage { runs, next } = operator.store.runs(PageRequest { before, limit: PAGE }, filter.clone()).await?;
        looked += runs.len();
        first.extend(runs.into_iter().filter(is_behind));
        // Only those are kept that the page may show.
        first.sort_unstable_by(|one, other| sort.compare(one, other));
        first.truncate(page.limit + 1);
        let is_over = operator.clock.monotonic().since(begun) >= found::LOOK_FOR || looked >= SORTED_MAX;
        if next.is_none() || is_over {
            break next;
        }
        before = next;
        // Others have their turn.
        tokio::task::yield_now().await;
    };
    let is_more = first.len() > page.limit;
    first.truncate(page.limit);
    let next = first.last().filter(|_| is_more).map(|run| run.id);
    let among = Among { runs: looked as u64, oldest };
    Ok(Sorted { page: RunPage { runs: first, next }, among: Some(among) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_written_as_it_is_read() {
        for by in By::ALL {
            for text in [by.code().to_owned(), format!("-{}", by.code())] {
                assert_eq!(text.parse::<Sort>().unwrap().to_string(), text);
            }
        }
        for bad in ["", "-", "--created", "createds", "Created", "plugin", "created,state"] {
            assert!(bad.parse::<Sort>().is_err(), "{bad}");
        }
    }
}
