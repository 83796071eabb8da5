//! Which runs are meant, in the words of the API.

use std::fmt::Display;
use std::str::FromStr;

use hookbox_core::run::RunStatus;
use hookbox_store::types::{Excluded, RunFilter};

use crate::problem::Problem;

/// Those that begin with `not_` leave out what the same name without it would find.
pub(super) const NAMES: [&str; 20] = [
    "state",
    "plugin",
    "handler",
    "provider",
    "version",
    "event",
    "schedule",
    "since",
    "until",
    "error",
    "result",
    "payload",
    "not_state",
    "not_plugin",
    "not_handler",
    "not_provider",
    "not_version",
    "not_error",
    "not_result",
    "not_payload",
];
/// Longest text that is looked for.
const TEXT_BYTES_MAX: usize = 256;

/// `text` gives what stands behind one of [`NAMES`].
pub(super) fn read<'a>(text: impl Fn(&str) -> Result<Option<&'a str>, Problem>) -> Result<RunFilter, Problem> {
    let words = |name: &str| text(name)?.map(|given| bounded(name, given)).transpose();
    let state = |name: &str| Ok::<_, Problem>(parsed(&text, name)?.map(|State(status)| status));
    Ok(RunFilter {
        status: state("state")?,
        alive: false,
        plugin: parsed(&text, "plugin")?,
        handler: parsed(&text, "handler")?,
        event: parsed(&text, "event")?,
        schedule: parsed(&text, "schedule")?,
        since: parsed(&text, "since")?,
        until: parsed(&text, "until")?,
        error: words("error")?,
        provider: parsed(&text, "provider")?,
        version: words("version")?,
        result: words("result")?,
        payload: words("payload")?,
        not: Excluded {
            status: state("not_state")?,
            plugin: parsed(&text, "not_plugin")?,
            handler: parsed(&text, "not_handler")?,
            provider: parsed(&text, "not_provider")?,
            version: words("not_version")?,
            error: words("not_error")?,
            result: words("not_result")?,
            payload: words("not_payload")?,
        },
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

pub(super) fn bounded(name: &str, text: &str) -> Result<String, Problem> {
    match text.len() {
        1..=TEXT_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(Problem::bad_parameter().because(format!("{name}: must be 1 to {TEXT_BYTES_MAX} bytes of text"))),
    }
}
