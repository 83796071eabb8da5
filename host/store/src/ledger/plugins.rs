//! The rows of plugins, and the boot number.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookbox_core::denial::Denied;
use hookbox_core::id::RunId;
use hookbox_core::name::PluginName;
use hookbox_core::run::BootId;
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::catalogue::{COMMANDS_MAX, CommandAnswer, Ending, PluginCommand, PluginRow};
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
            Some(mut row) => {
                row.retired(missing_since, Ending::Gone);
                self.put_plugin(row).map(|()| true)
            }
            None => Ok(false),
        }
    }

    /// False where the last command for the plugin has no answer yet.
    pub(crate) fn command_plugin(&mut self, name: PluginName, command: PluginCommand) -> Result<bool, StoreError> {
        let known = self.shown.catalogue.commands();
        if known.get(&name).is_some_and(|last| last.answer.is_none()) {
            return Ok(false);
        }
        let mut commands = known.clone();
        let answered = commands.iter().filter(|(other, command)| **other != name && command.answer.is_some());
        let oldest = answered.min_by_key(|(_, command)| command.asked).map(|(other, _)| other.clone());
        if let Some(oldest) = oldest.filter(|_| commands.len() >= COMMANDS_MAX) {
            values::remove(&mut self.tree, keys::plugin_command(&oldest))?;
            commands.remove(&oldest);
        }
        self.keep_command(commands, name, command).map(|()| true)
    }

    /// Nothing where the command is another by now, or has its answer.
    pub(crate) fn answer_plugin(
        &mut self,
        name: PluginName,
        asked: Timestamp,
        answer: CommandAnswer,
    ) -> Result<(), StoreError> {
        let commands = self.shown.catalogue.commands().clone();
        match commands.get(&name).filter(|last| last.asked == asked && last.answer.is_none()).cloned() {
            Some(last) => self.keep_command(commands, name, PluginCommand { answer: Some(answer), ..last }),
            None => Ok(()),
        }
    }

    fn keep_command(
        &mut self,
        mut commands: BTreeMap<PluginName, PluginCommand>,
        name: PluginName,
        command: PluginCommand,
    ) -> Result<(), StoreError> {
        values::replace(&mut self.tree, keys::plugin_command(&name), &codec::encode(&command)?)?;
        commands.insert(name, command);
        self.shown.catalogue = Arc::new(self.shown.catalogue.commanded(commands));
        self.shown.catalogue_changed = true;
        Ok(())
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
