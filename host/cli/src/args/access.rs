//! Tokens, and the audit log.

use clap::{Args, Subcommand};

use super::{OnceArgs, PageArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token. It is printed once, and kept nowhere.
    Create {
        /// Whose it is, such as ann or ci: lower-case letters, digits, '-', '_' and '.'.
        name: String,
        /// viewer, operator, admin, or metrics (reads /metrics and the health alone).
        #[arg(long)]
        role: String,
        /// When it ends, such as 90d; never without it.
        #[arg(long, value_name = "SPAN")]
        expires_in: Option<String>,
        #[command(flatten)]
        once: OnceArgs,
    },
    /// All tokens, without the tokens themselves.
    List,
    /// Let it count no longer, from now on; browsers that logged in with it are logged out.
    Revoke {
        name: String,
        #[command(flatten)]
        once: OnceArgs,
    },
    /// As whom this command is let in, and with which role.
    Whoami,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// Those that are logged in, the one that was used last first.
    List,
    /// Log it out at once, and end what it follows.
    End {
        /// As `hookbox sessions list` shows it.
        id: String,
        #[command(flatten)]
        once: OnceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// What this token or person did.
    #[arg(long)]
    pub(crate) who: Option<String>,
    /// What was done, or the object that it was done to, contains this.
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// At this time or later, such as 2026-11-20T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}
