use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// Components; the signature of FILE goes to FILE.minisig.
    #[arg(required_unless_present = "generate", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The secret key: a file that --generate made, or minisign.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// Make a new secret key in that file, and the public key in NAME.pub beside it.
    #[arg(long, conflicts_with_all = ["files", "comment"])]
    pub(crate) generate: bool,

    /// Protect the new key by no password: whoever reads the file can sign.
    #[arg(long, requires = "generate")]
    pub(crate) no_password: bool,

    /// What is signed with the file and shown of it, in one line; the time and the file's name unless given.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}
