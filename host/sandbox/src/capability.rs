//! What a guest may ask of hookbox: one file for each interface of the
//! contract, and below `drafts` the interfaces of others that lead to the same.
//! Every call passes the [`seam`](crate::seam).

mod clocks;
mod config;
pub(crate) mod drafts;
mod kv;
mod log;
mod overlay;
mod poll;
mod queue;
mod random;
mod streams;

use std::sync::Arc;

use hookbox_core::attempt::Call;
use hookbox_core::effects::Effects;
use hookbox_core::transaction::Transaction;
use wasmtime::component::{Linker, Resource};

use crate::bindings::hookbox::plugin::types;
use crate::denied::DeniedBook;
use crate::guest::Guest;
use crate::logbook::LogBook;
use crate::plugin_kv::PluginKv;
use crate::version::{Active, Version};

pub(crate) use overlay::Overlay;
pub(crate) use queue::Outbox;

/// Puts the seam in the place of wasmtime's own functions, wherever these can tell one run from another.
pub(crate) fn link_surroundings(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    clocks::link(linker)?;
    random::link(linker)?;
    poll::link(linker)?;
    streams::link(linker)
}

/// A handle that has passed the seam as its number.
fn borrowed<T: 'static>(handle: u32) -> Resource<T> {
    Resource::new_borrow(handle)
}

/// What one attempt can reach of its host.
pub(crate) struct Capabilities {
    version: Arc<Version>,
    /// Where jobs for others are looked up.
    active: Arc<Active>,
    kv: Overlay,
    queue: Outbox,
    log: LogBook,
    denied: DeniedBook,
    handles: drafts::Handles,
}

impl Capabilities {
    pub(crate) fn new(
        version: Arc<Version>,
        active: Arc<Active>,
        call: &Call,
        kv: Arc<dyn PluginKv>,
        log: LogBook,
        denied: DeniedBook,
    ) -> Capabilities {
        let settings = version.settings();
        let transaction = Transaction::new(settings.kv_bytes, settings.limits.kv_data_bytes as u64);
        let kv = Overlay::new(kv, version.info.name.clone(), transaction);
        let (queue, handles) = (Outbox::new(call), drafts::Handles::default());
        Capabilities { version, active, kv, queue, log, denied, handles }
    }

    pub(crate) fn into_effects(self) -> Effects {
        let (reads, scans, writes) = self.kv.into_parts();
        let (jobs, events) = self.queue.into_parts();
        Effects { reads, scans, writes, jobs, events }
    }
}

impl types::Host for Guest {}
