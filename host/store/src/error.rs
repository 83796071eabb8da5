//! What can go wrong, by what the caller does about it.

/// The cause is told once, in the text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Try again later; for a sender: 503.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The state is not the one that the caller supposed.
    #[error("{0}")]
    Conflict(String),
    #[error("there is no {0}")]
    NotFound(String),
    /// A row does not read as it should; it is left as it is.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}
