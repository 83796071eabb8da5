//! The seam between a guest and what hookbox does for it.
//!
//! A call of a capability is data: which one it is, what the guest gives, what it is answered. All of them pass
//! [`Guest::call`], which refuses, counts and limits. What is behind it sees nothing but the given and
//! [`Capabilities`], and nothing else of the guest: so a journal has one place to stand. To write it, keep what
//! passes; to replay it, answer from it in the capability's place. No capability has to know.
//!
//! WASI is linked by wasmtime and does not pass here. Its calls are counted where it asks for its context; its bytes
//! are not.

mod carried;

use std::pin::Pin;

use hookbox_core::host_call::{CallKind, Calls};

use crate::capability::Capabilities;
use crate::guest::{Access, Guest};

pub(crate) use carried::Carried;

/// One function that a guest can call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostCall {
    pub(crate) kind: CallKind,
    /// Interface and function, for reasons that an author reads.
    pub(crate) name: &'static str,
}

/// What a capability is doing. An error ends the guest.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>;

impl Guest {
    /// The one way from a guest to a capability. `capability` is a plain function: it can keep nothing of the guest.
    pub(crate) async fn call<Given: Carried, Answer: Carried>(
        &mut self,
        call: HostCall,
        given: Given,
        capability: for<'a> fn(&'a mut Capabilities, Given) -> Doing<'a, Answer>,
    ) -> wasmtime::Result<Answer> {
        let name = call.name;
        let Access::Granted(capabilities) = &mut self.access else {
            return Err(wasmtime::Error::msg(format!(
                "describe() called {name}: nothing of hookbox may be used while a plugin describes itself"
            )));
        };
        let most = capabilities.calls_max();
        if self.passed >= most {
            return Err(wasmtime::Error::msg(format!(
                "{name}: more than {most} calls of hookbox in one attempt (limits.calls)"
            )));
        }
        self.passed += 1;
        let bytes_given = given.bytes() as u64;
        // Also where it ends the guest.
        self.calls.add(call.kind, Calls { number: 1, bytes_given, bytes_answered: 0 });
        let answer = capability(capabilities, given).await?;
        self.calls.add(call.kind, Calls { number: 0, bytes_given: 0, bytes_answered: answer.bytes() as u64 });
        Ok(answer)
    }
}
