//! What an attempt tried and was denied.

use std::sync::{Arc, Mutex, PoisonError};

use hookbox_core::denial::{DENIED_PER_ATTEMPT_MAX, Denied, DeniedKind};

use crate::text;

/// `what` that is kept: the guest chose it.
const WHAT_BYTES_MAX: usize = 256;

/// Cloning it shares what it holds.
#[derive(Clone, Default)]
pub(crate) struct DeniedBook(Arc<Mutex<Vec<Denied>>>);

impl DeniedBook {
    /// Each thing once, and no more than are kept.
    pub(crate) fn note(&self, kind: DeniedKind, what: &str, reason: &str) {
        let what = text::prefix(&text::line(what), WHAT_BYTES_MAX).to_owned();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().any(|one| (one.kind, &one.what) == (kind, &what));
        if !known && all.len() < DENIED_PER_ATTEMPT_MAX {
            all.push(Denied { kind, what, reason: text::message(reason) });
        }
    }

    pub(crate) fn take(&self) -> Vec<Denied> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
