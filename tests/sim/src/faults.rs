//! When the store fails, and how.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    /// The disk fails: nothing is done, and the store says so.
    is_down: AtomicBool,
}

impl Faults {
    /// `per_mille`: of all that is asked.
    pub(crate) fn new(rng: Rng, per_mille: u64) -> Faults {
        Faults { rng: Mutex::new(rng), per_mille: AtomicU64::new(per_mille), is_down: AtomicBool::new(false) }
    }

    /// From here on the store works.
    pub(crate) fn end(&self) {
        self.set_down(false);
        self.per_mille.store(0, Ordering::SeqCst);
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::SeqCst)
    }

    pub(crate) fn draw(&self) -> Fault {
        if self.is_down() {
            return Fault::Refused;
        }
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
