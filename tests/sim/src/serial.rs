//! The serial model of the plugins' keys: attempts that succeeded, one after
//! the other in the order of their commits. What each was told while it ran
//! must be what it would have been told had it run alone at its commit.

use std::collections::BTreeMap;

use hookbox_core::name::PluginName;
use hookbox_core::time::{Millis, Timestamp};

use crate::program::{Answer, Op};

#[derive(Debug, Default)]
pub(crate) struct Serial(BTreeMap<PluginName, Keys>);

type Keys = BTreeMap<String, Slot>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    value: String,
    expires: Option<Timestamp>,
    /// A number was added to what is none, which can be told only at the commit.
    spoiled: bool,
}

impl Serial {
    /// Runs an attempt that was committed at `now`. An error says where what it was told differs.
    pub(crate) fn commit(&mut self, plugin: &PluginName, told: &[(Op, Answer)], now: Timestamp) -> Result<(), String> {
        let keys = self.0.remove(plugin).unwrap_or_default();
        let (keys, mut hidden): (Keys, Keys) = keys.into_iter().partition(|(_, slot)| slot.is_seen(now));
        let mut alone = Alone { keys, now };
        for (op, answer) in told {
            let serial = alone.run(op, answer);
            if serial != *answer {
                return Err(format!("{op:?} was answered {answer:?}, alone it would have been {serial:?}"));
            }
            if op.writes(answer) {
                hidden.remove(op.key());
            }
        }
        if let Some((key, _)) = alone.keys.iter().find(|(_, slot)| slot.spoiled) {
            return Err(format!("something was added to {key:?}, which is no number, and it was committed"));
        }
        // A key whose time is over is there again when the clock is set back before anybody has written it.
        hidden.append(&mut alone.keys);
        self.0.insert(plugin.clone(), hidden);
        Ok(())
    }

    /// What a key of a plugin holds at `now`.
    pub(crate) fn value(&self, plugin: &PluginName, key: &str, now: Timestamp) -> Option<&str> {
        self.0.get(plugin)?.get(key).filter(|slot| slot.is_seen(now)).map(|slot| slot.value.as_str())
    }

    /// All keys, also those whose time is over.
    pub(crate) fn keys(&self) -> Vec<(PluginName, String)> {
        self.0.iter().flat_map(|(plugin, keys)| keys.keys().map(|key| (plugin.clone(), key.clone()))).collect()
    }

    pub(crate) fn expired(&self, now: Timestamp) -> Vec<(PluginName, String)> {
        let mut keys = self.keys();
        keys.retain(|(plugin, key)| self.value(plugin, key, now).is_none());
        keys
    }

    /// A key whose time is over was pruned.
    pub(crate) fn forget(&mut self, plugin: &PluginName, key: &str) {
        if let Some(keys) = self.0.get_mut(plugin) {
            keys.remove(key);
        }
    }
}

impl Slot {
    fn is_seen(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// One attempt, alone with the keys.
struct Alone {
    keys: Keys,
    now: Timestamp,
}

impl Alone {
    fn run(&mut self, op: &Op, told: &Answer) -> Answer {
        match op {
            Op::Get(key) => match self.keys.get(key) {
                Some(slot) if slot.spoiled => Answer::WrongType,
                slot => Answer::Value(slot.map(|slot| slot.value.clone())),
            },
            Op::Set { key, value, ttl } => {
                self.set(key, value, *ttl);
                Answer::Nothing
            }
            Op::Delete(key) => Answer::Was(self.keys.remove(key).is_some()),
            Op::Add(key, delta) => match self.add(key, *delta) {
                Some(_) => Answer::Nothing,
                None if *told == Answer::WrongType => Answer::WrongType,
                // Adding does not look: it is known at the commit, unless the key is written over before.
                None => {
                    self.keys.entry(key.clone()).and_modify(|slot| slot.spoiled = true);
                    Answer::Nothing
                }
            },
            Op::Increment(key, delta) => self.add(key, *delta).map_or(Answer::WrongType, Answer::Sum),
            Op::Swap { key, expected, new } => match self.keys.get(key) {
                Some(slot) if slot.spoiled => Answer::WrongType,
                slot if slot.map(|slot| &slot.value) != expected.as_ref() => Answer::Was(false),
                _ => {
                    match new {
                        Some(value) => self.set(key, value, None),
                        None => drop(self.keys.remove(key)),
                    }
                    Answer::Was(true)
                }
            },
            Op::List(prefix) => Answer::Keys(self.keys.keys().filter(|key| key.starts_with(prefix)).cloned().collect()),
        }
    }

    fn set(&mut self, key: &str, value: &str, ttl: Option<Millis>) {
        let expires = ttl.map(|ttl| self.now.plus(ttl));
        self.keys.insert(key.to_owned(), Slot { value: value.to_owned(), expires, spoiled: false });
    }

    /// Nothing where the key holds no number.
    fn add(&mut self, key: &str, delta: i64) -> Option<i64> {
        let fresh = || Slot { value: "0".to_owned(), expires: None, spoiled: false };
        let slot = self.keys.entry(key.to_owned()).or_insert_with(fresh);
        let sum = slot.value.parse::<i64>().ok().filter(|_| !slot.spoiled)? + delta;
        slot.value = sum.to_string();
        Some(sum)
    }
}
