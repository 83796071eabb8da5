//! The arguments of `hookbox cron`. Their values are texts: what is wrong with one is told by the command, as JSON if
//! that is asked for.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum CronCommand {
    /// Say an expression in words, with its next ten times and what it does at the next two changes of the clocks.
    Explain(CronArgs),
    /// The next times of an expression.
    Next {
        #[command(flatten)]
        cron: CronArgs,
        /// How many times: 1 to 1000.
        #[arg(long, default_value = "5", value_name = "NUMBER", allow_hyphen_values = true)]
        count: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CronArgs {
    /// Five fields in quotes, six with the seconds first, or an alias such as @daily.
    #[arg(allow_hyphen_values = true)]
    pub(crate) expression: String,

    /// The time zone.
    #[arg(long, default_value = "UTC", value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) tz: String,

    /// Times later than this, such as 2026-11-20T00:00:00Z; later than now unless given.
    #[arg(long, value_name = "RFC3339", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,

    /// Where both day fields say something: or (either will do), and (both must match).
    #[arg(long, default_value = "or", value_name = "RULE", allow_hyphen_values = true)]
    pub(crate) day_rule: String,
}

/// The field at fault and what is wrong, if it was `hookbox cron` with `--json` that does not read.
pub(crate) fn refusal(
    error: &clap::Error,
    mut words: impl Iterator<Item = OsString>,
) -> Option<(&'static str, String)> {
    let program = words.next();
    let words: Vec<OsString> = words.collect();
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    let is_cron = program.is_some() && words.iter().find(|word| !is_option(word)).is_some_and(|word| word == "cron");
    if !error.use_stderr() || !is_cron || !words.iter().any(|word| word == "--json") {
        return None;
    }
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.as_str(),
        _ => "",
    };
    let options = [("--tz", "timezone"), ("--from", "from"), ("--count", "count"), ("--day-rule", "day-rule")];
    let option = options.into_iter().find(|(option, _)| argument.starts_with(option));
    let text = error.render().to_string();
    // What is wrong comes first; usage and tips follow after an empty line.
    let wrong: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let message = wrong.join(" ").trim_start_matches("error: ").to_owned();
    Some((option.map_or("expression", |(_, field)| field), message))
}
