//! `hookbox:plugin/queue`: jobs and events that wait in an outbox until the
//! attempt has succeeded.

use std::future::ready;
use std::sync::Arc;

use hookbox_core::attempt::Call;
use hookbox_core::denial::DeniedKind;
use hookbox_core::effects::{EventRequest, JobRequest, QUEUE_DATA_BYTES_MAX};
use hookbox_core::host_call::CallKind;
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::limits::Limits;
use hookbox_core::name::{HandlerName, HandlerRef, ProviderName};
use hookbox_core::plugin::Trigger;
use hookbox_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::Capabilities;
use crate::bindings::hookbox::plugin::queue::{self, Error, Host};
use crate::denied::DeniedBook;
use crate::guest::Guest;
use crate::seam::HostCall;
use crate::text;
use crate::version::Version;

/// Type, subject and unique key become parts of keys and headers.
const EVENT_TYPE_BYTES_MAX: usize = 128;
const SUBJECT_BYTES_MAX: usize = 1024;
const UNIQUE_KEY_BYTES_MAX: usize = 128;
const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// What stands where a plugin names no media type.
const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";

pub(crate) struct Outbox {
    jobs: Vec<JobRequest>,
    events: Vec<EventRequest>,
    /// Of the data of all of them.
    data_bytes: usize,
    run: RunId,
    attempt: u32,
    started: Timestamp,
}

const ENQUEUE: HostCall = HostCall { kind: CallKind::Enqueue, name: "queue.enqueue" };
const EMIT: HostCall = HostCall { kind: CallKind::Emit, name: "queue.emit" };

impl Host for Guest {
    async fn enqueue(&mut self, job: queue::JobRequest) -> wasmtime::Result<Result<String, Error>> {
        self.call(ENQUEUE, job, |host, job| Box::pin(ready(Ok(enqueue(host, job))))).await
    }

    async fn emit(&mut self, event: queue::EventRequest) -> wasmtime::Result<Result<String, Error>> {
        self.call(EMIT, event, |host, event| Box::pin(ready(Ok(host.queue.emit(&host.version, &host.denied, event)))))
            .await
    }
}

impl Outbox {
    pub(crate) fn new(call: &Call) -> Outbox {
        let (run, attempt, started) = (call.run, call.attempt, call.started);
        Outbox { jobs: Vec::new(), events: Vec::new(), data_bytes: 0, run, attempt, started }
    }

    fn enqueue(&mut self, version: &Version, target: HandlerRef, job: queue::JobRequest) -> Result<String, Error> {
        self.room(job.data.len(), &version.settings().limits)?;
        let content_type = content_type(job.data_content_type)?;
        if let Some(key) = &job.unique_key {
            check("unique key", key, UNIQUE_KEY_BYTES_MAX)?;
        }
        let id = JobId::new(self.started, self.random("job"));
        self.data_bytes += job.data.len();
        self.jobs.push(JobRequest {
            id,
            run: RunId::new(self.started, self.random("run")),
            target,
            content_type,
            data: job.data,
            run_at: job.run_at.map(|at| Timestamp(at).min(Timestamp::MAX)),
            unique_key: job.unique_key,
        });
        Ok(id.to_string())
    }

    fn emit(&mut self, version: &Version, denied: &DeniedBook, event: queue::EventRequest) -> Result<String, Error> {
        self.room(event.data.len(), &version.settings().limits)?;
        check("type", &event.type_, EVENT_TYPE_BYTES_MAX)?;
        let (namespace, event_type) = topic(version, denied, &event.type_)?;
        if let Some(subject) = &event.subject {
            check("subject", subject, SUBJECT_BYTES_MAX)?;
        }
        let content_type = content_type(event.data_content_type)?;
        let id = EventId::new(self.started, self.random("event"));
        self.data_bytes += event.data.len();
        self.events.push(EventRequest {
            id,
            namespace,
            event_type,
            subject: event.subject,
            content_type,
            data: event.data,
        });
        Ok(id.to_string())
    }

    pub(crate) fn into_parts(self) -> (Vec<JobRequest>, Vec<EventRequest>) {
        (self.jobs, self.events)
    }

