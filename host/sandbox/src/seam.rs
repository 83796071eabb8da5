//! The seam between a guest and its host.
//!
//! A call is data: which one it is, what the guest gives, what it is answered. Besides what its handler is called with,
//! whatever can tell one run of a guest from another passes here, in one of four ways through the same gate, which refuses, counts and limits:
//!
//! - [`Guest::call`]: a capability of hookbox,
//! - [`Guest::read`]: what WASI knows at once: a clock, an alarm, random numbers, what has come of an answer; also
//!   `describe()` may use it,
//! - [`Guest::wait`]: what WASI waits for: which of several things is ready first, the next part of a body,
//! - [`Guest::send`]: a request to another server; its bodies are counted as they flow.
//!
//! What is behind it sees nothing but the given and its own part of the host (of WASI: the table of what the guest holds),
//! and nothing else of the guest: so a journal has one place to stand. To write it, keep what passes; to replay it, answer from it in the capability's
//! place. No capability has to know, and the tests below do just that.
//!
//! The rest of WASI is linked by wasmtime and only counted. It handles what the guest holds by then (headers, handles), or
//! is always empty (files, sockets, arguments), and so is the same in every run.

mod answer;
mod carried;
mod error_code;
#[cfg(test)]
mod journal;
mod request;

use std::pin::Pin;

use crate::capability::Capabilities;
use crate::guest::{Access, Guest, Surroundings};
use hookbox_core::host_call::{CallKind, Calls, HostCalls};

pub(crate) use carried::Carried;

/// One function that a guest can call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostCall {
    pub(crate) kind: CallKind,
    /// Interface and function, for reasons that an author reads.
    pub(crate) name: &'static str,
}

/// What a capability is doing. An error ends the guest.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

/// What has passed.
#[derive(Default)]
pub(crate) struct Passage {
    pub(crate) calls: HostCalls,
    /// Those of them that count against `limits.calls`.
    passed: u64,
    #[cfg(test)]
    pub(crate) journal: Option<journal::Journal>,
}

impl Guest {
    /// The one way from a guest to a capability. `capability` is a plain function: it can keep nothing of the guest.
    pub(crate) async fn call<Given: Carried, Answer: Carried>(
        &mut self,
        call: HostCall,
        given: Given,
        capability: for<'a> fn(&'a mut Capabilities, Given) -> Doing<'a, Answer>,
    ) -> wasmtime::Result<Answer> {
        self.went_on(call);
        let Access::Granted(capabilities) = &mut self.access else {
            return Err(wasmtime::Error::msg(format!(
                "describe() called {}: nothing of hookbox may be used while a plugin describes itself",
                call.name
            )));
        };
        self.passage.limit(call, self.meter.limits().calls as u64)?;
        let answer = match self.passage.enter(call, &given) {
            Some(kept) => kept,
            None => capability(capabilities, given).await,
        };
        self.passage.leave(call, answer)
    }

    /// The one way to what WASI tells a guest of its surroundings. It costs a guest CPU time, which is limited: so such
    /// calls are counted, and not against `limits.calls`.
    pub(crate) fn read<Given: Carried, Answer: Carried>(
        &mut self,
        call: HostCall,
        given: Given,
        surroundings: fn(Surroundings<'_>, Given) -> wasmtime::Result<Answer>,
    ) -> wasmtime::Result<Answer> {
        self.went_on(call);
        let answer = match self.passage.enter(call, &given) {
            Some(kept) => kept,
            None => surroundings(self.surroundings(), given),
        };
        self.passage.leave(call, answer)
    }

    /// As [`Guest::read`], for what may take its time.
    pub(crate) async fn wait<Given: Carried, Answer: Carried>(
        &mut self,
        call: HostCall,
        given: Given,
        surroundings: for<'a> fn(Surroundings<'a>, Given) -> Doing<'a, Answer>,
    ) -> wasmtime::Result<Answer> {
        self.went_on(call);
        let answer = match self.passage.enter(call, &given) {
            Some(kept) => kept,
            None => surroundings(self.surroundings(), given).await,
        };
        self.passage.leave(call, answer)
    }

    /// Its log and its output are what a guest may write to as it breaks.
    fn went_on(&mut self, call: HostCall) {
        if !matches!(call.kind, CallKind::Log | CallKind::Wasi) {
            self.meter.went_on();
        }
    }
}

impl Passage {
    fn limit(&mut self, call: HostCall, most: u64) -> wasmtime::Result<()> {
        if self.passed >= most {
            let name = call.name;
            return Err(wasmtime::Error::msg(format!(
                "{name}: more than {most} calls of hookbox in one attempt (limits.calls)"
            )));
        }
        self.passed += 1;
        Ok(())
    }

    /// It is counted also where it ends the guest. Returns what a journal has in the place of an answer; only tests have
    /// a journal.
    fn enter<Given: Carried, Answer: Carried>(
        &mut self,
        call: HostCall,
        given: &Given,
    ) -> Option<wasmtime::Result<Answer>> {
        self.count(call, given.bytes());
        #[cfg(test)]
        if let Some(journal) = &self.journal {
            return journal.enter(call, given);
        }
        None
    }

    fn count(&mut self, call: HostCall, bytes_given: usize) {
        self.calls.add(call.kind, Calls { number: 1, bytes_given: bytes_given as u64, bytes_answered: 0 });
    }

    fn leave<Answer: Carried>(&mut self, call: HostCall, answer: wasmtime::Result<Answer>) -> wasmtime::Result<Answer> {
        #[cfg(test)]
        if let Some(journal) = &self.journal {
            journal.leave(&answer);
        }
        let bytes_answered = answer.as_ref().map_or(0, |answer| answer.bytes() as u64);
        self.calls.add(call.kind, Calls { number: 0, bytes_given: 0, bytes_answered });
        answer
    }
}
