//! The layout of the one tree: a prefix for each kind of row.
//!
//! | prefix | key | row |
//! |---|---|---|
//! | `m` | name | counters, boot number, format |
//! | `e` | event id | event; a large body is under `b` |
//! | `d` | dedupe hash | event id, end of the window, fingerprint |
//! | `q` | run id | a run that is alive |
//! | `r` | run id | a run that has ended |
//! | `l` | run id | mark of a run that has ended and did not succeed |
//! | `a` | run id, attempt | log and result of an attempt, where they are large |
//! | `o` | event id | mark of an event without a handler |
//! | `w` | event id | a delivery that was a duplicate; a large body is under `b` |
//! | `v` | first event id, fingerprint | its id |
//! | `j` | job id | job; a large payload is under `b` |
//! | `x` | event id, run id | a replay of an event's run |
//! | `z` | run id, run id | a run that an attempt of the first has asked for |
//! | `y` | plugin, handler, hash | run that holds a unique key |
//! | `s` | schedule | definition and state |
//! | `t` | schedule | one that was removed, for a while |
//! | `p` | plugin | versions and handlers |
//! | `i` | plugin | what an operator wanted of it last |
//! | `g` | plugin | what it tried and was denied |
//! | `h` | what is held | since when, and why |
//! | `n` | `k`, hash of an idempotency key | a request that carried it, and its answer |
//! | `n` | `n`, number | hash of the key, in the order in which they came |
//! | `f` | name | a search that an operator keeps |
//! | `k` | plugin, 0, key | a plugin's key |
//! | `u` | plugin | bytes that a plugin's keys take |
//! | `T` | token | its hash, role and times |
//! | `S` | hash of a session's id | who it is, and its times |
//! | `A` | number | what an operator did; numbers have no gaps |
//! | `c` | any key above, number | part of a value that is too large for one |
//!
//! No key is longer than 256 bytes: names have 63 at most, a plugin's keys 128.

use hookbox_core::access::{SecretHash, TokenName};
use hookbox_core::hold::Held;
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::{HandlerRef, PluginName, ScheduleName};
use sha2::{Digest, Sha256};

pub(crate) const KEY_BYTES_MAX: usize = 256;

pub(crate) const EVENT: u8 = b'e';
pub(crate) const LIVE_RUN: u8 = b'q';
pub(crate) const ENDED_RUN: u8 = b'r';
pub(crate) const ASIDE: u8 = b'l';
pub(crate) const SCHEDULE: u8 = b's';
pub(crate) const REMOVED_SCHEDULE: u8 = b't';
pub(crate) const PLUGIN: u8 = b'p';
pub(crate) const PLUGIN_COMMAND: u8 = b'i';
pub(crate) const HOLD: u8 = b'h';
pub(crate) const SEARCH: u8 = b'f';
pub(crate) const KV: u8 = b'k';
pub(crate) const BODY: u8 = b'b';
pub(crate) const DEDUPE: u8 = b'd';
pub(crate) const DETAIL: u8 = b'a';
pub(crate) const UNIQUE: u8 = b'y';
pub(crate) const MADE_BY: u8 = b'z';
pub(crate) const UNROUTED: u8 = b'o';
pub(crate) const SUPPRESSED: u8 = b'w';
pub(crate) const SUPPRESSED_OF: u8 = b'v';
pub(crate) const TOKEN: u8 = b'T';
pub(crate) const SESSION: u8 = b'S';
pub(crate) const AUDIT: u8 = b'A';
pub(crate) const CHUNK: u8 = b'c';

pub(crate) const COUNTS: &[u8] = b"mcounts";
pub(crate) const BOOT: &[u8] = b"mboot";
pub(crate) const FORMAT: &[u8] = b"mformat";
/// There once every unrouted event has its mark: older releases set none.
pub(crate) const UNROUTED_MARKED: &[u8] = b"munrouted";
/// As that, of runs that have ended and did not succeed.
pub(crate) const ALL_ASIDE: &[u8] = b"maside";

