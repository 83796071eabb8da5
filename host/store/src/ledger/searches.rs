//! Keeping searches, and dropping them.

use super::Ledger;
use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::query;
use crate::types::Search;
use crate::values;

/// Searches that are kept: they are shown all together.
const SEARCHES_MAX: usize = 100;

impl Ledger<'_> {
    pub(crate) fn keep_search(&mut self, search: &Search) -> Result<(), StoreError> {
        let kept = query::searches(&self.tree)?;
        if kept.len() >= SEARCHES_MAX && !kept.iter().any(|other| other.name == search.name) {
            return Err(StoreError::Conflict(format!("{SEARCHES_MAX} searches are kept: drop one first")));
        }
        values::replace(&mut self.tree, keys::search(&search.name), &codec::encode(&search.query)?)
    }

    /// False where there is none of the name.
    pub(crate) fn drop_search(&mut self, name: &str) -> Result<bool, StoreError> {
        values::remove(&mut self.tree, keys::search(name))
    }
}
