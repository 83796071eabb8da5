//! Which runs are meant, in the words of the API. A name that is given several times means any of its values.

use std::fmt::Display;
use std::str::FromStr;

use hookbox_core::run::RunStatus;
use hookbox_store::types::{Excluded, Order, RunFilter};

use crate::problem::Problem;

/// Those that begin with `not_` leave out what the same name without it would find.
pub(super) const NAMES: [&str; 22] = [
    "state",
    "plugin",
    "handler",
    "provider",
    "version",
    "event",
    "schedule",
    "made_by",
    "replayed",
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
/// Values that one name has at most.
pub(super) const VALUES_MAX: usize = 20;
/// Longest text that is looked for.
const TEXT_BYTES_MAX: usize = 256;

/// `texts` gives what stands behind one of [`NAMES`], each time that it is given.
pub(super) fn read<'a>(texts: impl Fn(&str) -> Vec<&'a str>) -> Result<RunFilter, Problem> {
    let words = |name: &str| -> Result<Vec<String>, Problem> {
        several(&texts, name)?.into_iter().map(|given| bounded(name, given)).collect()
    };
    let states = |name: &str| -> Result<Vec<RunStatus>, Problem> {
        Ok(parsed(&texts, name)?.into_iter().map(|State(status)| status).collect())
    };
    Ok(RunFilter {
        order: Order::default(),
        status: states("state")?,
        alive: false,
        plugin: parsed(&texts, "plugin")?,
        handler: parsed(&texts, "handler")?,
        event: parsed(&texts, "event")?,
        schedule: parsed(&texts, "schedule")?,
        made_by: once(&texts, "made_by")?,
        replayed: once::<bool>(&texts, "replayed")?,
        since: once(&texts, "since")?,
        until: once(&texts, "until")?,
        error: words("error")?,
        provider: parsed(&texts, "provider")?,
        version: words("version")?,
        result: words("result")?,
        payload: words("payload")?,
        not: Excluded {
            status: states("not_state")?,
            plugin: parsed(&texts, "not_plugin")?,
            handler: parsed(&texts, "not_handler")?,
            provider: parsed(&texts, "not_provider")?,
            version: words("not_version")?,
            error: words("not_error")?,
            result: words("not_result")?,
            payload: words("not_payload")?,
        },
    })
}

fn several<'a>(texts: impl Fn(&str) -> Vec<&'a str>, name: &str) -> Result<Vec<&'a str>, Problem> {
    let given = texts(name);
    match given.len() {
        0..=VALUES_MAX => Ok(given),
        _ => Err(Problem::bad_parameter().because(format!("{name}: may be given {VALUES_MAX} times at most"))),
    }
}

fn parsed<'a, T: FromStr<Err: Display>>(texts: impl Fn(&str) -> Vec<&'a str>, name: &str) -> Result<Vec<T>, Problem> {
    let wrong = |error| Problem::bad_parameter().because(format!("{name}: {error}"));
    several(texts, name)?.into_iter().map(|text| text.parse().map_err(wrong)).collect()
}

fn once<'a, T: FromStr<Err: Display>>(texts: impl Fn(&str) -> Vec<&'a str>, name: &str) -> Result<Option<T>, Problem> {
    let mut values = parsed(texts, name)?;
    match values.len() {
        0 | 1 => Ok(values.pop()),
        _ => Err(Problem::bad_parameter().because(format!("{name}: must be given once"))),
    }
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