    fn room(&self, data_bytes: usize, limits: &Limits) -> Result<(), Error> {
        if self.jobs.len() + self.events.len() >= limits.queue_items {
            let most = limits.queue_items;
            return Err(limit(format!("one attempt makes at most {most} jobs and events (limits.queue_items)")));
        }
        if data_bytes > QUEUE_DATA_BYTES_MAX {
            return Err(limit(format!("the data is {data_bytes} bytes, at most {QUEUE_DATA_BYTES_MAX}")));
        }
        let (all, most) = (self.data_bytes + data_bytes, limits.queue_bytes);
        if all > most {
            return Err(limit(format!(
                "with it the attempt's data is {all} bytes, at most {most} (limits.queue_data)"
            )));
        }
        Ok(())
    }

    /// Unpredictable enough to be unique, and the same when the same attempt is looked at again: no random numbers are
    /// needed where ids are made.
    fn random(&self, kind: &str) -> u128 {
        let mut hash = Sha256::new();
        hash.update(self.run.to_bytes());
        hash.update(self.attempt.to_be_bytes());
        hash.update((self.jobs.len() + self.events.len()).to_be_bytes());
        hash.update(kind);
        let digest: [u8; 32] = hash.finalize().into();
        digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

fn enqueue(host: &mut Capabilities, job: queue::JobRequest) -> Result<String, Error> {
    let target = target(host, &job.handler)?;
    host.queue.enqueue(&host.version, target, job)
}

/// A plain name is a handler of the plugin itself; one of another plugin, `reports/nightly`, has to be granted.
fn target(host: &Capabilities, handler: &str) -> Result<HandlerRef, Error> {
    let own = &host.version.info.name;
    let (target, version) = match handler.split_once('/') {
        None => {
            let handler = HandlerName::parse(handler).map_err(|_| Error::UnknownHandler)?;
            (HandlerRef { plugin: own.clone(), handler }, Some(Arc::clone(&host.version)))
        }
        Some(_) => {
            let target: HandlerRef = handler.parse().map_err(|_| Error::UnknownHandler)?;
            if target.plugin != *own && !host.version.settings().enqueue.iter().any(|grant| grant.allows(&target)) {
                let line = format!("add \"{target}\" to grants.enqueue of the plugin");
                host.denied.note(DeniedKind::Enqueue, &target.to_string(), &line);
                return Err(limit(format!(
                    "plugin {own} may not make jobs for {target}; to allow it, add to hooks.yaml:\n\
                     plugins:\n  {own}:\n    grants:\n      enqueue: [ \"{target}\" ]"
                )));
            }
            let version = host.active.get(&target.plugin);
            (target, version)
        }
    };
    match version.as_ref().and_then(|version| version.info.handler(&target.handler)).map(|known| &known.trigger) {
        Some(Trigger::Schedule(_) | Trigger::Manual) => Ok(target),
        // A handler of events has no way to take a job.
        Some(Trigger::Events(_)) | None => Err(Error::UnknownHandler),
    }
}

/// A plain type lies below the plugin's own name; another namespace has to be granted.
fn topic(version: &Version, denied: &DeniedBook, event_type: &str) -> Result<(String, String), Error> {
    let own = version.info.name.as_str();
    let (namespace, event_type) = event_type.split_once('/').unwrap_or((own, event_type));
    if event_type.is_empty() || event_type.contains(char::is_whitespace) {
        return Err(limit(format!("the type {event_type:?} must be text without spaces, such as digest.ready")));
    }
    if ProviderName::parse(namespace).is_err() {
        return Err(limit(format!("{namespace:?} before the slash must be of a-z, 0-9, '-' and '_'")));
    }
    let granted = version.settings().emit.iter().any(|pattern| pattern.matches(namespace, event_type));
    if namespace != own && !granted {
        let topic = format!("{namespace}/{event_type}");
        denied.note(DeniedKind::Emit, &topic, &format!("add \"{topic}\" to grants.emit of the plugin"));
        return Err(limit(format!(
            "plugin {own} may not emit {topic}; to allow it, add to hooks.yaml:\n\
             plugins:\n  {own}:\n    grants:\n      emit: [ \"{topic}\" ]"
        )));
    }
    Ok((namespace.to_owned(), event_type.to_owned()))
}

fn content_type(given: String) -> Result<String, Error> {
    if given.is_empty() {
        return Ok(CONTENT_TYPE_DEFAULT.to_owned());
    }
    check("content type", &given, CONTENT_TYPE_BYTES_MAX)?;
    Ok(given)
}

fn check(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.is_empty() || text.len() > bytes_max || !text::is_plain(text) {
        return Err(limit(format!("the {what} must be 1 to {bytes_max} bytes without control characters")));
    }
    Ok(())
}

fn limit(message: String) -> Error {
    Error::LimitExceeded(message)
}
