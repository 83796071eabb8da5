//! What attempts that are under way have logged so far, for whoever watches. What counts is the record of the attempt.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::attempt::LogLine;
use crate::id::RunId;
use crate::time::Timestamp;

/// The lines from a place on.
type Lines = Box<dyn Fn(usize) -> Vec<LogLine> + Send + Sync>;

/// Filled by whoever executes attempts, read by whoever tells of them.
#[derive(Default)]
pub struct LiveLogs(Mutex<Book>);

#[derive(Default)]
struct Book {
    begun: u64,
    running: HashMap<RunId, Arc<Running>>,
}

struct Running {
    attempt: u32,
    began: Timestamp,
    execution: u64,
    lines: Lines,
}

/// What an attempt has logged so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoFar {
    pub attempt: u32,
    /// Within the time that the record of the attempt will tell.
    pub began: Timestamp,
    /// An attempt that begins again, such as after a conflict, has another one, and a log that begins anew.
    pub execution: u64,
    pub lines: Vec<LogLine>,
}

/// An attempt that is under way; its log is shown until this is dropped.
pub struct Shown {
    logs: Arc<LiveLogs>,
    run: RunId,
    execution: u64,
}

impl LiveLogs {
    /// Shows what `lines` gives: the lines of the log from a place on.
    pub fn show(
        self: &Arc<Self>,
        run: RunId,
        attempt: u32,
        began: Timestamp,
        lines: impl Fn(usize) -> Vec<LogLine> + Send + Sync + 'static,
    ) -> Shown {
        let mut book = self.book();
        book.begun += 1;
        let execution = book.begun;
        book.running.insert(run, Arc::new(Running { attempt, began, execution, lines: Box::new(lines) }));
        Shown { logs: Arc::clone(self), run, execution }
    }

    /// Nothing where no attempt of the run is under way here.
    pub fn of(&self, run: RunId, from: usize) -> Option<SoFar> {
        let running = self.book().running.get(&run).cloned()?;
        let (attempt, began, execution) = (running.attempt, running.began, running.execution);
        Some(SoFar { attempt, began, execution, lines: (running.lines)(from) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut book = self.logs.book();
        // Another execution may have taken its place.
        if book.running.get(&self.run).is_some_and(|running| running.execution == self.execution) {
            book.running.remove(&self.run);
        }
    }
}

impl fmt::Debug for LiveLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveLogs").field("running", &self.book().running.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{LogLevel, LogStream};

    fn line(message: &str) -> LogLine {
        let (stream, level) = (LogStream::Log, LogLevel::Info);
        LogLine { at: Timestamp(1), stream, level, message: message.to_owned(), fields: Vec::new() }
    }

    #[test]
    fn a_log_is_shown_as_long_as_its_attempt_is_under_way() {
        let (logs, run) = (Arc::new(LiveLogs::default()), RunId::new(Timestamp(1), 1));
        assert_eq!(logs.of(run, 0), None);
        let first = logs.show(run, 1, Timestamp(5), |from| vec![line("one"), line("two")].split_off(from));
        let seen = logs.of(run, 1).unwrap();
        assert_eq!((seen.attempt, seen.began, seen.lines), (1, Timestamp(5), vec![line("two")]));
        let second = logs.show(run, 1, Timestamp(5), |_| Vec::new());
        drop(first);
        assert_ne!(logs.of(run, 0).unwrap().execution, seen.execution, "the second one is still shown");
        drop(second);
        assert_eq!(logs.of(run, 0), None);
    }
}
