//! Requests at the seam: wasmtime makes one of what the guest has put together, and it is handed on from here.

use hookbox_core::host_call::CallKind;
use http::Request;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks};

use super::HostCall;
#[cfg(test)]
use super::journal::Journal;
use crate::egress::{Answering, Sender};
use crate::guest::Guest;

/// The version that wasmtime links; a guest of another 0.2 is led to it.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

const SEND: HostCall = HostCall { kind: CallKind::Request, name: "outgoing-handler.handle" };

type Begun = Result<Resource<HostFutureIncomingResponse>, ErrorCode>;

impl Guest {
    /// Puts the seam in the place of wasmtime's own function.
    pub(crate) fn link_requests(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        linker.instance(HANDLER)?.func_wrap(
            "handle",
            |mut store: StoreContextMut<'_, Guest>,
             (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>)| {
                Ok((store.data_mut().send(request, options)?,))
            },
        )
    }

    /// The one way from a guest to another server. The bytes of bodies are counted as they flow.
    fn send(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Begun> {
        self.meter.went_on();
        self.passage.limit(SEND, self.meter.limits().calls as u64)?;
        self.passage.count(SEND, 0);
        let mut passing = Passing {
            sender: &mut self.sender,
            #[cfg(test)]
            journal: self.passage.journal.clone(),
        };
        let mut http = WasiHttpCtxView { hooks: &mut passing, table: &mut self.table, ctx: &mut self.http };
        match http.handle(request, options) {
            Ok(begun) => Ok(Ok(begun)),
            Err(error) => error.downcast().map(Err),
        }
    }
}

/// A request on its way from wasmtime to its sender.
struct Passing<'a> {
    sender: &'a mut Sender,
    #[cfg(test)]
    journal: Option<Journal>,
}

impl WasiHttpHooks for Passing<'_> {
    fn set_host_header(&mut self) -> bool {
        self.sender.set_host_header()
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        sent: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Answering {
        #[cfg(test)]
        if let Some(journal) = &self.journal {
            return journal.send(request, |request| self.sender.send_request(request, options, sent));
        }
        self.sender.send_request(request, options, sent)
    }
}
