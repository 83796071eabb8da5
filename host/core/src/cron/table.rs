//! Time zones as tables: for zone data that is not built in, and to test what a change of it does.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::zone::{Gap, Landing};
use crate::time::Timestamp;

/// From an instant on a zone's clocks are so many seconds ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// The first instant of the offset, in whole seconds.
    pub at: Timestamp,
    /// East of Greenwich is ahead: positive. Less than a day either way.
    pub offset_seconds: i32,
}

/// A table that is no time zone's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table of time zone {name:?}: {message}")]
pub struct BadTable {
    pub name: String,
    pub message: String,
}

/// The offsets of a zone by time. What comes before the first row has the first row's offset.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Table {
    name: Box<str>,
    first: Span,
    rest: Vec<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Span {
    begins: DateTime<Utc>,
    offset: TimeDelta,
}

const NAME_BYTES_MAX: usize = 64;
const DAY_SECONDS: i32 = 86_400;
/// Changes lie further apart than any two offsets: so no reading comes more than twice.
const APART_MIN: TimeDelta = TimeDelta::days(2);

impl Table {
    pub(super) fn new(name: &str, changes: &[Change]) -> Result<Table, BadTable> {
        let refuse = |message: String| BadTable { name: name.chars().take(NAME_BYTES_MAX).collect(), message };
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(refuse(format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control characters")));
        }
        let mut spans = Vec::with_capacity(changes.len());
        for change in changes {
            let Change { at, offset_seconds } = *change;
            if at > Timestamp::MAX || !at.0.is_multiple_of(1000) {
                return Err(refuse(format!("{at} is no whole second up to {}", Timestamp::MAX)));
            }
            if offset_seconds.unsigned_abs() >= DAY_SECONDS.unsigned_abs() {
                return Err(refuse(format!("an offset of {offset_seconds} s is a day or more")));
            }
            spans.push(Span { begins: at.to_utc(), offset: TimeDelta::seconds(i64::from(offset_seconds)) });
        }
        if let Some((_, later)) =
            spans.iter().zip(spans.iter().skip(1)).find(|(one, next)| next.begins - one.begins < APART_MIN)
        {
            return Err(refuse(format!("{} is not two days after the change before it", later.begins)));
        }
        let mut spans = spans.into_iter();
        let first = spans.next().ok_or_else(|| refuse("it is empty; give it one offset at least".to_owned()))?;
        Ok(Table { name: name.into(), first, rest: spans.collect() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn offset_at(&self, at: DateTime<Utc>) -> TimeDelta {
        self.span(self.index_at(at)).offset
    }

    pub(super) fn land(&self, reading: NaiveDateTime) -> Landing {
        let near = i64::from(DAY_SECONDS);
        let early = self.index_at(reading.and_utc() - TimeDelta::seconds(near));
        let late = self.index_at(reading.and_utc() + TimeDelta::seconds(near));
        let mut instants = (early..=late).filter_map(|index| {
            let at = (reading - self.span(index).offset).and_utc();
            (self.index_at(at) == index).then_some(at)
        });
        match (instants.next(), instants.next()) {
            (Some(first), Some(second)) => Landing::Twice(first, second),
            (Some(at), None) => Landing::Once(at),
            (None, _) => {
                (early..late).find_map(|index| self.gap_after(index, reading)).map_or(Landing::Nowhere, Landing::Gap)
            }
        }
    }

    /// The gap behind a span, if `reading` lies in it.
    fn gap_after(&self, index: usize, reading: NaiveDateTime) -> Option<Gap> {
        let (before, after) = (self.span(index).offset, self.span(index + 1));
        let over = after.begins;
        let (begins, ends) = (over.naive_utc() + before, over.naive_utc() + after.offset);
        (begins <= reading && reading < ends).then_some(Gap { length: ends - begins, over, ends })
    }

    fn index_at(&self, at: DateTime<Utc>) -> usize {
        self.rest.partition_point(|span| span.begins <= at)
    }

    fn span(&self, index: usize) -> Span {
        index.checked_sub(1).and_then(|index| self.rest.get(index)).copied().unwrap_or(self.first)
    }
}
