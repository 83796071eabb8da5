//! What a guest may ask of hookbox: one file for each interface of the
//! contract. Every call goes through [`Guest::enter`](crate::guest::Guest),
//! which refuses and counts in one place.

mod config;
mod kv;
mod log;
mod overlay;
mod queue;

use std::sync::Arc;

use hookbox_core::attempt::Call;
use hookbox_core::effects::Effects;

use crate::bindings::hookbox::plugin::types;
use crate::denied::DeniedBook;
use crate::guest::Guest;
use crate::plugin_kv::PluginKv;
use crate::version::Version;

pub(crate) use overlay::Overlay;
pub(crate) use queue::Outbox;

pub(crate) struct Capabilities {
    version: Arc<Version>,
    kv: Overlay,
    queue: Outbox,
    denied: DeniedBook,
    calls: usize,
}

impl Capabilities {
    pub(crate) fn new(version: Arc<Version>, call: &Call, kv: Arc<dyn PluginKv>, denied: DeniedBook) -> Capabilities {
        let kv = Overlay::new(kv, version.info.name.clone(), version.settings().kv_bytes);
        Capabilities { queue: Outbox::new(call), version, kv, denied, calls: 0 }
    }

    pub(crate) fn count(&mut self, call: &'static str) -> wasmtime::Result<()> {
        self.calls += 1;
        let max = self.version.settings().limits.calls;
        if self.calls > max {
            return Err(wasmtime::Error::msg(format!(
                "{call}: more than {max} calls of hookbox in one attempt (limits.calls)"
            )));
        }
        Ok(())
    }

    pub(crate) fn into_effects(self) -> Effects {
        let (reads, scans, writes) = self.kv.into_parts();
        let (jobs, events) = self.queue.into_parts();
        Effects { reads, scans, writes, jobs, events }
    }
}

impl types::Host for Guest {}
