//! `wasi:io/streams` and `wasi:io/error`. The streams are wasmtime's; what is read from one, and what is said to who
//! writes to one, passes the seam: in what parts the body of an answer arrives is another thing each time.

use hookbox_core::host_call::CallKind;
use serde::{Deserialize, Serialize};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::io::{error, streams};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError, StreamError, StreamResult};

use super::borrowed;
use crate::guest::Guest;
use crate::seam::{Carried, HostCall};

const fn call(name: &'static str) -> HostCall {
    HostCall { kind: CallKind::Wasi, name }
}

const READ: HostCall = call("input-stream.read");
const BLOCKING_READ: HostCall = call("input-stream.blocking-read");
const SKIP: HostCall = call("input-stream.skip");
const BLOCKING_SKIP: HostCall = call("input-stream.blocking-skip");
const CHECK_WRITE: HostCall = call("output-stream.check-write");
const WRITE: HostCall = call("output-stream.write");
const BLOCKING_WRITE: HostCall = call("output-stream.blocking-write-and-flush");
const ZEROES: HostCall = call("output-stream.write-zeroes");
const BLOCKING_ZEROES: HostCall = call("output-stream.blocking-write-zeroes-and-flush");
const FLUSH: HostCall = call("output-stream.flush");
const BLOCKING_FLUSH: HostCall = call("output-stream.blocking-flush");
const SPLICE: HostCall = call("output-stream.splice");
const BLOCKING_SPLICE: HostCall = call("output-stream.blocking-splice");
const DEBUG: HostCall = call("error.to-debug-string");

/// Puts the seam in the place of wasmtime's own functions.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    error::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    streams::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

/// Why a stream says no more.
#[derive(Serialize, Deserialize)]
enum Broken {
    Closed,
    /// The handle of the error.
    Failed(u32),
}

impl Carried for Broken {
    fn bytes(&self) -> usize {
        0
    }
}

/// What a stream has said, with its error in the table.
fn said<T>(table: &mut ResourceTable, said: StreamResult<T>) -> wasmtime::Result<Result<T, Broken>> {
    match said {
        Ok(said) => Ok(Ok(said)),
        Err(StreamError::Closed) => Ok(Err(Broken::Closed)),
        Err(StreamError::LastOperationFailed(error)) => Ok(Err(Broken::Failed(table.push(error)?.rep()))),
        Err(StreamError::Trap(error)) => Err(error),
    }
}

impl Guest {
    /// A journal that replays tells of an error that this host does not hold. What the error says passes the seam too.
    fn heard<T>(&mut self, told: wasmtime::Result<Result<T, Broken>>) -> StreamResult<T> {
        match told.map_err(StreamError::Trap)? {
            Ok(heard) => Ok(heard),
            Err(Broken::Closed) => Err(StreamError::Closed),
            Err(Broken::Failed(handle)) => {
                let error = Resource::<IoError>::new_own(handle);
                let held = match self.table.get(&error) {
                    Ok(_) => self.table.delete(error)?,
                    Err(_) => wasmtime::Error::msg("of a journal"),
                };
                Err(StreamError::LastOperationFailed(held))
            }
        }
    }

    fn wasi_table(&mut self) -> &mut ResourceTable {
        wasmtime_wasi::WasiView::ctx(self).table
    }
}

impl error::Host for Guest {}

impl error::HostError for Guest {
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        self.read(DEBUG, error.rep(), |around, error| error::HostError::to_debug_string(around.table, borrowed(error)))
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        error::HostError::drop(self.wasi_table(), error)
    }
}

impl streams::Host for Guest {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        streams::Host::convert_stream_error(&mut self.table, error)
    }
}

