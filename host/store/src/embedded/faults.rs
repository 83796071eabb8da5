//! Where tests let the disk fail.

use crate::error::StoreError;

/// A moment at which the disk may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Open,
    /// Before anything of a group is written.
    Apply,
    /// All of it is written, nothing synced.
    Sync,
    /// All of it is on disk.
    Synced,
}

#[cfg(not(test))]
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(());

#[cfg(not(test))]
impl Faults {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other half is in the tests")]
    pub(super) fn at(&self, _: Step) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The faults to come, in their order.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(std::sync::Arc<std::sync::Mutex<std::collections::VecDeque<(Step, Fault)>>>);

#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Unavailable,
    Corrupt,
    Panic,
}

#[cfg(test)]
impl Faults {
    pub(super) fn add(&self, step: Step, fault: Fault) {
        self.0.lock().unwrap().push_back((step, fault));
    }

    pub(super) fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Fails where the next fault is at this step.
    pub(super) fn at(&self, step: Step) -> Result<(), StoreError> {
        let fault = self.0.lock().unwrap().pop_front_if(|(at, _)| *at == step);
        match fault {
            None => Ok(()),
            Some((_, Fault::Unavailable)) => Err(StoreError::Unavailable(format!("a test says so at {step:?}"))),
            Some((_, Fault::Corrupt)) => Err(StoreError::Corrupt(format!("a test says so at {step:?}"))),
            Some((_, Fault::Panic)) => panic!("a test says so at {step:?}"),
        }
    }
}
