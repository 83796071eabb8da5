//! Requests at the seam: wasmtime makes one of what the guest has put together, and it is handed on from here.

use std::time::Duration;

use hookbox_core::host_call::CallKind;
use http::Request;
use serde::{Deserialize, Serialize};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks};

use super::answer::{Headers, headers};
use super::{Carried, HostCall, Passage};
use crate::egress::{Answering, Sender};
use crate::guest::Guest;

/// The version that wasmtime links; a guest of another 0.2 is led to it.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

const SEND: HostCall = HostCall { kind: CallKind::Request, name: "outgoing-handler.handle" };

type Begun = Result<Resource<HostFutureIncomingResponse>, ErrorCode>;

/// What a guest asks another server. What is answered passes [later](super::answer).
#[derive(Serialize, Deserialize)]
struct Head {
    method: String,
    url: String,
    headers: Headers,
    /// To connect, to the first byte, and between bytes.
    times: [Option<Duration>; 3],
}

impl Carried for Head {
    fn bytes(&self) -> usize {
        0
    }
}

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
        self.went_on(SEND);
        self.passage.limit(SEND, self.meter.limits().calls as u64)?;
        let mut passing = Passing { sender: &mut self.sender, passage: &mut self.passage, passed: None };
        let mut http = WasiHttpCtxView { hooks: &mut passing, table: &mut self.table, ctx: &mut self.http };
        let begun = http.handle(request, options);
        match passing.passed {
            Some(passed) => self.passage.leave(SEND, passed)?,
            // It was no request.
            None => self.passage.count(SEND, 0),
        }
        match begun {
            Ok(begun) => Ok(Ok(begun)),
            Err(error) => error.downcast().map(Err),
        }
    }
}

/// A request on its way from wasmtime to its sender.
struct Passing<'a> {
    sender: &'a mut Sender,
    passage: &'a mut Passage,
    passed: Option<wasmtime::Result<()>>,
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
        let (method, url) = (request.method().to_string(), request.uri().to_string());
        let times = options.unwrap_or_default();
        let times = [times.connect_timeout, times.first_byte_timeout, times.between_bytes_timeout];
        let kept = self.passage.enter(SEND, &Head { method, url, headers: headers(request.headers()), times });
        // A journal that replays has what came of it.
        let replays = kept.is_some();
        self.passed = Some(kept.unwrap_or(Ok(())));
        match replays {
            true => Box::new(std::future::pending()),
            false => self.sender.send_request(request, options, sent),
        }
    }
}
