//! In which order runs are listed. By the time at which they were made the store has them all; by anything else a bounded
//! number of the newest that fit are put in order.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use hookbox_core::id::{NotAnId, RunId};
use hookbox_core::run::{Run, RunStatus};
use hookbox_core::time::Millis;
use hookbox_store::types::{Order, PageRequest, RunFilter, RunPage};

use super::{Operator, found};
use crate::problem::Problem;

/// Runs that are put in order at most.
const SORTED_MAX: usize = 20_000;
/// For a page behind the first one, which is among runs that were put in order before.
const AGAIN_WITHIN: Millis = Millis(10 * found::LOOK_FOR.0);
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
    fn value(self, run: &Run) -> Value {
        let number = match self.by {
            By::Handler => return Value::Text(run.target.to_string()),
            By::State => RunStatus::ALL.iter().position(|status| *status == run.status()).map(|at| at as u64),
            By::Created => Some(run.created.0),
            By::Started => run.started().map(|at| at.0),
            By::Ended => run.finished_or_due().map(|at| at.0),
            By::Attempts => Some(u64::from(run.attempts_begun)),
            By::Duration => run.spent().map(|spent| spent.wall_us),
            By::Cpu => run.spent().map(|spent| spent.cpu_us),
            By::Memory => run.spent().map(|spent| spent.memory_peak_bytes),
        };
        number.map_or(Value::Nothing, Value::Number)
    }

    /// Runs that have nothing to be compared come last both ways; among equals, the newest is first.
    fn compare(self, (one, id): (&Value, RunId), (other, other_id): (&Value, RunId)) -> Ordering {
        let order = match (one, other) {
            (Value::Nothing, _) | (_, Value::Nothing) => (*one == Value::Nothing).cmp(&(*other == Value::Nothing)),
            _ if self.is_descending => other.cmp(one),
            _ => one.cmp(other),
        };
        order.then_with(|| other_id.cmp(&id))
    }
}

/// What a run is compared by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u64),
    Text(String),
    Nothing,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cursor {
    /// In the order in which they were made.
    Created(RunId),
    Among(Place),
}

/// Behind a run as it was then, among the same runs as the page: whatever has become of it, and whatever has come since, a run
/// is listed twice or left out only where it has changed its own place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    sort: Sort,
    newest: RunId,
    /// No older one is among them.
    oldest: Option<RunId>,
    id: RunId,
    value: Value,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { sort, newest, oldest, id, value } = match self {
            Cursor::Created(id) => return id.fmt(f),
            Cursor::Among(place) => place,
        };
        let oldest = oldest.map(|oldest| oldest.to_string()).unwrap_or_default();
        write!(f, "{newest}.{oldest}.{id}.{sort}.")?;
        match value {
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Nothing => Ok(()),
        }
    }
}

impl FromStr for Cursor {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Cursor, NotAnId> {
        let mut parts = text.splitn(5, '.');
        let mut next = || parts.next().unwrap_or_default();
        let (newest, oldest, id, sort, value) = (next(), next(), next(), next(), next());
        if !text.contains('.') {
            return newest.parse().map(Cursor::Created);
        }
        let oldest = if oldest.is_empty() { None } else { Some(oldest.parse()?) };
        let value = match value.parse() {
            Ok(number) => Value::Number(number),
            Err(_) if value.is_empty() => Value::Nothing,
            Err(_) => Value::Text(value.to_owned()),
        };
        let sort = sort.parse().unwrap_or_default();
        Ok(Cursor::Among(Place { sort, newest: newest.parse()?, oldest, id: id.parse()?, value }))
    }
}

