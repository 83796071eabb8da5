//! The log of one attempt: bounded, in order, and safe to show. What is over
//! the bound is dropped and counted, so that a guest can neither fill the
//! host's memory nor be stopped by its own output.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::attempt::{Log, LogLevel, LogLine, LogStream};
use hookbox_core::clock::Clock;

use crate::text;

/// A longer line of output is broken, a longer message cut.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// What a line costs beside its text, so that empty lines are not free.
const LINE_OVERHEAD_BYTES: usize = 32;
/// The same of each field.
const FIELD_OVERHEAD_BYTES: usize = 16;
/// Fields of one line.
const FIELDS_MAX: usize = 32;
/// The end of standard error, kept even where the log is full: a panic's message is only there.
const TAIL_BYTES_MAX: usize = 2 * 1024;

/// Shared between the guest's capabilities and its two output streams.
#[derive(Clone)]
pub(crate) struct LogBook(Arc<Mutex<Book>>);

struct Book {
    clock: Arc<dyn Clock>,
    log: Log,
    bytes_left: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    tail: Vec<u8>,
}

impl LogBook {
    pub(crate) fn new(clock: Arc<dyn Clock>, bytes_max: usize) -> LogBook {
        LogBook(Arc::new(Mutex::new(Book {
            clock,
            log: Log::default(),
            bytes_left: bytes_max,
            stdout: Vec::new(),
            stderr: Vec::new(),
            tail: Vec::new(),
        })))
    }

