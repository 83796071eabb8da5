//! Values of any size in a tree whose values are small.
//!
//! sled puts large pages into blob files, which it never syncs. So no value is
//! over [`VALUE_BYTES_MAX`]: a larger one is a head and numbered chunks, written
//! in the same batch. Head and chunks carry the same number, so that a reader
//! that is overtaken by a writer notices.

use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Overlay, Read};

/// With the longest key, 256 of them in a page stay clear of a blob.
pub(crate) const VALUE_BYTES_MAX: usize = 4096;
/// A value altogether; the largest body and the largest result fit.
pub(crate) const TOTAL_BYTES_MAX: usize = 64 << 20;

const WHOLE: u8 = 0;
const HEAD: u8 = 1;
const CHUNK_BYTES: usize = VALUE_BYTES_MAX - 4;
/// A reader that is overtaken so often gives up.
const READ_TRIES: usize = 16;

/// Writes a key that is not there.
pub(crate) fn insert(tree: &mut Overlay<'_>, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
    if value.len() < VALUE_BYTES_MAX {
        tree.put(key, [&[WHOLE], value].concat());
        return Ok(());
    }
    if value.len() > TOTAL_BYTES_MAX {
        let length = value.len();
        return Err(StoreError::Conflict(format!("a row has {length} bytes, the limit is {TOTAL_BYTES_MAX}")));
    }
    let number = chunk_number(value);
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    for (n, part) in (0u32..).zip(value.chunks(CHUNK_BYTES)) {
        tree.put(keys::chunk(&key, n), [&number.to_be_bytes(), part].concat());
    }
    tree.put(key, [&[HEAD][..], &number.to_be_bytes(), &length.to_be_bytes()].concat());
    Ok(())
}

/// Writes a key that may be there, and removes the chunks it had.
pub(crate) fn replace(tree: &mut Overlay<'_>, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
    if let Some((_, length)) = tree.get(&key)?.as_deref().and_then(head) {
        remove_chunks(tree, &key, length);
    }
    insert(tree, key, value)
}

/// As [`replace`], for a key whose value was read since: `old` is its length. It is not read again.
pub(crate) fn overwrite(tree: &mut Overlay<'_>, key: Vec<u8>, old: usize, value: &[u8]) -> Result<(), StoreError> {
    if old >= VALUE_BYTES_MAX {
        remove_chunks(tree, &key, old);
    }
    insert(tree, key, value)
}

/// Removes a key and its chunks. True if it was there.
pub(crate) fn remove(tree: &mut Overlay<'_>, key: Vec<u8>) -> Result<bool, StoreError> {
    let old = tree.get(&key)?;
    if let Some((_, length)) = old.as_deref().and_then(head) {
        remove_chunks(tree, &key, length);
    }
    if old.is_some() {
        tree.delete(key);
    }
    Ok(old.is_some())
}

/// As [`remove`], for a key whose value was read since: `old` is its length. It is not read again.
pub(crate) fn erase(tree: &mut Overlay<'_>, key: Vec<u8>, old: usize) {
    if old >= VALUE_BYTES_MAX {
        remove_chunks(tree, &key, old);
    }
    tree.delete(key);
}

fn remove_chunks(tree: &mut Overlay<'_>, key: &[u8], length: usize) {
    for n in 0..length.div_ceil(CHUNK_BYTES) {
        tree.delete(keys::chunk(key, u32::try_from(n).unwrap_or(u32::MAX)));
    }
}

pub(crate) fn get(tree: &dyn Read, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    for _ in 0..READ_TRIES {
        match tree.get(key)? {
            None => return Ok(None),
            Some(mut stored) if stored.first() == Some(&WHOLE) => {
                stored.remove(0);
                return Ok(Some(stored));
            }
            Some(stored) => {
                if let Some(value) = open(tree, key, &stored)? {
                    return Ok(Some(value));
                }
            }
        }
    }
    Err(StoreError::Corrupt(format!("the parts of {} do not fit together", shown(key))))
}

/// The value of a row that a scan showed. Nothing where it changed meanwhile.
pub(crate) fn open(tree: &dyn Read, key: &[u8], stored: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if let Some(value) = whole(stored) {
        return Ok(Some(value.to_vec()));
    }
    let Some((number, length)) = head(stored) else {
        return Err(StoreError::Corrupt(format!("{} has no head", shown(key))));
    };
    let mut value = Vec::with_capacity(length);
    for n in 0..length.div_ceil(CHUNK_BYTES) {
        let chunk = tree.get(&keys::chunk(key, u32::try_from(n).unwrap_or(u32::MAX)))?;
        match chunk.as_deref().and_then(|chunk| chunk.split_first_chunk::<4>()) {
            Some((own, part)) if *own == number => value.extend_from_slice(part),
            _ => return Ok(None),
        }
    }
    Ok((value.len() == length).then_some(value))
}

/// The value of a row that a scan showed, if it is in one piece.
pub(crate) fn whole(stored: &[u8]) -> Option<&[u8]> {
    stored.split_first().filter(|(tag, _)| **tag == WHOLE).map(|(_, value)| value)
}

/// The value of a row that a scan showed, or the newer one where it changed meanwhile. Nothing where it is gone.
pub(crate) fn current(tree: &dyn Read, key: &[u8], stored: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match open(tree, key, stored)? {
        Some(value) => Ok(Some(value)),
        None => get(tree, key),
    }
}

/// The first bytes of the value of a row that a scan showed, or all of them. Nothing where it changed meanwhile.
pub(crate) fn beginning(tree: &dyn Read, key: &[u8], stored: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match head(stored) {
        None => open(tree, key, stored),
        Some((number, _)) => {
            let chunk = tree.get(&keys::chunk(key, 0))?;
            let part = chunk.as_deref().and_then(|chunk| chunk.split_first_chunk::<4>());
            Ok(part.filter(|(own, _)| **own == number).map(|(_, part)| part.to_vec()))
        }
    }
}

/// Whether a chunk belongs to a value that is there.
pub(crate) fn is_in_use(tree: &dyn Read, chunk_key: &[u8], chunk: &[u8]) -> Result<bool, StoreError> {
    let Some((owner, n)) = chunk_key.get(1..).and_then(|rest| rest.split_last_chunk::<4>()) else { return Ok(false) };
    let Some((number, length)) = tree.get(owner)?.as_deref().and_then(head) else { return Ok(false) };
    let n = u32::from_be_bytes(*n) as usize;
    Ok(chunk.starts_with(&number) && n < length.div_ceil(CHUNK_BYTES))
}

fn head(stored: &[u8]) -> Option<([u8; 4], usize)> {
    let (tag, rest) = stored.split_first()?;
    let (number, length) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    (*tag == HEAD && length <= TOTAL_BYTES_MAX).then_some((*number, length))
}

/// Differs when the content does, but for one in four billion: a hash of it, so that no counter has to be kept.
fn chunk_number(value: &[u8]) -> u32 {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(value);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).chars().map(|c| if c.is_control() { '.' } else { c }).take(80).collect()
}