impl streams::HostInputStream for Guest {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let told = Guest::read(self, READ, (stream.rep(), len), |around, (stream, len)| {
            let read = streams::HostInputStream::read(around.table, borrowed(stream), len);
            said(around.table, read)
        });
        self.heard(told)
    }

    async fn blocking_read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        let told = self.wait(BLOCKING_READ, (stream.rep(), len), |around, (stream, len)| {
            Box::pin(async move {
                let read = streams::HostInputStream::blocking_read(around.table, borrowed(stream), len).await;
                said(around.table, read)
            })
        });
        let told = told.await;
        self.heard(told)
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let told = Guest::read(self, SKIP, (stream.rep(), len), |around, (stream, len)| {
            let skipped = streams::HostInputStream::skip(around.table, borrowed(stream), len);
            said(around.table, skipped)
        });
        self.heard(told)
    }

    async fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let told = self.wait(BLOCKING_SKIP, (stream.rep(), len), |around, (stream, len)| {
            Box::pin(async move {
                let skipped = streams::HostInputStream::blocking_skip(around.table, borrowed(stream), len).await;
                said(around.table, skipped)
            })
        });
        let told = told.await;
        self.heard(told)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostInputStream::subscribe(self.wasi_table(), stream)
    }

    async fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        streams::HostInputStream::drop(self.wasi_table(), stream).await
    }
}

impl streams::HostOutputStream for Guest {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        let told = self.read(CHECK_WRITE, stream.rep(), |around, stream| {
            let room = streams::HostOutputStream::check_write(around.table, borrowed(stream));
            said(around.table, room)
        });
        self.heard(told)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        let told = self.read(WRITE, (stream.rep(), bytes), |around, (stream, bytes)| {
            let written = streams::HostOutputStream::write(around.table, borrowed(stream), bytes);
            said(around.table, written)
        });
        self.heard(told)
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        let told = self.wait(BLOCKING_WRITE, (stream.rep(), bytes), |around, (stream, bytes)| {
            Box::pin(async move {
                let stream = borrowed(stream);
                let written = streams::HostOutputStream::blocking_write_and_flush(around.table, stream, bytes).await;
                said(around.table, written)
            })
        });
        let told = told.await;
        self.heard(told)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        let told = self.read(ZEROES, (stream.rep(), len), |around, (stream, len)| {
            let written = streams::HostOutputStream::write_zeroes(around.table, borrowed(stream), len);
            said(around.table, written)
        });
        self.heard(told)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        let told = self.wait(BLOCKING_ZEROES, (stream.rep(), len), |around, (stream, len)| {
            Box::pin(async move {
                let stream = borrowed(stream);
                let written =
                    streams::HostOutputStream::blocking_write_zeroes_and_flush(around.table, stream, len).await;
                said(around.table, written)
            })
        });
        let told = told.await;
        self.heard(told)
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        let told = self.read(FLUSH, stream.rep(), |around, stream| {
            let flushed = streams::HostOutputStream::flush(around.table, borrowed(stream));
            said(around.table, flushed)
        });
        self.heard(told)
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        let told = self.wait(BLOCKING_FLUSH, stream.rep(), |around, stream| {
            Box::pin(async move {
                let flushed = streams::HostOutputStream::blocking_flush(around.table, borrowed(stream)).await;
                said(around.table, flushed)
            })
        });
        let told = told.await;
        self.heard(told)
    }

    fn splice(&mut self, to: Resource<DynOutputStream>, from: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        let told = self.read(SPLICE, (to.rep(), from.rep(), len), |around, (to, from, len)| {
            let moved = streams::HostOutputStream::splice(around.table, borrowed(to), borrowed(from), len);
            said(around.table, moved)
        });
        self.heard(told)
    }

    async fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let told = self.wait(BLOCKING_SPLICE, (to.rep(), from.rep(), len), |around, (to, from, len)| {
            Box::pin(async move {
                let (to, from) = (borrowed(to), borrowed(from));
                let moved = streams::HostOutputStream::blocking_splice(around.table, to, from, len).await;
                said(around.table, moved)
            })
        });
        let told = told.await;
        self.heard(told)
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostOutputStream::subscribe(self.wasi_table(), stream)
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        streams::HostOutputStream::drop(self.wasi_table(), stream).await
    }
}
