//! Which runs are meant, in the words of the API.

use std::fmt::Display;
use std::str::FromStr;

use hookbox_core::run::RunStatus;
use hookbox_store::types::RunFilter;

use crate::problem::Problem;

pub(super) const NAMES: [&str; 8] = ["state", "plugin", "handler", "event", "schedule", "since", "until", "error"];
/// Longest text that is looked for in errors.
const ERROR_BYTES_MAX: usize = 256;

/// `text` gives what stands behind one of [`NAMES`].
pub(super) fn read<'a>(text: impl Fn(&str) -> Result<Option<&'a str>, Problem>) -> Result<RunFilter, Problem> {
    Ok(RunFilter {
        status: parsed(&text, "state")?.map(|State(status)| status),
        alive: false,
        plugin: parsed(&text, "plugin")?,
        handler: parsed(&text, "handler")?,
        event: parsed(&text, "event")?,
        schedule: parsed(&text, "schedule")?,
        since: parsed(&text, "since")?,
        until: parsed(&text, "until")?,
        error: text("error")?.map(error).transpose()?,
    })
}

fn parsed<'a, T: FromStr<Err: Display>>(
    text: impl Fn(&str) -> Result<Option<&'a str>, Problem>,
    name: &str,
) -> Result<Option<T>, Problem> {
    let parsed = text(name)?.map(str::parse).transpose();
    parsed.map_err(|error| Problem::bad_parameter().because(format!("{name}: {error}")))
}

struct State(RunStatus);

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<State, String> {
        let known = RunStatus::ALL.into_iter().find(|status| status.code() == text);
        known.map(State).ok_or_else(|| format!("must be one of {}", RunStatus::ALL.map(RunStatus::code).join(", ")))
    }
}

fn error(text: &str) -> Result<String, Problem> {
    match text.len() {
        1..=ERROR_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(Problem::bad_parameter().because(format!("error: must be 1 to {ERROR_BYTES_MAX} bytes of a message"))),
    }
}
