//! The commands that keep and move what a host has stored.

use std::path::PathBuf;

use clap::Args;

use super::{OperatorArgs, ProjectArgs};

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to make; it must not be there yet.
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// What `hookbox backup` made.
    pub(crate) file: PathBuf,

    /// Read all of it, tell what it is, and restore nothing.
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Make a backup in this file first; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: Option<PathBuf>,

    /// Count only, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}
