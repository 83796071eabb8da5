//! Backups: everything that a host needs to go on elsewhere, in one file.
//!
//! A file begins with a line that says what it is and in which version, and goes on
//! with frames: the length of the payload, the payload, and a SHA-256 of the digest
//! before it with both. So a frame that was changed, moved, or is missing is noticed,
//! and a file without its last frame is none. The payloads are, in this order: the
//! head; rows of the store, later ones over earlier ones; files, each with its parts;
//! and the end, with what was counted.

mod frame;
mod read;
mod write;

use std::io;

use hookbox_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

pub use read::{Contents, check};
pub(crate) use read::{Part, Reader};
pub use write::{Backup, Folder};

/// The first line of a file; its number is the version of what follows.
const FIRST_LINE: &[u8] = b"hookbox backup 1\n";
/// Of a payload: rows are split so that they fit, and nothing larger is read.
const PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// Bytes of files that a frame has.
const FILE_PART_BYTES: usize = 1 << 20;
/// Of one file.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Why a file could not be read or taken over.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("cannot {0}: {1}")]
    File(String, #[source] io::Error),
    /// It is not what was written, or not all of it.
    #[error("it is no whole backup: {0}")]
    Broken(String),
    /// The place where it is to go is not free, or this release does not know it.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// What a backup is, at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The release that wrote it.
    pub release: String,
    /// The layout of the rows.
    pub format: u32,
    /// When it was begun, in milliseconds since 1970.
    pub at: u64,
}

impl Head {
    pub fn time(&self) -> Timestamp {
        Timestamp(self.at)
    }
}
