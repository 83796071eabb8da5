//! What plugins tried and were denied, because hooks.yaml does not grant it.

use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::time::Timestamp;

/// Different things that one attempt was denied and that are kept of it.
pub const DENIED_PER_ATTEMPT_MAX: usize = 32;
/// Different things that are kept of one plugin.
pub const DENIALS_MAX: usize = 64;

/// What it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeniedKind {
    /// A request to another server.
    Request,
    /// An event outside the plugin's own name.
    Emit,
    /// A secret, by its name.
    Secret,
    /// A job for a handler of another plugin.
    Enqueue,
}

impl DeniedKind {
    pub fn code(self) -> &'static str {
        match self {
            DeniedKind::Request => "request",
            DeniedKind::Emit => "emit",
            DeniedKind::Secret => "secret",
            DeniedKind::Enqueue => "enqueue",
        }
    }
}

/// One thing that an attempt was denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    pub kind: DeniedKind,
    /// `POST https://hooks.slack.com`, `digest/ready`, `slack_url`.
    pub what: String,
    /// Why, and what to change in hooks.yaml.
    pub reason: String,
}

/// The same thing, over all attempts of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    pub denied: Denied,
    /// Attempts that tried it.
    pub attempts: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The last that tried it.
    pub run: RunId,
}

/// Everything that a plugin was denied: at most [`DENIALS_MAX`] things, of more those that were tried last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Denials(Vec<Denial>);

impl Denials {
    pub fn note(&mut self, denied: &[Denied], run: RunId, at: Timestamp) {
        for denied in denied {
            let same = |known: &&mut Denial| (known.denied.kind, &known.denied.what) == (denied.kind, &denied.what);
            match self.0.iter_mut().find(same) {
                Some(known) => {
                    known.denied.reason.clone_from(&denied.reason);
                    known.attempts += 1;
                    (known.last, known.run) = (at, run);
                }
                None => self.0.push(Denial { denied: denied.clone(), attempts: 1, first: at, last: at, run }),
            }
        }
        while self.0.len() > DENIALS_MAX {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, known)| known.last).map(|(at, _)| at);
            self.0.remove(oldest.unwrap_or_default());
        }
    }

    /// What was tried last comes first.
    pub fn into_vec(self) -> Vec<Denial> {
        let mut all = self.0;
        all.sort_by_key(|denial| std::cmp::Reverse(denial.last));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(kind: DeniedKind, what: &str) -> Denied {
        Denied { kind, what: what.to_owned(), reason: format!("grant {what}") }
    }

    fn run(number: u128) -> RunId {
        RunId::new(Timestamp(1), number)
    }

    #[test]
    fn the_same_thing_is_counted_and_another_is_not() {
        let mut all = Denials::default();
        all.note(&[denied(DeniedKind::Secret, "a"), denied(DeniedKind::Emit, "a")], run(1), Timestamp(1));
        all.note(&[Denied { reason: "now this".to_owned(), ..denied(DeniedKind::Secret, "a") }], run(2), Timestamp(2));
        let all = all.into_vec();
        let shown: Vec<_> =
            all.iter().map(|one| (one.denied.kind.code(), one.attempts, one.first.0, one.last.0, one.run)).collect();
        assert_eq!(shown, [("secret", 2, 1, 2, run(2)), ("emit", 1, 1, 1, run(1))]);
        assert_eq!(all[0].denied.reason, "now this");
    }

    #[test]
    fn of_many_things_the_last_are_kept() {
        let mut all = Denials::default();
        for n in 0..200 {
            all.note(
                &[denied(DeniedKind::Request, &n.to_string()), denied(DeniedKind::Emit, "often")],
                run(n),
                Timestamp(n as u64),
            );
        }
        let all = all.into_vec();
        assert_eq!((all.len(), all[0].last.0, all.last().unwrap().last.0), (DENIALS_MAX, 199, 137));
        assert!(all.iter().any(|one| one.attempts == 200));
    }
}