fn with(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(prefix);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(crate) fn event(id: EventId) -> Vec<u8> {
    with(EVENT, &[&id.to_bytes()])
}

pub(crate) fn event_body(id: EventId) -> Vec<u8> {
    with(BODY, &[&id.to_bytes()])
}

pub(crate) fn unrouted(id: EventId) -> Vec<u8> {
    with(UNROUTED, &[&id.to_bytes()])
}

pub(crate) fn suppressed(id: EventId) -> Vec<u8> {
    with(SUPPRESSED, &[&id.to_bytes()])
}

/// By the event that it repeats and the body that it has.
pub(crate) fn suppressed_of(first: &[u8; 16], fingerprint: &[u8; 16]) -> Vec<u8> {
    with(SUPPRESSED_OF, &[first, fingerprint])
}

pub(crate) fn all_suppressed_of(first: &[u8; 16]) -> Vec<u8> {
    with(SUPPRESSED_OF, &[first])
}

pub(crate) fn dedupe(hash: &[u8; 32]) -> Vec<u8> {
    with(DEDUPE, &[hash])
}

pub(crate) fn denials(plugin: &PluginName) -> Vec<u8> {
    with(b'g', &[plugin.as_str().as_bytes()])
}

pub(crate) fn live_run(id: RunId) -> Vec<u8> {
    with(LIVE_RUN, &[&id.to_bytes()])
}

pub(crate) fn ended_run(id: RunId) -> Vec<u8> {
    with(ENDED_RUN, &[&id.to_bytes()])
}

/// Marks a run that has ended and did not succeed: there are few of them among many.
pub(crate) fn aside(id: RunId) -> Vec<u8> {
    with(ASIDE, &[&id.to_bytes()])
}

pub(crate) fn attempt_detail(id: RunId, number: u32) -> Vec<u8> {
    with(DETAIL, &[&id.to_bytes(), &number.to_be_bytes()])
}

pub(crate) fn job(id: JobId) -> Vec<u8> {
    with(b'j', &[&id.to_bytes()])
}

pub(crate) fn replay(event: EventId, run: RunId) -> Vec<u8> {
    with(b'x', &[&event.to_bytes(), &run.to_bytes()])
}

pub(crate) fn replays(event: EventId) -> Vec<u8> {
    with(b'x', &[&event.to_bytes()])
}

/// Marks a run that an attempt of another has asked for.
pub(crate) fn made_by(maker: RunId, run: RunId) -> Vec<u8> {
    with(MADE_BY, &[&maker.to_bytes(), &run.to_bytes()])
}

pub(crate) fn all_made_by(maker: RunId) -> Vec<u8> {
    with(MADE_BY, &[&maker.to_bytes()])
}

pub(crate) fn unique_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

pub(crate) fn unique(target: &HandlerRef, hash: &[u8; 32]) -> Vec<u8> {
    with(UNIQUE, &[target.plugin.as_str().as_bytes(), &[0], target.handler.as_str().as_bytes(), &[0], hash])
}

pub(crate) fn schedule(name: &ScheduleName) -> Vec<u8> {
    with(SCHEDULE, &[name.as_str().as_bytes()])
}

pub(crate) fn removed_schedule(name: &ScheduleName) -> Vec<u8> {
    with(REMOVED_SCHEDULE, &[name.as_str().as_bytes()])
}

pub(crate) fn plugin(name: &PluginName) -> Vec<u8> {
    with(PLUGIN, &[name.as_str().as_bytes()])
}

pub(crate) fn plugin_command(name: &PluginName) -> Vec<u8> {
    with(PLUGIN_COMMAND, &[name.as_str().as_bytes()])
}

pub(crate) fn hold(held: &Held) -> Vec<u8> {
    with(HOLD, &[held.to_string().as_bytes()])
}

/// By the hash of its idempotency key.
pub(crate) fn request(hash: &[u8; 32]) -> Vec<u8> {
    with(b'n', &[b"k", hash])
}

pub(crate) fn request_number(number: u64) -> Vec<u8> {
    with(b'n', &[b"n", &number.to_be_bytes()])
}

pub(crate) fn all_request_numbers() -> Vec<u8> {
    with(b'n', &[b"n"])
}

pub(crate) fn token(name: &TokenName) -> Vec<u8> {
    with(TOKEN, &[name.as_str().as_bytes()])
}

pub(crate) fn session(hash: &SecretHash) -> Vec<u8> {
    with(SESSION, &[hash.as_bytes()])
}

pub(crate) fn audit(number: u64) -> Vec<u8> {
    with(AUDIT, &[&number.to_be_bytes()])
}

pub(crate) fn audit_number(key: &[u8]) -> Option<u64> {
    key.get(1..9)?.try_into().ok().map(u64::from_be_bytes)
}

pub(crate) fn search(name: &str) -> Vec<u8> {
    with(SEARCH, &[name.as_bytes()])
}

pub(crate) fn kv(plugin: &PluginName, key: &str) -> Vec<u8> {
    with(KV, &[plugin.as_str().as_bytes(), &[0], key.as_bytes()])
}

/// The key in a plugin's own store that a row of the tree is for.
pub(crate) fn kv_name<'a>(plugin: &PluginName, key: &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(key.get(plugin.as_str().len() + 2..)?).ok()
}

pub(crate) fn kv_used(plugin: &PluginName) -> Vec<u8> {
    with(b'u', &[plugin.as_str().as_bytes()])
}

pub(crate) fn chunk(key: &[u8], number: u32) -> Vec<u8> {
    with(CHUNK, &[key, &number.to_be_bytes()])
}

/// The first key after all that begin with `prefix`.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; KEY_BYTES_MAX]
}

/// The id at the end of a key with a prefix of one byte.
pub(crate) fn id_of(key: &[u8]) -> Option<[u8; 16]> {
    key.get(1..17)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_core::effects::KV_KEY_BYTES_MAX;
    use hookbox_core::name::{HandlerName, NAME_BYTES_MAX};

    #[test]
    fn the_longest_key_fits() {
        let name = "n".repeat(NAME_BYTES_MAX);
        let plugin = PluginName::parse(&name).unwrap();
        let target = HandlerRef { plugin: plugin.clone(), handler: HandlerName::parse(&name).unwrap() };
        for key in [
            kv(&plugin, &"k".repeat(KV_KEY_BYTES_MAX)),
            unique(&target, &[0; 32]),
            schedule(&ScheduleName::of(&target)),
        ] {
            assert!(chunk(&key, 0).len() <= KEY_BYTES_MAX);
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_its_keys() {
        assert_eq!(end_of(b"ab"), b"ac");
        assert_eq!(end_of(&[b'a', 255]), b"b");
        assert!(end_of(b"k").as_slice() > [b"k".as_slice(), &[255; 20]].concat().as_slice());
    }
}
