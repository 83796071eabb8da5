//! One frame: its payload, and the chain of digests.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FIRST_LINE, Head};
use crate::snapshot::Row;

pub(super) const DIGEST_BYTES: usize = 32;

/// What a frame carries, in postcard's form. A new kind is added at the end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Payload {
    Head(Head),
    Rows(Vec<Row>),
    /// Its parts follow.
    File {
        name: String,
        bytes: u64,
    },
    FilePart(#[serde(with = "crate::codec::bytes")] Vec<u8>),
    End {
        rows: u64,
        files: u64,
    },
}

/// The digest of everything so far.
pub(super) struct Chain([u8; DIGEST_BYTES]);

impl Chain {
    /// After the first line.
    pub(super) fn new() -> Chain {
        Chain(Sha256::digest(FIRST_LINE).into())
    }

    /// The digest that stands behind this payload.
    pub(super) fn next(&mut self, length: [u8; 4], payload: &[u8]) -> [u8; DIGEST_BYTES] {
        let digest = Sha256::new().chain_update(self.0).chain_update(length).chain_update(payload).finalize();
        self.0 = digest.into();
        self.0
    }
}
