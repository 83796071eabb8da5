//! The component's side of the contract: the SDK's types to those of the bindings
//! and back, nothing else.

mod bindings;
pub(crate) mod host;
mod http;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bindings::hookbox::plugin::types;

use crate::registry::{self, Handler, PluginInfo, Trigger, When};
use crate::{Context, Error, Event, Job, Outcome, Output, Result};

pub(crate) struct Plugin;

impl bindings::exports::hookbox::plugin::guest::Guest for Plugin {
    #[expect(clippy::panic, reason = "describe cannot fail, and the host shows a panic's message to the operator")]
    fn describe() -> types::PluginInfo {
        match registry::describe() {
            Ok(info) => plugin_info(info),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    fn handle_event(invocation: types::Invocation, event: types::Event) -> Result<types::Outcome, types::HandlerError> {
        reply(registry::handle_event(&invocation.into(), &event.into()))
    }

    fn run_job(invocation: types::Invocation, job: types::Job) -> Result<types::Outcome, types::HandlerError> {
        reply(registry::run_job(&invocation.into(), &job.into()))
    }
}

fn reply(result: Result<Outcome>) -> Result<types::Outcome, types::HandlerError> {
    match result {
        Ok(Outcome::Completed(output)) => Ok(types::Outcome::Completed(
            output.map(|Output { content_type, data }| types::Output { data_content_type: content_type, data }),
        )),
        Ok(Outcome::Skipped(why)) => Ok(types::Outcome::Skipped(why)),
        Err(Error::Permanent(message)) => Err(types::HandlerError::Permanent(message)),
        Err(Error::Retryable { message, retry_after }) => {
            let retry_after = retry_after.map(millis);
            Err(types::HandlerError::Retryable(types::RetryableError { message, retry_after }))
        }
    }
}

fn plugin_info(info: PluginInfo) -> types::PluginInfo {
    types::PluginInfo {
        name: info.name.to_owned(),
        version: info.version.to_owned(),
        description: info.description.map(str::to_owned),
        handlers: info.handlers.into_iter().map(handler).collect(),
        options: Vec::new(),
    }
}

fn handler(handler: Handler) -> types::Handler {
    let trigger = match handler.trigger {
        Trigger::Events(patterns) => {
            types::Trigger::Events(patterns.iter().map(|&pattern| pattern.to_owned()).collect())
        }
        Trigger::Schedule(schedule) => types::Trigger::Schedule(types::Schedule {
            when: match schedule.when {
                When::Cron(expression) => types::ScheduleWhen::Cron(expression.to_owned()),
                When::Every(interval) => types::ScheduleWhen::Every(millis(interval)),
            },
            options: pairs(schedule.options),
        }),
        Trigger::Manual => types::Trigger::Manual,
    };
    types::Handler { name: handler.name.to_owned(), trigger, options: pairs(handler.options) }
}

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl From<types::Invocation> for Context {
    fn from(invocation: types::Invocation) -> Self {
        Context {
            handler: invocation.handler,
            run_id: invocation.run_id,
            attempt: invocation.attempt,
            max_attempts: invocation.max_attempts,
            deadline: time(invocation.deadline),
            idempotency_key: invocation.idempotency_key,
        }
    }
}

impl From<types::Event> for Event {
    fn from(event: types::Event) -> Self {
        Event {
            id: event.id,
            source: event.source,
            type_: event.type_,
            subject: event.subject,
            time: time(event.time),
            content_type: event.data_content_type,
            data: event.data,
            attributes: event.attributes,
        }
    }
}

impl From<types::Job> for Job {
    fn from(job: types::Job) -> Self {
        Job {
            id: job.id,
            scheduled_at: time(job.scheduled_at),
            content_type: job.data_content_type,
            data: job.data,
            attributes: job.attributes,
        }
    }
}

fn time(timestamp: types::Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(timestamp)
}

fn timestamp(time: SystemTime) -> types::Timestamp {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Rounded up: a wait is never shorter than it was asked for.
fn millis(duration: Duration) -> types::Duration {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
