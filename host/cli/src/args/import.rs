//! What is taken over from elsewhere.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hookbox_core::name::PluginName;

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Celery's beat_schedule, from a Python file, which is read and never run, or from JSON.
    Celery(CeleryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CeleryArgs {
    /// A .py file with beat_schedule, add_periodic_task or CELERY_BEAT_SCHEDULE in it; or a .json file with the entries
    /// by name, or what `manage.py dumpdata django_celery_beat` printed.
    pub(crate) file: PathBuf,

    /// Where to write; it must not be there yet. The terminal unless given.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// The plugin whose handlers all tasks become; by the name of each task unless given.
    #[arg(long, value_name = "NAME", value_parser = PluginName::parse)]
    pub(crate) plugin: Option<PluginName>,
}
