use std::path::PathBuf;

use clap::Args;

use super::{CONFIG_FILE, OperatorArgs};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Check the store in this folder alone, of a host that is stopped.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// A file of ids, one a line: exit with 1 if one of them is missing.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(crate) has: Option<PathBuf>,

    /// The configuration.
    #[arg(long, default_value = CONFIG_FILE, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Where the plugins are.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    pub(crate) plugins: PathBuf,

    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}
