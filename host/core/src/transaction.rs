//! One attempt's view of its plugin's keys: the store below, its own writes
//! above. What was read is remembered, so that the commit can see whether it
//! was changed meanwhile; what was written waits for the commit.
//!
//! Nothing is read here. A call that needs something of the store says what;
//! whoever has the store answers with one of the `saw_` methods and makes the
//! same call again. A call that needs something has changed nothing.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::effects::{
    KV_KEY_BYTES_MAX, KV_KEYS_PER_ATTEMPT_MAX, KV_LIST_KEYS_MAX, KV_VALUE_BYTES_MAX, KvEntry, KvRead, KvScan, KvWrite,
};
use crate::time::Millis;

/// What a counter is taken to need: the longest number.
const NUMBER_BYTES: usize = 20;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// Not yet: this has to be read first.
    Needs(Need),
    /// A number was expected where another value is.
    WrongType,
    LimitExceeded(String),
}

/// What has to be read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Answered by [`Transaction::saw`].
    Key(String),
    /// Keys that begin with `prefix` and come after `after`, at most `limit`. Answered by [`Transaction::saw_page`].
    Page { prefix: String, after: Option<String>, limit: usize },
    /// Bytes of all the plugin's keys and values. Answered by [`Transaction::saw_used`].
    UsedBytes,
}

/// Keys in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub keys: Vec<String>,
    /// The last key that the page took account of, where there may be more.
    pub next: Option<String>,
}

#[derive(Debug)]
pub struct Transaction {
    quota: u64,
    data_max: u64,
    /// Bytes of keys and values that were read of the store, written or looked at for a swap.
    data: u64,
    /// Bytes in the store, asked once.
    used: Option<u64>,
    keys: BTreeMap<String, Key>,
    scans: Vec<KvScan>,
    /// A page that was read for the call that is made again.
    page: Option<KvScan>,
    /// How much larger the plugin's store becomes by `keys`.
    growth: i128,
    /// Keys that listings returned, and the listings.
    listed: usize,
}

#[derive(Debug, Default)]
struct Key {
    /// What the store had, once it was read.
    seen: Option<Option<KvEntry>>,
    write: Option<Write>,
}

#[derive(Debug)]
enum Write {
    Set { value: Vec<u8>, ttl: Option<Millis> },
    Delete,
    Add(i64),
}

impl Transaction {
    /// `quota`: bytes that the plugin's keys and values may take altogether. `data_max`: bytes of keys and values that
    /// the attempt may read and write. Beyond them every call is refused, without anything being read for it.
    pub fn new(quota: u64, data_max: u64) -> Transaction {
        Transaction {
            quota,
            data_max,
            data: 0,
            used: None,
            keys: BTreeMap::new(),
            scans: Vec::new(),
            page: None,
            growth: 0,
            listed: 0,
        }
    }

    /// What the store has at a key that was needed.
    pub fn saw(&mut self, key: &str, entry: Option<KvEntry>) {
        self.count(key.len() + entry.as_ref().map_or(0, |entry| entry.value.len()));
        self.change(key, |slot| slot.seen = Some(entry));
    }

    /// What the store has on a page that was needed.
    pub fn saw_page(&mut self, page: KvScan) {
        self.count(page.keys.iter().map(String::len).sum());
        self.page = Some(page);
    }

    pub fn saw_used(&mut self, bytes: u64) {
        self.used = Some(bytes);
    }

    /// So many bytes are kept for the attempt elsewhere.
    pub fn keep(&mut self, bytes: usize) -> Result<(), Unanswered> {
        self.count(bytes);
        self.within_data()
    }

    pub fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Unanswered> {
        match self.touch(key)?.write {
            Some(Write::Set { ref value, .. }) => Ok(Some(value.clone())),
            Some(Write::Delete) => Ok(None),
            Some(Write::Add(delta)) => {
                let base = number(self.read(key)?)?;
                Ok(Some(sum(base, delta)?.to_string().into_bytes()))
            }
            None => Ok(self.read(key)?.map(|entry| entry.value.clone())),
        }
    }

    pub fn set(&mut self, key: &str, value: &[u8], ttl: Option<Millis>) -> Result<(), Unanswered> {
        self.touch(key)?;
        if value.len() > KV_VALUE_BYTES_MAX {
            return Err(limit(format!("the value of {key:?} is {} bytes, at most {KV_VALUE_BYTES_MAX}", value.len())));
        }
        self.write(key, Write::Set { value: value.to_vec(), ttl })
    }

