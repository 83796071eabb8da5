//! `wasi:random`. The generators are wasmtime's, and so is the bound on what one call may ask for.

use hookbox_core::host_call::CallKind;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use crate::guest::Guest;
use crate::seam::HostCall;

const BYTES: HostCall = HostCall { kind: CallKind::Random, name: "random.get-random-bytes" };
const NUMBER: HostCall = HostCall { kind: CallKind::Random, name: "random.get-random-u64" };
const INSECURE_BYTES: HostCall = HostCall { kind: CallKind::Random, name: "insecure.get-insecure-random-bytes" };
const INSECURE_NUMBER: HostCall = HostCall { kind: CallKind::Random, name: "insecure.get-insecure-random-u64" };
const SEED: HostCall = HostCall { kind: CallKind::Random, name: "insecure-seed.insecure-seed" };

/// Puts the seam in the place of wasmtime's own functions.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    random::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    insecure::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    insecure_seed::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

impl random::Host for Guest {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.read(BYTES, len, |around, len| around.wasi.random().get_random_bytes(len))
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.read(NUMBER, (), |around, ()| around.wasi.random().get_random_u64())
    }
}

impl insecure::Host for Guest {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.read(INSECURE_BYTES, len, |around, len| around.wasi.random().get_insecure_random_bytes(len))
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.read(INSECURE_NUMBER, (), |around, ()| around.wasi.random().get_insecure_random_u64())
    }
}

impl insecure_seed::Host for Guest {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        self.read(SEED, (), |around, ()| around.wasi.random().insecure_seed())
    }
}
