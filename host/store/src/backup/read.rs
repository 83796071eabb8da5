//! Reads a backup, and believes nothing that its digests do not confirm.

use std::io::{self, Read};

use super::frame::{Chain, DIGEST_BYTES, Payload};
use super::write::SUFFIXES;
use super::{BackupError, FILE_BYTES_MAX, FIRST_LINE, Head, PAYLOAD_BYTES_MAX};
use crate::snapshot::Row;

/// What a whole backup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub head: Head,
    /// Rows as they stand there, those that later ones replace or remove, too.
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
}

/// Reads all of a backup.
pub fn check(file: impl Read) -> Result<Contents, BackupError> {
    let mut reader = Reader::new(file)?;
    while reader.next()?.is_some() {}
    Ok(reader.contents())
}

/// One part of a backup, confirmed.
pub(crate) enum Part {
    Rows(Vec<Row>),
    /// Its name is a folder's and a file's.
    File(String),
    /// Of the file before.
    Bytes(Vec<u8>),
}

pub(crate) struct Reader<R> {
    from: R,
    chain: Chain,
    head: Head,
    rows: u64,
    files: u64,
    bytes: u64,
    /// Bytes that the file at hand still has to have.
    missing: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(mut from: R) -> Result<Reader<R>, BackupError> {
        let mut first = [0; FIRST_LINE.len()];
        let begins = from.read_exact(&mut first);
        if begins.is_err() || first != FIRST_LINE {
            return Err(match first.starts_with(b"hookbox backup ") {
                true => BackupError::Refused("a later release wrote this backup: restore it with that one".to_owned()),
                false => BackupError::Broken("it does not begin as one".to_owned()),
            });
        }
        let head = Head { release: String::new(), format: 0, at: 0 };
        let bytes = first.len() as u64;
        let chain = Chain::new();
        let mut reader = Reader { from, chain, head, rows: 0, files: 0, bytes, missing: 0, ended: false };
        match reader.payload()? {
            Payload::Head(head) => reader.head = head,
            _ => return Err(broken("it has no head")),
        }
        Ok(reader)
    }

    /// The next part; nothing once its end has been read, and nothing is behind it.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, BackupError> {
        if self.ended {
            return Ok(None);
        }
        let payload = self.payload()?;
        if self.missing > 0 && !matches!(payload, Payload::FilePart(_)) {
            return Err(broken("a file in it is cut off"));
        }
        match payload {
            Payload::Head(_) => Err(broken("it has two heads")),
            Payload::Rows(rows) => {
                self.rows += rows.len() as u64;
                Ok(Some(Part::Rows(rows)))
            }
            Payload::File { name, bytes } => {
                if !is_good(&name) || bytes > FILE_BYTES_MAX {
                    return Err(broken("it has a file that no host would write"));
                }
                self.files += 1;
                self.missing = bytes;
                Ok(Some(Part::File(name)))
            }
            Payload::FilePart(part) => {
                let left = self.missing.checked_sub(part.len() as u64);
                self.missing = left.ok_or_else(|| broken("a file in it is longer than it says"))?;
                Ok(Some(Part::Bytes(part)))
            }
            Payload::End { rows, files } => {
                if (rows, files) != (self.rows, self.files) || self.from.read(&mut [0]).map_err(unreadable)? > 0 {
                    return Err(broken("it does not end as one"));
                }
                self.ended = true;
                Ok(None)
            }
        }
    }

    pub(crate) fn contents(self) -> Contents {
        Contents { head: self.head, rows: self.rows, files: self.files, bytes: self.bytes }
    }

    fn payload(&mut self) -> Result<Payload, BackupError> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(broken("a part of it was changed"));
        }
        let mut payload = vec![0; bytes];
        self.fill(&mut payload)?;
        let mut digest = [0; DIGEST_BYTES];
        self.fill(&mut digest)?;
        if self.chain.next(length, &payload) != digest {
            return Err(broken("a part of it was changed"));
        }
        self.bytes += (length.len() + payload.len() + digest.len()) as u64;
        postcard::from_bytes(&payload).map_err(|_| {
            BackupError::Refused("a later release wrote a part of this backup: restore it with that one".to_owned())
        })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => broken("it is cut off"),
            _ => unreadable(error),
        })
    }
}

fn unreadable(error: io::Error) -> BackupError {
    BackupError::File("read it".to_owned(), error)
}

fn broken(why: &str) -> BackupError {
    BackupError::Broken(why.to_owned())
}

/// A folder that a host has, and a name that leads nowhere else.
pub(super) fn is_good(name: &str) -> bool {
    let Some((folder, file)) = name.split_once('/') else { return false };
    let stem = SUFFIXES.iter().find_map(|suffix| file.strip_suffix(suffix)).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    ["versions", "plugins"].contains(&folder) && !stem.is_empty() && !file.starts_with('.') && file.chars().all(plain)
}