    /// Tells whether the key was there, so it reads unless the attempt wrote the key itself.
    pub fn delete(&mut self, key: &str) -> Result<bool, Unanswered> {
        let there = match self.touch(key)?.write {
            Some(Write::Set { .. } | Write::Add(_)) => true,
            Some(Write::Delete) => false,
            None => self.read(key)?.is_some(),
        };
        if there {
            self.write(key, Write::Delete)?;
        }
        Ok(there)
    }

    /// Reads nothing: that is what lets it merge with what others add.
    pub fn add(&mut self, key: &str, delta: i64) -> Result<(), Unanswered> {
        let slot = self.touch(key)?;
        if let (None | Some(Write::Add(_)), Some(seen)) = (&slot.write, &slot.seen) {
            number(seen.as_ref())?;
        }
        let next = slot.added(delta)?;
        self.write(key, next)
    }

    pub fn increment(&mut self, key: &str, delta: i64) -> Result<i64, Unanswered> {
        let next = self.touch(key)?.added(delta)?;
        let total = match &next {
            Write::Set { value, .. } => parse_number(value).ok_or(Unanswered::WrongType)?,
            // Adding never deletes.
            Write::Delete => 0,
            Write::Add(all) => sum(number(self.read(key)?)?, *all)?,
        };
        self.write(key, next)?;
        Ok(total)
    }

    pub fn compare_and_swap(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, Unanswered> {
        if self.get(key)?.as_deref() != expected {
            return Ok(false);
        }
        match new {
            Some(value) => self.set(key, value, None)?,
            None => drop(self.delete(key)?),
        }
        Ok(true)
    }

    /// The keys of the store and its own.
    pub fn list(&mut self, prefix: &str, cursor: Option<&str>) -> Result<Page, Unanswered> {
        for text in [Some(prefix), cursor].into_iter().flatten() {
            if text.len() > KV_KEY_BYTES_MAX {
                return Err(limit(format!("a prefix or cursor is {} bytes, at most {KV_KEY_BYTES_MAX}", text.len())));
            }
        }
        self.within_data()?;
        self.room()?;
        let asked = |page: &KvScan| page.prefix == prefix && page.after.as_deref() == cursor;
        let Some(scan) = self.page.take().filter(asked) else {
            let (prefix, after) = (prefix.to_owned(), cursor.map(str::to_owned));
            return Err(Unanswered::Needs(Need::Page { prefix, after, limit: KV_LIST_KEYS_MAX }));
        };
        let stored = &scan.keys;
        self.listed += 1 + stored.len();
        // Where the store's page is full, nothing is known of what comes after it.
        let known_to = if stored.len() < KV_LIST_KEYS_MAX { None } else { stored.last().cloned() };
        let mut keys: Vec<String> = stored.iter().filter(|key| !self.is_deleted(key)).cloned().collect();
        keys.extend(self.own_keys(prefix, cursor, known_to.as_deref()));
        keys.sort_unstable();
        keys.dedup();
        let next = if keys.len() > KV_LIST_KEYS_MAX {
            keys.truncate(KV_LIST_KEYS_MAX);
            keys.last().cloned()
        } else {
            known_to
        };
        self.scans.push(scan);
        Ok(Page { keys, next })
    }

    /// What was read and what is to be written, for the [`Effects`](crate::effects::Effects) of the attempt.
    pub fn into_parts(self) -> (Vec<KvRead>, Vec<KvScan>, Vec<KvWrite>) {
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for (key, slot) in self.keys {
            if let Some(seen) = slot.seen {
                reads.push(KvRead { key: key.clone(), version: seen.map(|entry| entry.version) });
            }
            match slot.write {
                Some(Write::Set { value, ttl }) => writes.push(KvWrite::Set { key, value, ttl }),
                Some(Write::Delete) => writes.push(KvWrite::Delete { key }),
                Some(Write::Add(delta)) => writes.push(KvWrite::Add { key, delta }),
                None => {}
            }
        }
        (reads, self.scans, writes)
    }

    /// The key's slot, made where it is new and there is room for one more.
    fn touch(&mut self, key: &str) -> Result<&mut Key, Unanswered> {
        if key.is_empty() || key.len() > KV_KEY_BYTES_MAX {
            return Err(limit(format!("a key is {} bytes, must be 1 to {KV_KEY_BYTES_MAX}", key.len())));
        }
        self.within_data()?;
        if !self.keys.contains_key(key) {
            self.room()?;
        }
        Ok(self.keys.entry(key.to_owned()).or_default())
    }

    fn room(&self) -> Result<(), Unanswered> {
        if self.keys.len() + self.listed >= KV_KEYS_PER_ATTEMPT_MAX {
            return Err(limit(format!("one attempt touches at most {KV_KEYS_PER_ATTEMPT_MAX} keys")));
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) {
        self.data = self.data.saturating_add(bytes as u64);
    }

    fn within_data(&self) -> Result<(), Unanswered> {
        if self.data > self.data_max {
            let most = self.data_max;
            return Err(limit(format!(
                "one attempt reads and writes at most {most} bytes of keys and values (limits.kv_data)"
            )));
        }
        Ok(())
    }

    /// What the store has, asked once for each key: an attempt sees no change while it runs.
    fn read(&mut self, key: &str) -> Result<Option<&KvEntry>, Unanswered> {
        match &self.touch(key)?.seen {
            Some(seen) => Ok(seen.as_ref()),
            None => Err(Unanswered::Needs(Need::Key(key.to_owned()))),
        }
    }

    /// Puts a write in the place of the key's last one, if the plugin's quota allows it.
    fn write(&mut self, key: &str, write: Write) -> Result<(), Unanswered> {
        let slot = self.touch(key)?;
        let (before, seen, bytes) = (slot.growth(key), slot.seen_bytes(key), write.bytes(key));
        // What becomes smaller may always be written, also where the quota was lowered.
        if bytes > seen {
            let used = self.used.ok_or(Unanswered::Needs(Need::UsedBytes))?;
            let total = i128::from(used) + self.growth - before + bytes - seen;
            if total > i128::from(self.quota) {
                let quota = self.quota;
                return Err(limit(format!(
                    "the plugin's keys and values would be {total} bytes, at most {quota} (grants.kv)"
                )));
            }
        }
        self.keep(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        self.change(key, |slot| slot.write = Some(write));
        Ok(())
    }

    /// The one place where a slot is changed: it keeps the sum.
    fn change(&mut self, key: &str, change: impl FnOnce(&mut Key)) {
        if let Some(slot) = self.keys.get_mut(key) {
            self.growth -= slot.growth(key);
            change(slot);
            self.growth += slot.growth(key);
        }
    }

    fn is_deleted(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|slot| matches!(slot.write, Some(Write::Delete)))
    }

    fn own_keys(&self, prefix: &str, after: Option<&str>, to: Option<&str>) -> Vec<String> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.keys
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix) && to.is_none_or(|to| key.as_str() <= to))
            .filter(|(_, slot)| matches!(slot.write, Some(Write::Set { .. } | Write::Add(_))))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

impl Key {
    /// What the last write becomes when `delta` is added to it.
    fn added(&self, delta: i64) -> Result<Write, Unanswered> {
        match &self.write {
            Some(Write::Set { value, ttl }) => {
                let total = sum(parse_number(value).ok_or(Unanswered::WrongType)?, delta)?;
                Ok(Write::Set { value: total.to_string().into_bytes(), ttl: *ttl })
            }
            Some(Write::Delete) => Ok(Write::Set { value: delta.to_string().into_bytes(), ttl: None }),
            Some(Write::Add(before)) => Ok(Write::Add(sum(*before, delta)?)),
            None => Ok(Write::Add(delta)),
        }
    }

