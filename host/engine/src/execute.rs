//! The seam to whatever executes plugins.

use std::sync::Arc;

use async_trait::async_trait;
use hookbox_core::attempt::{Call, Executed};
use hookbox_core::name::HandlerRef;

/// Executes handlers: the sandbox, or a script in a test.
#[async_trait]
pub trait Execute: Send + Sync + 'static {
    /// Handlers that can be executed at this moment.
    fn handlers(&self) -> Arc<[HandlerRef]>;

    /// Runs one attempt. A fault of the guest is an outcome; an error is ours. Dropping the future stops the guest.
    async fn execute(&self, call: Call) -> Result<Executed, ExecuteError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The handler went away between the claim and the call: the run waits for it.
    #[error("the handler is gone")]
    NoSuchHandler,
    /// The host could not execute it: counts as an attempt, else a run that breaks its host loops for ever.
    #[error("the host failed: {0}")]
    Broken(String),
}
