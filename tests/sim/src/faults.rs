//! When the store fails, and how.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hookbox_core::time::Millis;

use crate::rng::Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It is not done.
    Refused,
    /// It is done, and whoever asked is told that it failed.
    AnswerLost,
    /// It is done later.
    Late(Millis),
    /// It is done at once, and told later.
    AnswerLate(Millis),
}

pub(crate) struct Faults {
    rng: Mutex<Rng>,
    per_mille: AtomicU64,
}

impl Faults {
    /// `per_mille`: of all that is asked.
    pub(crate) fn new(rng: Rng, per_mille: u64) -> Faults {
        Faults { rng: Mutex::new(rng), per_mille: AtomicU64::new(per_mille) }
    }

    /// From here on the store works.
    pub(crate) fn end(&self) {
        self.per_mille.store(0, Ordering::SeqCst);
    }

    pub(crate) fn draw(&self) -> Fault {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.below(1000) >= self.per_mille.load(Ordering::SeqCst) {
            return Fault::None;
        }
        let late = match rng.below(10) {
            0 => rng.between(1000, 60_000),
            _ => rng.between(1, 50),
        };
        match rng.below(4) {
            0 => Fault::Refused,
            1 => Fault::AnswerLost,
            2 => Fault::Late(Millis(late)),
            _ => Fault::AnswerLate(Millis(late)),
        }
    }
}
