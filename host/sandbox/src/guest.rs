//! What stands behind one guest: an empty WASI, its meter, and what it may ask
//! of hookbox.

use hookbox_core::attempt::LogStream;
use hookbox_core::host_call::{CallKind, Calls};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::capability::Capabilities;
use crate::egress::Sender;
use crate::logbook::LogBook;
use crate::meter::Meter;
use crate::seam::Passage;
use crate::stdio::Stdio;

/// Headers of one request or answer; a guest may hold as many of them as resources.
const FIELDS_BYTES_MAX: usize = 32 << 10;

pub(crate) struct Guest {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) meter: Meter,
    pub(crate) access: Access,
    pub(crate) http: WasiHttpCtx,
    pub(crate) sender: Sender,
    /// What it has asked of its host.
    pub(crate) passage: Passage,
}

/// What hookbox's own imports do.
pub(crate) enum Access {
    /// `describe()` runs: they trap.
    Refused,
    Granted(Box<Capabilities>),
}

/// What the seam leads calls of WASI to.
pub(crate) struct Surroundings<'a> {
    pub(crate) wasi: &'a mut WasiCtx,
    http: &'a mut WasiHttpCtx,
    sender: &'a mut Sender,
    pub(crate) table: &'a mut ResourceTable,
}

impl Surroundings<'_> {
    pub(crate) fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: self.sender, table: self.table, ctx: self.http }
    }
}

impl Guest {
    /// A store for one guest and one call. It owns everything that the guest can reach.
    pub(crate) fn store(engine: &Engine, meter: Meter, log: LogBook, access: Access, sender: Sender) -> Store<Guest> {
        let limits = meter.limits().clone();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let wasi = WasiCtx::builder()
            .stdout(Stdio::new(log.clone(), LogStream::Stdout))
            .stderr(Stdio::new(log, LogStream::Stderr))
            .max_random_size(limits.random_bytes as u64)
            // No address is allowed either way; this way no socket is made.
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let passage = Passage::default();
        let mut store = Store::new(engine, Guest { wasi, table, meter, access, http, sender, passage });
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(limits.call_bytes);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| Ok(context.data().meter.tick()));
        store
    }

    pub(crate) fn surroundings(&mut self) -> Surroundings<'_> {
        Surroundings { wasi: &mut self.wasi, http: &mut self.http, sender: &mut self.sender, table: &mut self.table }
    }

    /// Nothing while `describe()` runs.
    pub(crate) fn into_capabilities(self) -> Option<Capabilities> {
        match self.access {
            Access::Refused => None,
            Access::Granted(capabilities) => Some(*capabilities),
        }
    }
}

impl WasiHttpView for Guest {
    /// What only handles the guest's own things begins here; the rest of `wasi:http` passes the seam.
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.passage.calls.add(CallKind::Wasi, Calls::one());
        WasiHttpCtxView { hooks: &mut self.sender, table: &mut self.table, ctx: &mut self.http }
    }
}

impl WasiView for Guest {
    /// What only handles the guest's own things, or is always empty, begins here; the rest of WASI passes the seam.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.passage.calls.add(CallKind::Wasi, Calls::one());
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
