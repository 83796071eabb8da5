//! Between the contract's types and ours, and from the many ways in which a
//! guest can fail to one outcome.

use hookbox_core::attempt::{Outcome, Output};
use hookbox_core::event::{Event, Job, JobOrigin};
use hookbox_core::limits::Limits;
use hookbox_core::time::Millis;
use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::bindings::hookbox::plugin::types;
use crate::meter::{Exhausted, Meter};
use crate::sandbox::SandboxError;
use crate::text;

/// The media type of a result: it stands in a header.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// Where a call of the guest ended without an answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The instance was not made: the guest's start function, its size, or the host.
    Starting(wasmtime::Error),
    Running(wasmtime::Error),
}

pub(crate) fn event(event: &Event) -> types::Event {
    types::Event {
        id: event.id.to_string(),
        source: event.source.to_string(),
        type_: event.event_type.clone(),
        subject: event.subject.clone(),
        time: event.time.0,
        data_content_type: event.content_type.clone(),
        data: event.payload().into_owned(),
        attributes: event.attributes.clone(),
    }
}

pub(crate) fn job(job: &Job) -> types::Job {
    let attributes = match &job.origin {
        JobOrigin::Schedule(name) => vec![("schedule".to_owned(), name.to_string())],
        JobOrigin::Plugin(name) => vec![("enqueued-by".to_owned(), name.to_string())],
        JobOrigin::Operator => Vec::new(),
    };
    types::Job {
        id: job.id.to_string(),
        scheduled_at: job.scheduled_at.0,
        data_content_type: job.content_type.clone(),
        data: job.data.clone(),
        attributes,
    }
}

pub(crate) fn of_answer(answer: Result<types::Outcome, types::HandlerError>, limits: &Limits) -> Outcome {
    match answer {
        Ok(types::Outcome::Completed(None)) => Outcome::Completed { output: None },
        Ok(types::Outcome::Completed(Some(output))) => of_output(output, limits),
        Ok(types::Outcome::Skipped(reason)) => Outcome::Skipped { reason: text::message(&reason) },
        Err(types::HandlerError::Retryable(error)) => {
            Outcome::Retryable { message: text::message(&error.message), retry_after: error.retry_after.map(Millis) }
        }
        Err(types::HandlerError::Permanent(message)) => Outcome::Permanent { message: text::message(&message) },
    }
}

fn of_output(output: types::Output, limits: &Limits) -> Outcome {
    let bytes = output.data.len() + output.data_content_type.len();
    if bytes > limits.result_bytes {
        return output_too_large(&format!("{bytes} bytes"), limits);
    }
    let content_type = text::line(text::prefix(&output.data_content_type, CONTENT_TYPE_BYTES_MAX));
    Outcome::Completed { output: Some(Output { content_type, data: output.data }) }
}

fn output_too_large(size: &str, limits: &Limits) -> Outcome {
    let most = limits.result_bytes;
    let message = format!(
        "the output is {size}, at most {most} are kept (limits.result): store it elsewhere and return where it is"
    );
    Outcome::Permanent { message }
}

/// A fault of the guest is an outcome, one of the host an error.
pub(crate) fn of_fault(fault: Fault, meter: &Meter, stderr: &str) -> Result<Outcome, SandboxError> {
    let limits = meter.limits();
    match (meter.exhausted(), fault) {
        (Some(Exhausted::Cpu(limit)), _) => Ok(Outcome::CpuExhausted { limit }),
        (Some(Exhausted::Memory(limit)), _) => Ok(Outcome::OutOfMemory { limit }),
        (Some(Exhausted::TableElements(limit)), Fault::Starting(error) | Fault::Running(error)) => {
            let reason = trap_message(&error, stderr, limits);
            let message = format!("it was refused more than {limit} table elements (limits.table_elements): {reason}");
            Ok(Outcome::Trapped { message: text::message(&message) })
        }
        (None, Fault::Starting(error)) if !is_guests(&error) => {
            Err(SandboxError::Broken(format!("the guest could not be started: {error:#}")))
        }
        (None, Fault::Starting(error)) => Ok(Outcome::Trapped { message: trap_message(&error, stderr, limits) }),
        // The answer itself was too much: what traps in a host call has the guest's frames.
        (None, Fault::Running(error)) if is_too_much(&error) && error.downcast_ref::<WasmBacktrace>().is_none() => {
            Ok(output_too_large(&format!("more than {} bytes", limits.call_bytes), limits))
        }
        (None, Fault::Running(error)) => Ok(Outcome::Trapped { message: trap_message(&error, stderr, limits) }),
    }
}

/// What a trap says to an operator: a panic's own words where the guest wrote them to standard error.
pub(crate) fn trap_message(error: &wasmtime::Error, stderr: &str, limits: &Limits) -> String {
    let reason = if let Some(I32Exit(status)) = error.downcast_ref() {
        format!("it ended itself with exit status {status}")
    } else if is_too_much(error) {
        format!("it passed more than {} bytes to the host in one call (limits.call)", limits.call_bytes)
    } else if let Some(reason) = beyond(error, limits) {
        reason
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        trap.to_string()
    } else {
        error.root_cause().to_string()
    };
    let stderr = stderr.trim();
    let message = match stderr.rfind("panicked at ").and_then(|at| stderr.get(at..)) {
        Some(panic) => panic.split("\nnote: run with").next().unwrap_or(panic).trim().to_owned(),
        None if stderr.is_empty() => reason,
        None => format!("{reason}\n{stderr}"),
    };
    text::message(&message)
}

/// A limit that wasmtime enforces and does not name.
fn beyond(error: &wasmtime::Error, limits: &Limits) -> Option<String> {
    let root = error.root_cause();
    if let Some(ResourceTableError::Full) = root.downcast_ref() {
        let most = limits.resources;
        return Some(format!("it held more than {most} streams, timers and the like at one time (limits.resources)"));
    }
    if let Some(trap @ Trap::StackOverflow) = error.downcast_ref() {
        return Some(format!("{trap} (engine.stack, the same for all plugins)"));
    }
    // wasmtime tells it in words only.
    let random = root.to_string().starts_with("requested len ");
    random.then(|| format!("it asked for more than {} random bytes in one call (limits.random)", limits.random_bytes))
}

fn is_guests(error: &wasmtime::Error) -> bool {
    let trapped = error.is::<Trap>() || error.is::<I32Exit>() || error.downcast_ref::<WasmBacktrace>().is_some();
    trapped || is_over_count(error)
}

/// More instances, memories or tables than the meter allows. wasmtime tells it in words only.
pub(crate) fn is_over_count(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().starts_with("resource limit exceeded")
}

/// wasmtime keeps the type of this error to itself.
fn is_too_much(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls")
}
