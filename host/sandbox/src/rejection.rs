//! Why a file does not become a version.

use std::borrow::Cow;

use hookbox_core::limits::{COMPONENT_BYTES_MAX, DESCRIBE_TIMEOUT};
use hookbox_core::plugin::BadDescription;

use crate::prepare::DESCRIBE_CPU;

/// Nothing was changed: the version that served goes on serving. Each message names its cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("it is {bytes} bytes, at most {COMPONENT_BYTES_MAX}: build it in release mode and strip it")]
    TooLarge { bytes: u64 },
    #[error("it is no WebAssembly: build a component, such as with --target wasm32-wasip2")]
    NotWasm,
    #[error(
        "it is a core module, not a component: build it with --target wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    #[error("it is a broken component: {0}; build it anew")]
    Invalid(String),
    #[error("it imports {import}, which is not served: {cure}")]
    UnservedImport { import: String, cure: Cow<'static, str> },
    #[error("it does not export hookbox:plugin/guest@0.1.0{}: {cure}", found.as_ref().map(|name| format!(" but {name}")).unwrap_or_default())]
    NotAPlugin { found: Option<String>, cure: &'static str },
    #[error("describe() failed: {0}")]
    DescribeTrapped(String),
    #[error(
        "describe() did not answer within {DESCRIBE_TIMEOUT}, or used more than {DESCRIBE_CPU} of CPU time: it must only say \
         what the plugin is"
    )]
    DescribeTimedOut,
    #[error("it needs more than its {} MiB of memory to start: raise plugins.NAME.limits.memory in hooks.yaml", limit >> 20)]
    OutOfMemory { limit: u64 },
    #[error("it needs more than a plugin may have: {0}")]
    DoesNotFit(String),
    #[error("plugins.NAME.limits.{0}")]
    LimitTooHigh(String),
    #[error("{0}")]
    BadDescription(#[from] BadDescription),
    /// The host is at fault, not the file; trying again may help.
    #[error("the host could not try it: {0}")]
    HostBroken(String),
}

impl Rejection {
    /// For machines; never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::TooLarge { .. } => "too-large",
            Rejection::NotWasm => "not-wasm",
            Rejection::CoreModule => "core-module",
            Rejection::Invalid(_) => "invalid",
            Rejection::UnservedImport { .. } => "unserved-import",
            Rejection::NotAPlugin { .. } => "not-a-plugin",
            Rejection::DescribeTrapped(_) => "describe-trapped",
            Rejection::DescribeTimedOut => "describe-timed-out",
            Rejection::OutOfMemory { .. } => "out-of-memory",
            Rejection::DoesNotFit(_) => "does-not-fit",
            Rejection::LimitTooHigh(_) => "limit-too-high",
            Rejection::BadDescription(_) => "bad-description",
            Rejection::HostBroken(_) => "host-broken",
        }
    }
}
