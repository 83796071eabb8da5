//! A journal at the seam: it keeps what passes, and answers a second run from what it has kept.

mod tests;

use std::sync::{Arc, Mutex};

use serde_json::{Value, from_value, to_value};

use super::{Carried, HostCall};

/// Cloning it shares what it holds.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<Tape>>);

struct Tape {
    entries: Vec<Entry>,
    /// Where the call stands that was entered last.
    at: usize,
    replays: bool,
}

#[derive(Clone)]
struct Entry {
    name: &'static str,
    given: Value,
    /// Nothing yet while the call is under way. An error ended the guest.
    answer: Option<Kept>,
}

type Kept = Result<Value, String>;

impl Journal {
    fn writing() -> Journal {
        Journal::with(Vec::new(), false)
    }

    /// Another one, which answers with what this one has kept.
    fn replaying(&self) -> Journal {
        Journal::with(self.0.lock().unwrap().entries.clone(), true)
    }

    fn with(entries: Vec<Entry>, replays: bool) -> Journal {
        Journal(Arc::new(Mutex::new(Tape { entries, at: 0, replays })))
    }

    pub(super) fn enter<Given: Carried, Answer: Carried>(
        &self,
        call: HostCall,
        given: &Given,
    ) -> Option<wasmtime::Result<Answer>> {
        let kept = self.next(call.name, to_value(given).unwrap())?;
        Some(kept.and_then(|kept| kept.map_err(wasmtime::Error::msg)).map(|kept| from_value(kept).unwrap()))
    }

    pub(super) fn leave<Answer: Carried>(&self, answer: &wasmtime::Result<Answer>) {
        let mut tape = self.0.lock().unwrap();
        if !tape.replays {
            let at = tape.at;
            let kept = answer.as_ref().map(|answer| to_value(answer).unwrap()).map_err(|error| format!("{error:#}"));
            tape.entries[at].answer = Some(kept);
        }
    }

    /// What was kept of the next call; nothing where this journal is being written. A call that is another one than
    /// was kept is an error.
    fn next(&self, name: &'static str, given: Value) -> Option<wasmtime::Result<Kept>> {
        let mut tape = self.0.lock().unwrap();
        if !tape.replays {
            tape.at = tape.entries.len();
            tape.entries.push(Entry { name, given, answer: None });
            return None;
        }
        let at = tape.at;
        tape.at += 1;
        Some(match tape.entries.get(at) {
            Some(entry) if (entry.name, &entry.given) == (name, &given) => Ok(entry.answer.clone().unwrap()),
            Some(entry) => {
                let (had, asked) = (entry.name, &entry.given);
                Err(wasmtime::Error::msg(format!("call {at} is {name} {given}, the journal has {had} {asked}")))
            }
            None => Err(wasmtime::Error::msg(format!("call {at} is {name}, the journal has no more"))),
        })
    }

    /// Names of what was kept, and how many of them were replayed.
    fn told(&self) -> (Vec<&'static str>, usize) {
        let tape = self.0.lock().unwrap();
        (tape.entries.iter().map(|entry| entry.name).collect(), tape.at)
    }
}
