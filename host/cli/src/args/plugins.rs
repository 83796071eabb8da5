use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConditionArgs, OnceArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginsCommand {
    /// All plugins with their versions.
    List,
    /// One plugin: the version that serves, what was refused and why, its handlers and imports, and its history.
    Show { name: String },
    /// Go back to the version before, or to one of the history; the one that served does not come back by itself.
    Rollback {
        name: String,
        /// The first digits of the version's digest, as `hookbox plugins show` prints them.
        version: Option<String>,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// Send a component to the host. It serves once it is good; else the old version goes on. Needs the token of an admin in HOOKBOX_TOKEN.
    Push(PushArgs),
    /// Print what happens to plugins as it happens: found, compiled, active, refused, rolled back, gone.
    Watch {
        /// Changes to print; then it ends.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The component.
    pub(crate) file: PathBuf,

    /// The plugin's name; that of the file unless given.
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// The signature, a minisign file; FILE.minisig where there is one.
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
}
