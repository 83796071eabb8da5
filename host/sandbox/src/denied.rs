//! What an attempt tried and was denied.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::denial::{DENIED_PER_ATTEMPT_MAX, Denied, DeniedKind};

use crate::text;

/// `what` that is kept: the guest chose it.
const WHAT_BYTES_MAX: usize = 256;

/// Cloning it shares what it holds.
#[derive(Clone, Default)]
pub(crate) struct DeniedBook(Arc<Mutex<Vec<Noted>>>);

struct Noted {
    denied: Denied,
    weight: Weight,
}

/// What an operator has to see is not pushed out by what anybody may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    Ordinary,
    /// It was to reach this machine or its network.
    Inner,
}

impl DeniedBook {
    pub(crate) fn note(&self, kind: DeniedKind, what: &str, reason: &str) {
        self.note_as(Weight::Ordinary, kind, what, reason);
    }

    /// Each thing once. Of more than are kept: of each kind, what weighs most, and of things that weigh alike, the first
    /// and the last.
    pub(crate) fn note_as(&self, weight: Weight, kind: DeniedKind, what: &str, reason: &str) {
        let what = text::prefix(&text::line(what), WHAT_BYTES_MAX).to_owned();
        let mut all = self.lock();
        if let Some(known) = all.iter_mut().find(|one| (one.denied.kind, &one.denied.what) == (kind, &what)) {
            // A name may lead inside later.
            if weight > known.weight {
                (known.weight, known.denied.reason) = (weight, text::message(reason));
            }
            return;
        }
        all.push(Noted { denied: Denied { kind, what, reason: text::message(reason) }, weight });
        if all.len() > DENIED_PER_ATTEMPT_MAX {
            let least = least(&all);
            all.remove(least);
        }
    }

    pub(crate) fn take(&self) -> Vec<Denied> {
        self.lock().drain(..).map(|noted| noted.denied).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which is missed least: of the kind that there is most of, and of its lightest ones, that in the middle.
fn least(all: &[Noted]) -> usize {
    let of_kind = |kind: DeniedKind| all.iter().filter(move |one| one.denied.kind == kind);
    let most = all.iter().map(|one| one.denied.kind).max_by_key(|kind| of_kind(*kind).count());
    let lightest = most.and_then(|kind| of_kind(kind).map(|one| one.weight).min());
    let alike = |one: &Noted| Some(one.denied.kind) == most && Some(one.weight) == lightest;
    let alike: Vec<usize> = all.iter().enumerate().filter(|(_, one)| alike(one)).map(|(at, _)| at).collect();
    alike.get(alike.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(book: &DeniedBook) -> Vec<String> {
        book.take().into_iter().map(|denied| denied.what).collect()
    }

    fn junk(book: &DeniedBook, numbers: std::ops::Range<usize>) {
        for n in numbers {
            book.note(DeniedKind::Request, &format!("GET http://{n}.example"), "grant it");
        }
    }

    #[test]
    fn a_reach_for_the_inside_shows_among_any_number_of_others() {
        let book = DeniedBook::default();
        let probe = "GET http://169.254.169.254";
        junk(&book, 0..500);
        book.note_as(Weight::Inner, DeniedKind::Request, probe, "never");
        book.note(DeniedKind::Secret, "key", "grant it");
        junk(&book, 500..1000);
        let kept = whats(&book);
        assert_eq!(kept.len(), DENIED_PER_ATTEMPT_MAX);
        for what in [probe, "key", "GET http://0.example", "GET http://999.example"] {
            assert!(kept.contains(&what.to_owned()), "{what}: {kept:?}");
        }
    }

    #[test]
    fn the_same_thing_is_kept_once() {
        let book = DeniedBook::default();
        junk(&book, 0..1);
        junk(&book, 0..1);
        book.note_as(Weight::Inner, DeniedKind::Request, "GET http://0.example", "it leads inside");
        let kept = book.take();
        assert_eq!((kept.len(), kept[0].reason.as_str()), (1, "it leads inside"));
    }
}
