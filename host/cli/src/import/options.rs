//! What a task is called with, beside its arguments.

use super::entry::{Lines, Target};
use super::interval::millis;
use super::value::Value;

/// Longest time that an attempt may take, in seconds.
const TIMEOUT_MAX: f64 = 3600.0;

/// Most of them are the handler's here, not the schedule's.
pub(super) fn options(entry: &Value, target: &Target, lines: &mut Lines) {
    let options = match entry.get("options") {
        None | Some(Value::None) => return,
        Some(Value::Map(options)) => options,
        Some(other) => {
            lines.notes.push(format!("options are {other}, which is made by code: look what they are"));
            return;
        }
    };
    let place = format!("plugins.{}.handlers.{}", target.plugin, target.handler);
    for (at, (name, value)) in options.iter().enumerate() {
        // The last of a name counts, as in Python.
        if options.iter().skip(at + 1).any(|(other, _)| other == name) {
            continue;
        }
        lines.notes.push(match (name.as_str(), value.number()) {
            ("time_limit", Some(limit)) if limit > 0.0 && limit <= TIMEOUT_MAX => {
                lines.lines.push(format!("timeout: {}", millis(limit)));
                continue;
            }
            ("time_limit" | "soft_time_limit", _) => {
                format!("{name}={value}: write `timeout:` at this schedule, of at most 1h")
            }
            ("expires", Some(after)) if after > 0.0 => {
                format!("expires={value}: write `{place}.expires: {}`", millis(after))
            }
            ("countdown", Some(after)) if after >= 0.0 => {
                format!("countdown={value}: write `{place}.delay: {}`", millis(after))
            }
            ("expires", _) => format!("expires={value}: write `{place}.expires:` with a length of time"),
            ("countdown", _) => format!("countdown={value}: write `{place}.delay:` with a length of time"),
            ("priority", _) => {
                format!("priority={value}: write `{place}.priority:` with lowest, low, normal, high or highest")
            }
            ("queue" | "exchange" | "routing_key", _) => {
                format!("{name}={value}: there are no queues; where it kept work apart, write `{place}.concurrency:`")
            }
            ("retry" | "retry_policy" | "max_retries", _) => {
                format!("{name}={value}: write `attempts:` and `backoff:` at this schedule")
            }
            _ => format!("option {name}={value}: hookbox knows nothing like it"),
        });
    }
}
