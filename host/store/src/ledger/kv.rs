//! The plugins' own keys: checking what an attempt read, and writing what it changed.

use std::ops::ControlFlow;

use hookbox_core::effects::{KV_KEY_BYTES_MAX, KvScan, KvWrite};
use hookbox_core::name::PluginName;
use hookbox_core::time::Timestamp;

use super::Ledger;
use crate::codec::{self, KvV1};
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::query;
use crate::types::{Changes, KvPage, Pruned, Recorded};
use crate::values;

/// Keys that one step of pruning looks at: the commit thread has others to serve.
const PRUNE_KEYS_MAX: usize = 128;

impl Ledger<'_> {
    pub(super) fn write_kv(&mut self, changes: &Changes, now: Timestamp) -> Result<Recorded, StoreError> {
        let plugin = &changes.plugin;
        for read in &changes.reads {
            let version = query::kv_row(&self.tree, plugin, &read.key, now)?.map(|row| row.version);
            if version != read.version {
                return Ok(Recorded::Conflict);
            }
        }
        for scan in &changes.scans {
            if query::kv_list(&self.tree, plugin, &page(scan), now)? != scan.keys {
                return Ok(Recorded::Conflict);
            }
        }
        if changes.writes.is_empty() {
            return Ok(Recorded::Done);
        }
        let used_before = query::kv_used(&self.tree, plugin)?;
        let mut used = used_before;
        for write in &changes.writes {
            if write.key().len() > KV_KEY_BYTES_MAX {
                let length = write.key().len();
                return Ok(Recorded::Refused(format!("a key has {length} bytes, the limit is {KV_KEY_BYTES_MAX}")));
            }
            let old = values::get(&self.tree, &keys::kv(plugin, write.key()))?;
            let old = old.map(|row| codec::decode::<KvV1>(&row)).transpose()?;
            used = used.saturating_sub(old.as_ref().map_or(0, |old| size(write.key(), old)));
            match new_row(write, old.filter(|old| !old.is_expired(now)), now) {
                Ok(Some(mut new)) => {
                    self.counts.kv_writes += 1;
                    new.version = self.counts.kv_writes;
                    used += size(write.key(), &new);
                    values::replace(&mut self.tree, keys::kv(plugin, write.key()), &codec::encode(&new)?)?;
                }
                Ok(None) => {
                    values::remove(&mut self.tree, keys::kv(plugin, write.key()))?;
                }
                Err(refused) => return Ok(Recorded::Refused(refused)),
            }
        }
        // Who is over the limit, because it was lowered, may still give up keys.
        if used > changes.kv_bytes_max && used > used_before {
            let max = changes.kv_bytes_max;
            return Ok(Recorded::Refused(format!(
                "the plugin's keys would take {used} bytes, its limit is {max}: raise plugins.{plugin}.grants.kv in hooks.yaml"
            )));
        }
        values::replace(&mut self.tree, keys::kv_used(plugin), &used.to_be_bytes())?;
        Ok(Recorded::Done)
    }

    /// Removes expired keys among the next few after `from`; returns where to go on.
    pub(super) fn prune_kv(
        &mut self,
        from: Option<Vec<u8>>,
        now: Timestamp,
        pruned: &mut Pruned,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let from = from.unwrap_or_else(|| vec![keys::KV]);
        let mut found = Vec::new();
        self.tree.scan(&from, &keys::end_of(&[keys::KV]), Order::Ascending, &mut |key, _| {
            found.push(key.to_vec());
            Ok(if found.len() < PRUNE_KEYS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        for key in &found {
            let beginning = self.tree.get(key)?.map(|row| values::beginning(&self.tree, key, &row)).transpose()?;
            if !beginning.flatten().is_some_and(|row| codec::kv_is_expired(&row, now).unwrap_or(false)) {
                continue;
            }
            if let Some(row) = values::get(&self.tree, key)? {
                self.forget(key, &codec::decode(&row)?)?;
                pruned.kv_keys += 1;
            }
        }
        let full = found.len() == PRUNE_KEYS_MAX;
        Ok(found.pop().filter(|_| full).map(|mut last| {
            last.push(0);
            last
        }))
    }

    fn forget(&mut self, key: &[u8], row: &KvV1) -> Result<(), StoreError> {
        let name = key.get(1..).and_then(|rest| rest.split(|b| *b == 0).next());
        let plugin = name.and_then(|name| std::str::from_utf8(name).ok()).and_then(|name| PluginName::parse(name).ok());
        if let Some(plugin) = plugin
            && let Some(name) = keys::kv_name(&plugin, key)
        {
            let used = query::kv_used(&self.tree, &plugin)?.saturating_sub(size(name, row));
            values::replace(&mut self.tree, keys::kv_used(&plugin), &used.to_be_bytes())?;
        }
        values::remove(&mut self.tree, key.to_vec())?;
        Ok(())
    }
}

/// What a key holds after a write; the version is still to be given. An error is for the run: it can never succeed.
fn new_row(write: &KvWrite, old: Option<KvV1>, now: Timestamp) -> Result<Option<KvV1>, String> {
    match write {
        KvWrite::Delete { .. } => Ok(None),
        KvWrite::Set { value, ttl, .. } => {
            let expires = ttl.map(|ttl| now.plus(ttl).0);
            Ok(Some(KvV1 { version: 0, expires, value: value.clone() }))
        }
        KvWrite::Add { key, delta } => {
            let number = match &old {
                None => Some(0),
                Some(old) => std::str::from_utf8(&old.value).ok().and_then(|text| text.parse::<i64>().ok()),
            };
            let number = number.ok_or_else(|| format!("kv add: the value of {key:?} is no number"))?;
            let sum = number.checked_add(*delta).ok_or_else(|| format!("kv add: {key:?} would overflow"))?;
            let expires = old.and_then(|old| old.expires);
            Ok(Some(KvV1 { version: 0, expires, value: sum.to_string().into_bytes() }))
        }
    }
}

fn size(key: &str, row: &KvV1) -> u64 {
    (key.len() + row.value.len()) as u64
}

fn page(scan: &KvScan) -> KvPage {
    KvPage { prefix: scan.prefix.clone(), after: scan.after.clone(), limit: scan.limit }
}
