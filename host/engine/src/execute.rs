//! The seam to whatever executes plugins.

use std::sync::Arc;

use async_trait::async_trait;
use hookbox_core::attempt::{Call, Executed, Outcome};
use hookbox_core::name::{HandlerRef, PluginName};
use hookbox_core::plugin::Digest;
use tokio::sync::Notify;

/// Executes handlers: the sandbox, or a script in a test.
#[async_trait]
pub trait Execute: Send + Sync + 'static {
    /// Handlers that can be executed at this moment.
    fn handlers(&self) -> Arc<[HandlerRef]>;

    /// Runs one attempt. A fault of the guest is an outcome; an error is ours. Dropping the future stops the guest.
    async fn execute(&self, call: Call) -> Result<Executed, ExecuteError>;

    /// The same, stopped as soon as `interrupt` is told: then the outcome is [`Outcome::Cancelled`], with what the guest
    /// has logged until then.
    async fn execute_until(&self, call: Call, interrupt: Interrupt) -> Result<Executed, ExecuteError> {
        tokio::select! {
            biased;
            executed = self.execute(call) => executed,
            () = interrupt.told() => Ok(Executed::bare(Outcome::Cancelled)),
        }
    }

    /// Told of each attempt whose end was recorded and is the version's own doing. Returns at once.
    fn recorded(&self, _plugin: &PluginName, _version: Digest, _outcome: &Outcome) {}
}

/// Stops one attempt.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<Notify>);

impl Interrupt {
    pub(crate) fn tell(&self) {
        self.0.notify_one();
    }

    /// For the one who stops it.
    pub async fn told(&self) {
        self.0.notified().await;
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The handler went away between the claim and the call: the run waits for it.
    #[error("the handler is gone")]
    NoSuchHandler,
    /// Another version serves than the only one that the call may run on: the attempt is over.
    #[error("another version has come")]
    Replaced,
    /// The host could not execute it: counts as an attempt, else a run that breaks its host loops for ever.
    #[error("the host failed: {0}")]
    Broken(String),
}
