//! Where a reader of a run's log is, and the ids of events that say it.
//!
//! Lines are told before they are on disk, and an attempt that is put back, or cut off by a crash, leaves none of them: a
//! number of events would name others later. So an id names the attempt, and when what it tells began.

use std::fmt;
use std::str::FromStr;

use hookbox_core::attempt::Attempt;
use hookbox_core::live_logs::SoFar;
use hookbox_core::run::Run;
use hookbox_core::time::Timestamp;

/// The id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// Lines of an attempt count from 1 on.
    Line {
        attempt: u32,
        began: Timestamp,
        line: usize,
    },
    Attempt {
        attempt: u32,
        began: Timestamp,
    },
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAnId;

/// `1-1750861210123-5`, `1-1750861210123-end`, `end`
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Line { attempt, began, line } => write!(f, "{attempt}-{}-{line}", began.0),
            Id::Attempt { attempt, began } => write!(f, "{attempt}-{}-end", began.0),
            Id::End => f.write_str("end"),
        }
    }
}

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Id, NotAnId> {
        if text == "end" {
            return Ok(Id::End);
        }
        let (attempt, rest) = text.split_once('-').ok_or(NotAnId)?;
        let (began, line) = rest.split_once('-').ok_or(NotAnId)?;
        let attempt = attempt.parse().map_err(|_| NotAnId)?;
        let began = Timestamp(began.parse().map_err(|_| NotAnId)?);
        match line {
            "end" => Ok(Id::Attempt { attempt, began }),
            line => Ok(Id::Line { attempt, began, line: line.parse().map_err(|_| NotAnId)? }),
        }
    }
}

/// The attempts before `attempt` are behind the reader, and so are some lines of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) attempt: u32,
    /// Lines of what began then.
    lines: usize,
    began: Option<Timestamp>,
    /// Known of lines that were told on this connection.
    execution: Option<u64>,
}

impl Place {
    pub(super) fn before(attempt: u32) -> Place {
        Place { attempt, lines: 0, began: None, execution: None }
    }

    /// Behind the event that the reader names. Where there is none of the id, some events are told twice rather than any
    /// never.
    pub(super) fn behind(id: Option<Id>, run: &Run) -> Place {
        let next = run.attempts.last().map_or(1, |attempt| attempt.number.saturating_add(1));
        match id {
            Some(Id::Line { attempt, began, line }) if (1..=next).contains(&attempt) => {
                Place { lines: line, began: Some(began), ..Place::before(attempt) }
            }
            Some(Id::Attempt { attempt, began }) if (1..=next).contains(&attempt) => {
                let is_it = |ended: &Attempt| ended.number == attempt && is_within(ended, began);
                Place::before(if run.attempts.iter().any(is_it) { attempt.saturating_add(1) } else { attempt })
            }
            _ => Place::before(1),
        }
    }

    /// Lines of an attempt that has ended that are behind the reader.
    pub(super) fn lines_of(&self, ended: &Attempt) -> usize {
        let is_it = ended.number == self.attempt && self.began.is_some_and(|began| is_within(ended, began));
        // Of one that is kept with fewer lines than were told, those that were told were others.
        if is_it && self.lines <= ended.log.lines.len() { self.lines } else { 0 }
    }

    /// Lines of the attempt under way that are behind the reader, if it is still the same execution of it.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    pub(super) fn is_in(&self, so_far: &SoFar) -> bool {
        let is_it = self.execution.is_none_or(|execution| execution == so_far.execution);
        is_it && (self.attempt, self.began) == (so_far.attempt, Some(so_far.began))
    }

    /// Behind so many lines of an attempt that is under way.
    pub(super) fn within(so_far: &SoFar, lines: usize) -> Place {
        let (began, execution) = (Some(so_far.began), Some(so_far.execution));
        Place { attempt: so_far.attempt, lines, began, execution }
    }
}

/// Whether what began then is what was recorded: an attempt waits for its place in the sandbox after it has begun, and one
/// that was cancelled is told from its lease on.
fn is_within(ended: &Attempt, began: Timestamp) -> bool {
    (ended.started..=ended.finished).contains(&began)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_was_written() {
        let began = Timestamp(1_750_861_210_123);
        for id in [Id::Line { attempt: 2, began, line: 7 }, Id::Attempt { attempt: 2, began }, Id::End] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(Id::Line { attempt: 2, began, line: 7 }.to_string(), "2-1750861210123-7");
    }

    #[test]
    fn what_is_no_id_is_none() {
        for text in ["", "500", "x", "1-2", "1-2-", "1--3", "-1-2-3", "1-2-3-4", "1-2-ends", "4294967296-2-3"] {
            assert_eq!(text.parse::<Id>(), Err(NotAnId), "{text}");
        }
    }
}