    /// A line from the logging capability.
    pub(crate) fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.book().log(level, message, fields);
    }

    /// Bytes from standard output or standard error.
    pub(crate) fn write(&self, stream: LogStream, bytes: &[u8]) {
        self.book().write(stream, bytes);
    }

    /// The end of standard error.
    pub(crate) fn stderr_tail(&self) -> String {
        String::from_utf8_lossy(&self.book().tail).into_owned()
    }

    /// What hookbox itself has to say of the attempt.
    pub(crate) fn told(&self, message: &str) {
        self.book().log(LogLevel::Warn, message, &[]);
    }

    /// The lines so far, from a place on.
    pub(crate) fn lines_from(&self, from: usize) -> Vec<LogLine> {
        self.book().log.lines.get(from..).unwrap_or_default().to_vec()
    }

    /// The log with what stands on unfinished lines; the book is empty afterwards.
    pub(crate) fn finish(&self) -> Log {
        let mut book = self.book();
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let rest = std::mem::take(book.partial(stream));
            if !rest.is_empty() {
                book.line(stream, &rest);
            }
        }
        std::mem::take(&mut book.log)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn log(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let given = message.len() + fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let message = text::prefix(message, LINE_BYTES_MAX);
        let mut kept = message.len();
        let mut room = LINE_BYTES_MAX;
        let mut pairs = Vec::new();
        for (name, value) in fields.iter().take(FIELDS_MAX) {
            let (name, value) = (text::prefix(name, room), text::prefix(value, room.saturating_sub(name.len())));
            room = room.saturating_sub(name.len() + value.len());
            kept += name.len() + value.len();
            pairs.push((text::line(name), text::line(value)));
        }
        self.log.bytes_dropped += (given - kept) as u64;
        let line = LogLine {
            at: self.clock.now(),
            stream: LogStream::Log,
            level,
            message: text::line(message),
            fields: pairs,
        };
        self.push(line, kept);
    }

    fn write(&mut self, stream: LogStream, mut bytes: &[u8]) {
        if stream == LogStream::Stderr {
            self.remember(bytes);
        }
        while !bytes.is_empty() {
            if self.bytes_left == 0 {
                let partial = std::mem::take(self.partial(stream)).len();
                self.log.bytes_dropped += (partial + bytes.len()) as u64;
                return;
            }
            let room = LINE_BYTES_MAX - self.partial(stream).len();
            let part = bytes.get(..room.min(bytes.len())).unwrap_or_default();
            let (text, taken, ends) = match part.iter().position(|b| *b == b'\n') {
                Some(at) => (part.get(..at).unwrap_or_default(), at + 1, true),
                None => (part, part.len(), part.len() == room),
            };
            self.partial(stream).extend_from_slice(text);
            if ends {
                let line = std::mem::take(self.partial(stream));
                self.line(stream, &line);
            }
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn line(&mut self, stream: LogStream, bytes: &[u8]) {
        let level = if stream == LogStream::Stderr { LogLevel::Warn } else { LogLevel::Info };
        let message = text::line(String::from_utf8_lossy(bytes).trim_end_matches('\r'));
        self.push(LogLine { at: self.clock.now(), stream, level, message, fields: Vec::new() }, bytes.len());
    }

    /// The first line that does not fit closes the log: one without gaps is worth more than a few short lines.
    fn push(&mut self, line: LogLine, given: usize) {
        let field = |(name, value): &(String, String)| name.len() + value.len() + FIELD_OVERHEAD_BYTES;
        let fields: usize = line.fields.iter().map(field).sum();
        let cost = line.message.len() + fields + LINE_OVERHEAD_BYTES;
        if cost > self.bytes_left {
            self.bytes_left = 0;
            self.log.bytes_dropped += given as u64;
        } else {
            self.bytes_left -= cost;
            self.log.lines.push(line);
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        let last = bytes.get(bytes.len().saturating_sub(TAIL_BYTES_MAX)..).unwrap_or_default();
        let surplus = (self.tail.len() + last.len()).saturating_sub(TAIL_BYTES_MAX);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend_from_slice(last);
    }

    fn partial(&mut self, stream: LogStream) -> &mut Vec<u8> {
        match stream {
            LogStream::Stderr => &mut self.stderr,
            LogStream::Stdout | LogStream::Log => &mut self.stdout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_core::clock::ManualClock;
    use hookbox_core::limits::LOG_BYTES;

    fn book() -> LogBook {
        LogBook::new(Arc::new(ManualClock::default()), LOG_BYTES)
    }

    fn messages(log: &Log) -> Vec<&str> {
        log.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn lines_keep_their_order_and_the_last_needs_no_break() {
        let book = book();
        book.write(LogStream::Stdout, b"one\ntw");
        book.log(LogLevel::Info, "between", &[]);
        book.write(LogStream::Stdout, b"o\r\nthree");
        assert_eq!(messages(&book.finish()), ["one", "between", "two", "three"]);
    }

    #[test]
    fn what_is_over_the_bound_is_dropped_and_counted() {
        let book = book();
        let chunk = [b'x'; 4096];
        for _ in 0..1000 {
            book.write(LogStream::Stdout, &chunk);
        }
        let log = book.finish();
        let kept: usize = log.lines.iter().map(|line| line.message.len()).sum();
        assert!(kept <= LOG_BYTES);
        assert_eq!(kept as u64 + log.bytes_dropped, 4_096_000);
    }

    #[test]
    fn empty_lines_are_not_free() {
        let book = book();
        book.write(LogStream::Stdout, &b"\n".repeat(1 << 20));
        assert!(book.finish().lines.len() <= LOG_BYTES / LINE_OVERHEAD_BYTES);
    }

    #[test]
    fn empty_fields_are_not_free() {
        let book = book();
        let fields: Vec<(String, String)> = (0..32).map(|_| (String::new(), String::new())).collect();
        (0..10_000).for_each(|_| book.log(LogLevel::Info, "", &fields));
        let log = book.finish();
        let kept: usize = log.lines.iter().map(|line| line.fields.len()).sum();
        assert!(kept * FIELD_OVERHEAD_BYTES <= LOG_BYTES && kept > 10_000, "{kept}");
    }

    #[test]
    fn a_large_message_is_cut_and_its_fields_with_it() {
        let book = book();
        let fields = [("k".repeat(100_000), "v".to_owned())];
        book.log(LogLevel::Error, &"m".repeat(100_000), &fields);
        let log = book.finish();
        assert_eq!((log.lines[0].message.len(), log.lines[0].fields[0].0.len()), (LINE_BYTES_MAX, LINE_BYTES_MAX));
        assert_eq!(log.bytes_dropped, 200_001 - 2 * LINE_BYTES_MAX as u64);
    }

    #[test]
    fn the_end_of_standard_error_survives_a_full_log() {
        let book = book();
        book.write(LogStream::Stderr, &vec![b'x'; 1 << 20]);
        book.write(LogStream::Stderr, b"\npanicked at here\n");
        assert!(book.stderr_tail().ends_with("\npanicked at here\n"));
        assert!(book.stderr_tail().len() <= TAIL_BYTES_MAX);
    }
}