/// A page of runs in some order.
pub(super) struct Sorted {
    pub(super) runs: Vec<Run>,
    pub(super) next: Option<Cursor>,
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

/// As [`found::runs`], in this order.
pub(super) async fn runs(
    operator: &Operator,
    page: PageRequest<Cursor>,
    mut filter: RunFilter,
    sort: Sort,
) -> Result<Sorted, Problem> {
    let other = || Problem::bad_parameter().because("cursor: is of a list in another order: begin with the first page");
    if sort.by == By::Created {
        let before = match page.before {
            Some(Cursor::Among(_)) => return Err(other()),
            Some(Cursor::Created(id)) => Some(id),
            None => None,
        };
        filter.order = if sort.is_descending { Order::NewestFirst } else { Order::OldestFirst };
        let RunPage { runs, next } = found::runs(operator, PageRequest { before, limit: page.limit }, &filter).await?;
        return Ok(Sorted { runs, next: next.map(Cursor::Created), among: None });
    }
    match page.before {
        None => first(operator, page.limit, &filter, sort).await,
        Some(Cursor::Among(place)) if place.sort == sort => behind(operator, page.limit, &filter, sort, place).await,
        Some(_) => Err(other()),
    }
}

/// The first page says among which runs the others are.
async fn first(operator: &Operator, limit: usize, filter: &RunFilter, sort: Sort) -> Result<Sorted, Problem> {
    let begun = operator.clock.monotonic();
    let (mut best, mut newest, mut before) = (Best::new(sort, limit), None, None);
    let oldest = loop {
        let RunPage { runs, next } = operator.store.runs(PageRequest { before, limit: PAGE }, filter.clone()).await?;
        newest = newest.or(runs.first().map(|run| run.id));
        best.take(runs.into_iter());
        let is_over = operator.clock.monotonic().since(begun) >= found::LOOK_FOR || best.looked >= SORTED_MAX;
        if next.is_none() || is_over {
            break next;
        }
        before = next;
        // Others have their turn.
        tokio::task::yield_now().await;
    };
    Ok(best.page(newest, oldest))
}

async fn behind(
    operator: &Operator,
    limit: usize,
    filter: &RunFilter,
    sort: Sort,
    Place { newest, oldest, id, value, .. }: Place,
) -> Result<Sorted, Problem> {
    let begun = operator.clock.monotonic();
    let (mut best, mut looked) = (Best::new(sort, limit), 0);
    let is_behind = |run: &Run| sort.compare((&sort.value(run), run.id), (&value, id)) == Ordering::Greater;
    let mut before = Some(after(newest));
    loop {
        let RunPage { runs, next } = operator.store.runs(PageRequest { before, limit: PAGE }, filter.clone()).await?;
        let among: Vec<Run> = runs.into_iter().filter(|run| oldest.is_none_or(|oldest| run.id >= oldest)).collect();
        looked += among.len();
        best.take(among.into_iter().filter(is_behind));
        let is_over = next.is_none_or(|next| oldest.is_some_and(|oldest| next <= oldest)) || looked >= SORTED_MAX;
        if is_over {
            return Ok(Best { looked, ..best }.page(Some(newest), oldest));
        }
        // The first page came as far in much less.
        if operator.clock.monotonic().since(begun) >= AGAIN_WITHIN {
            return Err(
                Problem::for_now().because("it takes too long to put these runs in order: ask again, or for fewer")
            );
        }
        before = next;
        tokio::task::yield_now().await;
    }
}

/// What is asked for before it is found.
fn after(id: RunId) -> RunId {
    RunId::from_bytes(u128::from_be_bytes(id.to_bytes()).saturating_add(1).to_be_bytes())
}

/// Those that the page may show, of all that were looked at.
struct Best {
    sort: Sort,
    limit: usize,
    looked: usize,
    runs: Vec<(Value, Run)>,
}

impl Best {
    fn new(sort: Sort, limit: usize) -> Best {
        Best { sort, limit, looked: 0, runs: Vec::new() }
    }

    fn take(&mut self, runs: impl Iterator<Item = Run>) {
        let (sort, before) = (self.sort, self.runs.len());
        self.runs.extend(runs.map(|run| (sort.value(&run), run)));
        self.looked += self.runs.len() - before;
        self.runs.sort_unstable_by(|(one, run), (other, of)| sort.compare((one, run.id), (other, of.id)));
        self.runs.truncate(self.limit + 1);
    }

    fn page(mut self, newest: Option<RunId>, oldest: Option<RunId>) -> Sorted {
        let is_more = self.runs.len() > self.limit;
        self.runs.truncate(self.limit);
        let last = self.runs.last().filter(|_| is_more).zip(newest);
        let sort = self.sort;
        let place = |((value, run), newest): (&(Value, Run), RunId)| {
            Cursor::Among(Place { sort, newest, oldest, id: run.id, value: value.clone() })
        };
        Sorted {
            next: last.map(place),
            among: Some(Among { runs: self.looked as u64, oldest }),
            runs: self.runs.into_iter().map(|(_, run)| run).collect(),
        }
    }
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
        let (newest, id) = (RunId::from_bytes([2; 16]), RunId::from_bytes([1; 16]));
        for value in [Value::Number(7), Value::Text("shop/welcome".to_owned()), Value::Nothing] {
            for oldest in [None, Some(RunId::from_bytes([0; 16]))] {
                let sort = Sort { by: By::Cpu, is_descending: true };
                let cursor = Cursor::Among(Place { sort, newest, oldest, id, value: value.clone() });
                assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            }
        }
        assert_eq!(id.to_string().parse::<Cursor>().unwrap(), Cursor::Created(id));
        assert!("run_1..".parse::<Cursor>().is_err());
        for bad in ["", "-", "--created", "createds", "Created", "plugin", "created,state"] {
            assert!(bad.parse::<Sort>().is_err(), "{bad}");
        }
    }
}
