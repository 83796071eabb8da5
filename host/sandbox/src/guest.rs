//! What stands behind one guest: an empty WASI, its meter, and what it may ask
//! of hookbox.

use hookbox_core::attempt::LogStream;
use hookbox_core::host_call::{CallKind, Calls, HostCalls};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::capability::Capabilities;
use crate::logbook::LogBook;
use crate::meter::Meter;
use crate::stdio::Stdio;

/// What a guest may hand over in one call: the largest that any call keeps is 256 KiB.
pub(crate) const HOST_CALL_BYTES_MAX: usize = 1 << 20;
/// Streams, pollables and the like that a guest holds at once.
const RESOURCES_MAX: usize = 4096;
/// Random bytes of one call. Python asks for whole buffers.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

pub(crate) struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) meter: Meter,
    pub(crate) access: Access,
    /// What it has asked of its host.
    pub(crate) calls: HostCalls,
    /// Those of them that passed the seam.
    pub(crate) passed: u64,
}

/// What hookbox's own imports do.
pub(crate) enum Access {
    /// `describe()` runs: they trap.
    Refused,
    Granted(Box<Capabilities>),
}

impl Guest {
    /// A store for one guest and one call. It owns everything that the guest can reach.
    pub(crate) fn store(engine: &Engine, meter: Meter, log: LogBook, access: Access) -> Store<Guest> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let wasi = WasiCtx::builder()
            .stdout(Stdio::new(log.clone(), LogStream::Stdout))
            .stderr(Stdio::new(log, LogStream::Stderr))
            .max_random_size(RANDOM_BYTES_MAX)
            // No address is allowed either way; this way no socket is made.
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut store =
            Store::new(engine, Guest { wasi, table, meter, access, calls: HostCalls::default(), passed: 0 });
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(HOST_CALL_BYTES_MAX);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().meter.tick()));
        store
    }

    /// Nothing while `describe()` runs.
    pub(crate) fn into_capabilities(self) -> Option<Capabilities> {
        match self.access {
            Access::Refused => None,
            Access::Granted(capabilities) => Some(*capabilities),
        }
    }
}

impl WasiView for Guest {
    /// Each call of WASI begins here.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.calls.add(CallKind::Wasi, Calls { number: 1, ..Calls::default() });
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
