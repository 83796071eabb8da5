//! What guests ask of their host, by kind, and how often they did.

use serde::{Deserialize, Serialize};

/// Few, and never renamed: they are labels of metrics and parts of stored rows. A new one comes at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallKind {
    /// A line of the log, not of standard output.
    Log,
    Config,
    Secret,
    /// Reads and listings. Opening a store counts here.
    KvRead,
    /// Whatever may write: a deletion, an increment and a swap, too.
    KvWrite,
    Enqueue,
    Emit,
    /// An outgoing request, refused ones included, with the bytes of its bodies.
    Request,
    /// Streams with their bytes, waiting, the parts of a request: what WASI has besides.
    Wasi,
    /// A reading of a clock, or an alarm that is set by one.
    Clock,
    /// Random numbers, with their bytes.
    Random,
}

impl CallKind {
    pub const ALL: [CallKind; 11] = [
        CallKind::Log,
        CallKind::Config,
        CallKind::Secret,
        CallKind::KvRead,
        CallKind::KvWrite,
        CallKind::Enqueue,
        CallKind::Emit,
        CallKind::Request,
        CallKind::Wasi,
        CallKind::Clock,
        CallKind::Random,
    ];

    pub fn code(self) -> &'static str {
        match self {
            CallKind::Log => "log",
            CallKind::Config => "config",
            CallKind::Secret => "secret",
            CallKind::KvRead => "kv-read",
            CallKind::KvWrite => "kv-write",
            CallKind::Enqueue => "enqueue",
            CallKind::Emit => "emit",
            CallKind::Request => "request",
            CallKind::Wasi => "wasi",
            CallKind::Clock => "clock",
            CallKind::Random => "random",
        }
    }
}

/// Calls of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    pub number: u64,
    /// What the guest handed over: keys, values, messages.
    pub bytes_given: u64,
    /// What it was answered.
    pub bytes_answered: u64,
}

impl Calls {
    /// One, without bytes.
    pub fn one() -> Calls {
        Calls { number: 1, ..Calls::default() }
    }
}

/// Calls of every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostCalls([Calls; CallKind::ALL.len()]);

impl HostCalls {
    pub fn add(&mut self, kind: CallKind, more: Calls) {
        if let Some(calls) = self.0.get_mut(kind as usize) {
            calls.number += more.number;
            calls.bytes_given += more.bytes_given;
            calls.bytes_answered += more.bytes_answered;
        }
    }

    pub fn of(&self, kind: CallKind) -> Calls {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// The kinds of which there were any.
    pub fn made(&self) -> impl Iterator<Item = (CallKind, Calls)> + '_ {
        CallKind::ALL.into_iter().map(|kind| (kind, self.of(kind))).filter(|(_, calls)| *calls != Calls::default())
    }

    pub fn add_all(&mut self, more: &HostCalls) {
        for (kind, calls) in more.made() {
            self.add(kind, calls);
        }
    }
}

impl FromIterator<(CallKind, Calls)> for HostCalls {
    fn from_iter<I: IntoIterator<Item = (CallKind, Calls)>>(calls: I) -> HostCalls {
        let mut all = HostCalls::default();
        for (kind, more) in calls {
            all.add(kind, more);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_place_and_a_name_of_its_own() {
        let mut names: Vec<&str> = CallKind::ALL.map(CallKind::code).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CallKind::ALL.len());
        let one = |n| Calls { number: n, bytes_given: 2 * n, bytes_answered: 3 * n };
        let calls: HostCalls = CallKind::ALL.into_iter().zip((1..).map(one)).collect();
        assert_eq!(calls.made().map(|(_, calls)| calls).collect::<Vec<_>>(), (1..=11).map(one).collect::<Vec<_>>());
    }

    #[test]
    fn kinds_of_which_there_were_none_are_not_told() {
        let mut calls = HostCalls::default();
        assert_eq!(calls.made().count(), 0);
        calls.add(CallKind::Emit, Calls::one());
        let twice = calls;
        calls.add_all(&twice);
        assert_eq!(calls.made().collect::<Vec<_>>(), [(CallKind::Emit, Calls { number: 2, ..Calls::default() })]);
    }
}
