//! The rows of plugins, and the boot number.

use std::sync::Arc;

use hookbox_core::denial::Denied;
use hookbox_core::id::RunId;
use hookbox_core::name::PluginName;
use hookbox_core::run::BootId;
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::catalogue::PluginRow;
use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::query;
use crate::values;

impl Ledger<'_> {
    pub(crate) fn put_plugin(&mut self, row: PluginRow) -> Result<(), StoreError> {
        values::replace(&mut self.tree, keys::plugin(&row.name), &codec::encode_plugin(&row)?)?;
        self.shown.catalogue = Arc::new(self.shown.catalogue.with(row));
        self.shown.catalogue_changed = true;
        Ok(())
    }

    pub(crate) fn retire_plugin(&mut self, name: &PluginName, missing_since: Timestamp) -> Result<bool, StoreError> {
        let row = self.shown.catalogue.plugin(name).filter(|row| row.missing_since == Some(missing_since)).cloned();
        match row.filter(|row| row.active.is_some()) {
            Some(row) => self.put_plugin(PluginRow { active: None, ..row }).map(|()| true),
            None => Ok(false),
        }
    }

    /// Adds what an attempt was denied to what its plugin was.
    pub(crate) fn note_denied(
        &mut self,
        plugin: &PluginName,
        run: RunId,
        denied: &[Denied],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if denied.is_empty() {
            return Ok(());
        }
        let mut all = query::denials(&self.tree, plugin)?;
        all.note(denied, run, at);
        values::replace(&mut self.tree, keys::denials(plugin), &codec::encode(&all)?)
    }

    pub(crate) fn begin_boot(&mut self) -> Result<BootId, StoreError> {
        let last = match values::get(&self.tree, keys::BOOT)? {
            Some(row) => codec::decode(&row)?,
            None => 0u64,
        };
        values::replace(&mut self.tree, keys::BOOT.to_vec(), &codec::encode(&(last + 1))?)?;
        Ok(BootId(last + 1))
    }
}
