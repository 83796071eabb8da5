//! What comes of a request, at the seam: whether it is answered yet, with what, and how its bodies end.

use hookbox_core::host_call::CallKind;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Empty};
use serde::{Deserialize, Serialize};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode, HostOutgoingBody as _, IoError};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse};
use wasmtime_wasi_http::{Error, FieldMap};

use super::error_code::Code;
use super::{Carried, HostCall};
use crate::guest::Guest;

/// The version that wasmtime links; a guest of another 0.2 is led to it.
const TYPES: &str = "wasi:http/types@0.2.12";

const ANSWER: HostCall = HostCall { kind: CallKind::Wasi, name: "future-incoming-response.get" };
const TRAILERS: HostCall = HostCall { kind: CallKind::Wasi, name: "future-trailers.get" };
const FINISH: HostCall = HostCall { kind: CallKind::Wasi, name: "outgoing-body.finish" };
const CODE: HostCall = HostCall { kind: CallKind::Wasi, name: "http-error-code" };

pub(super) type Headers = Vec<(String, Vec<u8>)>;

pub(super) fn headers(headers: &HeaderMap) -> Headers {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// Each was read from a [`HeaderMap`].
fn header_map(headers: Headers) -> wasmtime::Result<HeaderMap> {
    headers
        .into_iter()
        .map(|(name, value)| Ok((name.parse::<HeaderName>()?, HeaderValue::from_bytes(&value)?)))
        .collect()
}

/// All of an answer but its body, which is read through its handle.
#[derive(Serialize, Deserialize)]
struct Head {
    handle: u32,
    status: u16,
    headers: Headers,
}

impl Carried for Head {
    fn bytes(&self) -> usize {
        self.headers.bytes()
    }
}

/// Not yet; only once; why not; and what.
type Told<T, Why> = Option<Result<Result<T, Why>, ()>>;

impl Guest {
    /// Puts the seam in the place of wasmtime's own functions.
    pub(crate) fn link_answers(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let mut types = linker.instance(TYPES)?;
        types.func_wrap(
            "[method]future-incoming-response.get",
            |mut store: StoreContextMut<'_, Guest>, (future,): (Resource<HostFutureIncomingResponse>,)| {
                Ok((store.data_mut().answer(&future)?,))
            },
        )?;
        types.func_wrap(
            "[method]future-trailers.get",
            |mut store: StoreContextMut<'_, Guest>, (future,): (Resource<HostFutureTrailers>,)| {
                Ok((store.data_mut().trailers(&future)?,))
            },
        )?;
        types.func_wrap(
            "[static]outgoing-body.finish",
            |mut store: StoreContextMut<'_, Guest>,
             (body, trailers): (Resource<HostOutgoingBody>, Option<Resource<FieldMap>>)| {
                Ok((store.data_mut().finish(&body, trailers.as_ref())?,))
            },
        )?;
        types.func_wrap("http-error-code", |mut store: StoreContextMut<'_, Guest>, (error,): (Resource<IoError>,)| {
            Ok((store.data_mut().code(&error)?,))
        })
    }

    fn answer(
        &mut self,
        future: &Resource<HostFutureIncomingResponse>,
    ) -> wasmtime::Result<Told<Resource<HostIncomingResponse>, ErrorCode>> {
        let told: Told<Head, Code> = self.read(ANSWER, future.rep(), |mut around, future| {
            let told = types::HostFutureIncomingResponse::get(&mut around.http(), Resource::new_borrow(future))?;
            carried(told, |response| {
                let held = around.table.get(&response)?;
                Ok(Head { handle: response.rep(), status: held.status, headers: headers(&held.headers) })
            })
        })?;
        given(told, |head| {
            let response = Resource::new_own(head.handle);
            if self.table.get(&response).is_ok() {
                return Ok(response);
            }
            // A journal has told of an answer that never came here.
            let headers = FieldMap::new_immutable(&mut self.sender, header_map(head.headers)?);
            let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
            let body = Some(HostIncomingBody::new(body));
            Ok(self.table.push(HostIncomingResponse { status: head.status, headers, body })?)
        })
    }

    fn trailers(
        &mut self,
        future: &Resource<HostFutureTrailers>,
    ) -> wasmtime::Result<Told<Option<Resource<FieldMap>>, ErrorCode>> {
        let told: Told<Option<(u32, Headers)>, Code> = self.read(TRAILERS, future.rep(), |mut around, future| {
            let told = types::HostFutureTrailers::get(&mut around.http(), Resource::new_borrow(future))?;
            carried(told, |trailers| {
                let Some(trailers) = trailers else { return Ok(None) };
                Ok(Some((trailers.rep(), headers(around.table.get(&trailers)?))))
            })
        })?;
        given(told, |trailers| {
            let Some((handle, headers)) = trailers else { return Ok(None) };
            let trailers = Resource::new_own(handle);
            if self.table.get(&trailers).is_ok() {
                return Ok(Some(trailers));
            }
            let headers = FieldMap::new_immutable(&mut self.sender, header_map(headers)?);
            Ok(Some(self.table.push(headers)?))
        })
    }

    fn finish(
        &mut self,
        body: &Resource<HostOutgoingBody>,
        trailers: Option<&Resource<FieldMap>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let handles = (body.rep(), trailers.map(Resource::rep));
        let finished: Result<(), Code> = self.read(FINISH, handles, |mut around, (body, trailers)| {
            let finished = around.http().finish(Resource::new_own(body), trailers.map(Resource::new_own));
            match finished {
                Ok(()) => Ok(Ok(())),
                Err(error) => error.downcast().map(|code| Err(Code(code))),
            }
        })?;
        // It has given both away, also where a journal has told it what came of that.
        drop(self.table.delete(Resource::<HostOutgoingBody>::new_own(body.rep())));
        if let Some(trailers) = trailers {
            drop(self.table.delete(Resource::<FieldMap>::new_own(trailers.rep())));
        }
        Ok(finished.map_err(|Code(code)| code))
    }

    fn code(&mut self, error: &Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        let told = self.read(CODE, error.rep(), |around, error| {
            Ok(code_of(around.table.get(&Resource::<IoError>::new_borrow(error))?).map(Code))
        })?;
        Ok(told.map(|Code(code)| code))
    }
}

/// Why a body is broken off, where it is one of a request. wasmtime looks for another type than it has put there.
fn code_of(error: &IoError) -> Option<ErrorCode> {
    if let Some(code) = error.downcast_ref::<ErrorCode>() {
        return Some(code.clone());
    }
    Some(match error.downcast_ref::<Error>()? {
        Error::HttpResponseBodySize(most) => ErrorCode::HttpResponseBodySize(*most),
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        _ => ErrorCode::HttpProtocolError,
    })
}

fn carried<Held, T>(
    told: Told<Held, ErrorCode>,
    what: impl FnOnce(Held) -> wasmtime::Result<T>,
) -> wasmtime::Result<Told<T, Code>> {
    Ok(match told {
        None => None,
        Some(Err(())) => Some(Err(())),
        Some(Ok(Err(code))) => Some(Ok(Err(Code(code)))),
        Some(Ok(Ok(held))) => Some(Ok(Ok(what(held)?))),
    })
}

fn given<T, Held>(
    told: Told<T, Code>,
    what: impl FnOnce(T) -> wasmtime::Result<Held>,
) -> wasmtime::Result<Told<Held, ErrorCode>> {
    Ok(match told {
        None => None,
        Some(Err(())) => Some(Err(())),
        Some(Ok(Err(Code(code)))) => Some(Ok(Err(code))),
        Some(Ok(Ok(told))) => Some(Ok(Ok(what(told)?))),
    })
}
