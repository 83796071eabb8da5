//! Holding and releasing.

use std::sync::Arc;

use hookbox_core::hold::{Held, Hold, Holds};

use super::Ledger;
use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::values;

impl Ledger<'_> {
    /// Nothing releases it. False where it is so already; a hold keeps its first note.
    pub(crate) fn hold(&mut self, held: Held, hold: Option<Hold>) -> Result<bool, StoreError> {
        if self.shown.holds.0.contains_key(&held) == hold.is_some() {
            return Ok(false);
        }
        let mut holds = Holds::clone(&self.shown.holds);
        match hold {
            Some(hold) => {
                values::insert(&mut self.tree, keys::hold(&held), &codec::encode(&hold)?)?;
                holds.0.insert(held, hold);
            }
            None => {
                values::remove(&mut self.tree, keys::hold(&held))?;
                holds.0.remove(&held);
            }
        }
        self.shown.holds = Arc::new(holds);
        self.shown.holds_changed = true;
        Ok(true)
    }
}
