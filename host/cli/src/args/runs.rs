//! Runs, and what holds them back.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConditionArgs, OnceArgs, PageArgs};
use crate::output::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// The latest runs.
    List {
        #[command(flatten)]
        page: PageArgs,
        #[command(flatten)]
        filter: Box<RunFilterArgs>,
        /// created, started, ended, handler, state, attempts, duration, cpu or memory; with - before it, as in
        /// --sort=-duration, the greatest or latest first. By anything but created, of the newest 20,000 that fit at most.
        #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
        sort: Option<String>,
        /// What to print of each, by the names that --json has, with commas between them.
        #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = column)]
        columns: Vec<Column>,
        /// Print each run that changes, as it does.
        #[arg(long, conflicts_with_all = ["limit", "cursor", "sort", "columns"])]
        follow: bool,
        /// Changes to print; then it ends.
        #[arg(long, requires = "follow", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
    /// One run with its attempts, logs and result.
    Show { id: String },
    /// What the attempts of a run have logged.
    Logs {
        id: String,
        /// Go on until the run ends.
        #[arg(long)]
        follow: bool,
    },
    /// The bytes of a run's result, as its handler returned them.
    Result {
        id: String,
        /// Wait so long for the run to end, if it has not.
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=60))]
        wait: Option<u64>,
    },
    /// Take runs off the queue; one that is executed is stopped, and nothing that it wrote is kept.
    Cancel {
        /// One run.
        id: Option<String>,
        #[command(flatten)]
        bulk: BulkArgs,
        #[command(flatten)]
        once: OnceArgs,
    },
    /// Make new runs of the same work, or of one run with another payload.
    Replay {
        /// One run.
        id: Option<String>,
        #[command(flatten)]
        payload: PayloadArgs,
        #[command(flatten)]
        bulk: BulkArgs,
        /// Those, too, that were replayed before.
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        once: OnceArgs,
    },
}

/// A column of a list of runs, by the name that JSON has.
fn column(text: &str) -> Result<Column, String> {
    const COLUMNS: [Column; 21] = [
        ("ID", "id"),
        ("CREATED", "created"),
        ("STARTED", "started"),
        ("FINISHED", "finished"),
        ("DUE", "due"),
        ("PLUGIN", "plugin"),
        ("HANDLER", "handler"),
        ("STATE", "state"),
        ("CAUSE", "cause"),
        ("TRIES", "attempts_begun"),
        ("WALL US", "wall_us"),
        ("CPU US", "cpu_us"),
        ("MEMORY", "memory_peak_bytes"),
        ("VERSION", "version"),
        ("EVENT", "event"),
        ("JOB", "job"),
        ("PARENT", "parent"),
        ("MADE BY", "made_by"),
        ("KEY", "key"),
        ("LAST OUTCOME", "last_outcome"),
        ("LAST MESSAGE", "last_message"),
    ];
    let known = || COLUMNS.map(|(_, name)| name).join(", ");
    COLUMNS.into_iter().find(|(_, name)| *name == text).ok_or_else(|| format!("known: {}", known()))
}

/// Which runs are meant. An option that is given several times finds what fits any of its values.
#[derive(Debug, Default, Args)]
pub(crate) struct RunFilterArgs {
    /// pending, leased, succeeded, dead or cancelled. As most of these, it may be given again: then either fits.
    #[arg(long)]
    pub(crate) state: Vec<String>,
    #[arg(long)]
    pub(crate) plugin: Vec<String>,
    #[arg(long)]
    pub(crate) handler: Vec<String>,
    /// Of this event.
    #[arg(long, value_name = "ID")]
    pub(crate) event: Vec<String>,
    /// Of this schedule.
    #[arg(long, value_name = "NAME")]
    pub(crate) schedule: Vec<String>,
    /// Asked for by an attempt of this run: its jobs, and runs of its events.
    #[arg(long, value_name = "ID")]
    pub(crate) made_by: Option<String>,
    /// Whether it was replayed: `--state dead --replayed false` is what is left to look at.
    #[arg(long, value_name = "true|false")]
    pub(crate) replayed: Option<bool>,
    /// Made at this time or later, such as 2026-11-20T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Made before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The last attempt failed with a message that contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Vec<String>,
    /// Of events that this provider sent.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Vec<String>,
    /// An attempt ran on a version whose digest begins so.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) version: Vec<String>,
    /// What the handler returned contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    pub(crate) result: Vec<String>,
    /// What the run works on contains this, in any case.
    #[arg(long = "payload", value_name = "TEXT")]
    pub(crate) in_payload: Vec<String>,
    /// Leave out what this would find: state, plugin, handler, provider, version, error, result or payload, as in
    /// --not state=dead. As often as needed.
    #[arg(long, value_name = "NAME=TEXT", value_parser = excluded)]
    pub(crate) not: Vec<(&'static str, String)>,
}

/// By the names that the API has.
fn excluded(text: &str) -> Result<(&'static str, String), String> {
    const NAMES: [(&str, &str); 8] = [
        ("state", "not_state"),
        ("plugin", "not_plugin"),
        ("handler", "not_handler"),
        ("provider", "not_provider"),
        ("version", "not_version"),
        ("error", "not_error"),
        ("result", "not_result"),
        ("payload", "not_payload"),
    ];
    let known = NAMES.map(|(name, _)| name).join(", ");
    let (name, value) = text.split_once('=').ok_or_else(|| format!("write NAME=TEXT, with one of {known}"))?;
    let found = NAMES.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, name)| (name, value.to_owned())).ok_or_else(|| format!("{name:?} is not known; known: {known}"))
}

#[derive(Debug, Default, Args)]
pub(crate) struct BulkArgs {
    #[command(flatten)]
    pub(crate) filter: Box<RunFilterArgs>,
    /// Without a filter, too.
    #[arg(long)]
    pub(crate) all: bool,
    /// Only count.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PayloadArgs {
    /// A file with the payload, or - for the standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) data: Option<PathBuf>,
    /// The payload itself.
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Media type of the payload: that of the old one, or JSON where it is JSON, unless given.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EnqueueArgs {
    /// A handler with a schedule, or with none: PLUGIN/HANDLER.
    pub(crate) handler: String,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// Begin it so much later, such as 5m; else as the handler's policy says.
    #[arg(long, value_name = "TIME")]
    pub(crate) delay: Option<String>,
    /// Make none while a run of the handler with this key is alive.
    #[arg(long, value_name = "KEY")]
    pub(crate) unique_key: Option<String>,
    /// Wait so long for the run to end, and tell how it is then.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=60))]
    pub(crate) wait: Option<u64>,
    #[command(flatten)]
    pub(crate) once: OnceArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldsCommand {
    /// What is held, since when and why.
    List,
    /// One thing that is held.
    Show {
        /// As it was held.
        target: String,
    },
    /// Take runs in, and begin none until it is released. What runs already goes on.
    Add {
        /// '*' for the whole host, PLUGIN, or PLUGIN/HANDLER.
        target: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// Release what is held.
    Remove {
        /// As it was held.
        target: String,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SearchesCommand {
    /// All of them.
    List,
    /// Show what one looks for.
    Show { name: String },
    /// Keep one under a name, in place of one that has it.
    Keep {
        name: String,
        /// Which runs it finds.
        #[command(flatten)]
        filter: Box<RunFilterArgs>,
        /// In which order, as `runs list` has it.
        #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
        sort: Option<String>,
        /// Which columns its page has, with commas between them.
        #[arg(long, value_name = "NAMES")]
        columns: Option<String>,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// Forget one.
    Drop {
        name: String,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
}
