//! `wasi:io/poll`. The waiting is wasmtime's; which of several things was ready first passes the seam.

use hookbox_core::host_call::CallKind;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll;

use super::borrowed;
use crate::guest::Guest;
use crate::seam::HostCall;

const POLL: HostCall = HostCall { kind: CallKind::Wasi, name: "poll.poll" };
const BLOCK: HostCall = HostCall { kind: CallKind::Wasi, name: "pollable.block" };
const READY: HostCall = HostCall { kind: CallKind::Wasi, name: "pollable.ready" };

/// Puts the seam in the place of wasmtime's own functions.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    poll::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

impl poll::Host for Guest {
    async fn poll(&mut self, waited_for: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let handles: Vec<u32> = waited_for.iter().map(Resource::rep).collect();
        let polling = self.wait(POLL, handles, |around, handles| {
            let waited_for = handles.into_iter().map(borrowed).collect();
            Box::pin(async move { poll::Host::poll(around.table, waited_for).await })
        });
        polling.await
    }
}

impl poll::HostPollable for Guest {
    async fn block(&mut self, waited_for: Resource<DynPollable>) -> wasmtime::Result<()> {
        let blocking = self.wait(BLOCK, waited_for.rep(), |around, handle| {
            Box::pin(async move { poll::HostPollable::block(around.table, borrowed(handle)).await })
        });
        blocking.await
    }

    async fn ready(&mut self, asked_of: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let looking = self.wait(READY, asked_of.rep(), |around, handle| {
            Box::pin(async move { poll::HostPollable::ready(around.table, borrowed(handle)).await })
        });
        looking.await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(self.ctx().table, pollable)
    }
}
