use clap::Subcommand;

use super::OnceArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// What is wrong, and the channels that are told of it.
    List {
        /// Those that have ended, too.
        #[arg(long)]
        history: bool,
    },
    /// Send a message to a channel that says that it is a test. Fails where the channel does not take it.
    Test {
        /// As alerts.channels in hooks.yaml names it.
        channel: String,
        #[command(flatten)]
        once: OnceArgs,
    },
}