    /// How much larger the plugin's store becomes by the key's last write. Where the key was not read, its old value
    /// is not known and counts as nothing.
    fn growth(&self, key: &str) -> i128 {
        self.write.as_ref().map_or(0, |write| write.bytes(key) - self.seen_bytes(key))
    }

    fn seen_bytes(&self, key: &str) -> i128 {
        self.seen.as_ref().and_then(Option::as_ref).map_or(0, |entry| (key.len() + entry.value.len()) as i128)
    }
}

impl Write {
    fn bytes(&self, key: &str) -> i128 {
        match self {
            Write::Set { value, .. } => (key.len() + value.len()) as i128,
            Write::Add(_) => (key.len() + NUMBER_BYTES) as i128,
            Write::Delete => 0,
        }
    }
}

fn number(entry: Option<&KvEntry>) -> Result<i64, Unanswered> {
    entry.map_or(Some(0), |entry| parse_number(&entry.value)).ok_or(Unanswered::WrongType)
}

fn sum(number: i64, delta: i64) -> Result<i64, Unanswered> {
    number.checked_add(delta).ok_or_else(|| limit(format!("{number} and {delta} make no 64-bit number")))
}

fn limit(message: String) -> Unanswered {
    Unanswered::LimitExceeded(message)
}

/// A decimal number as kv keeps it.
pub fn parse_number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
