//! What groups of changes cost since the start.

use hookbox_core::distribution::{Distribution, Shared};

/// Groups that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commits {
    /// How long the batch, its flush and its sync took, in microseconds.
    pub took: Distribution,
    /// How many changes a group had.
    pub changes: Distribution,
}

impl Default for Commits {
    fn default() -> Commits {
        Commits { took: Distribution::of_times(), changes: Distribution::of_numbers() }
    }
}

/// Filled by the commit thread.
#[derive(Debug)]
pub(crate) struct Meter {
    took: Shared,
    changes: Shared,
}

impl Default for Meter {
    fn default() -> Meter {
        let Commits { took, changes } = Commits::default();
        Meter { took: Shared::new(took), changes: Shared::new(changes) }
    }
}

impl Meter {
    pub(crate) fn written(&self, took_us: u64, changes: usize) {
        self.took.add(took_us);
        self.changes.add(changes as u64);
    }

    pub(crate) fn read(&self) -> Commits {
        Commits { took: self.took.read(), changes: self.changes.read() }
    }
}
