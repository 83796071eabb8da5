use schemars::JsonSchema;
use serde::Serialize;

use crate::pairing::{Seen, WINDOW};

/// A window that is open. The token itself is never told.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PairingView {
    pub(crate) provider: String,
    pub(crate) opened: String,
    pub(crate) closes: String,
    /// `null` until something has come.
    pub(crate) caught: Option<CaughtView>,
}

#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct CaughtView {
    pub(crate) from: Option<String>,
    pub(crate) begins: String,
    pub(crate) bytes: usize,
}

/// A token that is the provider's secret from here on.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct PairedView {
    pub(crate) provider: String,
    /// Where it was written.
    pub(crate) file: String,
}

/// A window that was closed.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct ClosedView {
    pub(crate) provider: String,
}

impl PairingView {
    pub(crate) fn of(seen: Seen) -> PairingView {
        PairingView {
            provider: seen.provider.to_string(),
            opened: seen.opened.to_string(),
            closes: seen.opened.plus(WINDOW).to_string(),
            caught: seen.caught.map(|caught| CaughtView {
                from: caught.from.map(|from| from.to_string()),
                begins: caught.begins,
                bytes: caught.bytes,
            }),
        }
    }
}
