//! Runs, and what holds them back.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PageArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// The latest runs.
    List {
        #[command(flatten)]
        page: PageArgs,
        #[command(flatten)]
        filter: RunFilterArgs,
        /// Print each run that changes, as it does.
        #[arg(long, conflicts_with_all = ["limit", "cursor"])]
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
    Result { id: String },
    /// Take runs off the queue; one that is executed is stopped, and nothing that it wrote is kept.
    Cancel {
        /// One run.
        id: Option<String>,
        #[command(flatten)]
        bulk: BulkArgs,
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
    },
}

/// Which runs are meant.
#[derive(Debug, Default, Args)]
pub(crate) struct RunFilterArgs {
    /// pending, leased, succeeded, dead or cancelled.
    #[arg(long)]
    pub(crate) state: Option<String>,
    #[arg(long)]
    pub(crate) plugin: Option<String>,
    #[arg(long)]
    pub(crate) handler: Option<String>,
    /// Of this event.
    #[arg(long, value_name = "ID")]
    pub(crate) event: Option<String>,
    /// Of this schedule.
    #[arg(long, value_name = "NAME")]
    pub(crate) schedule: Option<String>,
    /// Made at this time or later, such as 2026-11-20T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Made before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The last attempt failed with a message that contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    /// Of events that this provider sent.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// An attempt ran on a version whose digest begins so.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) version: Option<String>,
    /// What the handler returned contains this, in any case.
    #[arg(long, value_name = "TEXT")]
    pub(crate) result: Option<String>,
    /// What the run works on contains this, in any case.
    #[arg(long = "payload", value_name = "TEXT")]
    pub(crate) in_payload: Option<String>,
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

#[derive(Debug, Args)]
pub(crate) struct BulkArgs {
    #[command(flatten)]
    pub(crate) filter: RunFilterArgs,
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
    },
    /// Release what is held.
    Remove {
        /// As it was held.
        target: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SearchesCommand {
    /// All of them.
    List,
    /// Keep one under a name, in place of one that has it.
    Keep {
        name: String,
        /// Which runs it finds.
        #[command(flatten)]
        filter: Box<RunFilterArgs>,
    },
    /// Forget one.
    Drop { name: String },
}
