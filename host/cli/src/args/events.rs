//! Events, and what leads from them to handlers.

use std::path::PathBuf;

use clap::Subcommand;

use super::{OnceArgs, PageArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// The latest events.
    List {
        #[command(flatten)]
        page: PageArgs,
        /// Those alone that have reached no handler.
        #[arg(long, conflicts_with = "suppressed")]
        unrouted: bool,
        /// Deliveries that were duplicates, and so are no events.
        #[arg(long)]
        suppressed: bool,
    },
    /// One event with its body and runs.
    Show {
        id: String,
        /// A delivery that was a duplicate.
        #[arg(long)]
        suppressed: bool,
    },
    /// Take a delivery in after all that was a duplicate: it becomes an event.
    Release {
        id: String,
        #[command(flatten)]
        once: OnceArgs,
    },
    /// Give events that have reached no handler the runs that they would have now.
    Route {
        /// One event.
        #[arg(required_unless_present = "unrouted", conflicts_with = "unrouted")]
        id: Option<String>,
        /// All of them, oldest first.
        #[arg(long, conflicts_with = "idempotency_key")]
        unrouted: bool,
        /// Those of one provider, or of one plugin that emits.
        #[arg(long, value_name = "NAME", requires = "unrouted")]
        provider: Option<String>,
        /// Only count what would be done.
        #[arg(long, requires = "unrouted")]
        dry_run: bool,
        #[command(flatten)]
        once: OnceArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoutesCommand {
    /// All handlers that take events, with their patterns and filters.
    List,
    /// Which handlers a delivery would reach, and why not the others. Exits with 1 if it would reach none.
    Test {
        /// A file with the delivery's body.
        file: PathBuf,
        /// Who would send it: a provider, or a plugin that emits.
        #[arg(long, value_name = "NAME")]
        provider: String,
        /// The event's type; read from the delivery unless given.
        #[arg(long = "type", value_name = "TYPE")]
        event_type: Option<String>,
        /// A header, as often as needed.
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
    },
}
