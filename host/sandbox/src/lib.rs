//! Runs plugins: WebAssembly components from hands that nobody vouches for.
//!
//! [`Sandbox::prepare`] turns a file's bytes into a [`Version`]: checked,
//! compiled (or loaded from the cache of compiled code) and described.
//! [`Sandbox::activate`] makes it the one that new attempts run on.
//! [`Sandbox::execute`] runs one attempt in a fresh instance that sees nothing
//! of the host but clocks, random numbers, and the interfaces of the
//! contract in `wit/`, and that is stopped by three limits: wall time (outside,
//! by the runtime's timer, because a guest that waits in the host does not
//! tick), CPU time (that of its thread while it is polled, in the guest and in
//! what the host does for it) and memory (all its memories together).
//!
//! What a guest does wrong is an outcome. What it writes, enqueues and emits
//! comes back as effects, for somebody else to commit. [`Folder`] watches a
//! folder and proposes; it decides nothing.
//!
//! This crate never sees the Store, a request or a schedule.

mod bindings;
mod cache;
mod capability;
mod cpu;
mod denied;
mod egress;
mod engine;
mod execute;
mod folder;
mod guest;
mod logbook;
mod meter;
mod outcome;
mod plugin_kv;
mod prepare;
mod rejection;
mod sandbox;
mod seam;
mod stdio;
mod text;
mod version;

pub use egress::{Resolve, SystemResolver};
pub use folder::{Again, Folder, FolderEvent, PluginFile};
pub use plugin_kv::{KvUnavailable, MemoryKv, NotANumber, PluginKv};
pub use rejection::Rejection;
pub use sandbox::{Sandbox, SandboxError, SandboxOptions};
pub use version::{Compiled, Version};
