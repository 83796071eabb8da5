//! Deliveries that are sent, and those that are kept.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ProjectArgs;

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The provider, as in its URL.
    #[arg(required_unless_present_any = ["named", "delivery"])]
    pub(crate) provider: Option<String>,

    /// The provider, in another place.
    #[arg(long = "provider", value_name = "PROVIDER", conflicts_with = "provider")]
    pub(crate) named: Option<String>,

    /// The event's type, where the scheme has a place for it.
    #[arg(long = "type", default_value = "test", value_name = "TYPE")]
    pub(crate) event_type: String,

    /// The delivery's id; a new one unless given.
    #[arg(long)]
    pub(crate) id: Option<String>,

    /// A file with the body, or - for the standard input; a body that fits the scheme unless given.
    #[arg(long, alias = "body-file", value_name = "FILE", conflicts_with = "text")]
    pub(crate) body: Option<PathBuf>,

    /// The body itself.
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,

    /// A file that `hookbox capture` wrote: it is posted as it came.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["body", "text", "id", "bad"])]
    pub(crate) delivery: Option<PathBuf>,

    /// The private key, where the provider's secret is a public one: env:NAME, file:PATH, or the text itself.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    pub(crate) signing_key: Option<OsString>,

    /// Sign what came with --delivery anew: the time of the old signature is over.
    #[arg(long, requires = "delivery")]
    pub(crate) resign: bool,

    /// Send what the host must not take, and fail if it does.
    #[arg(long, value_name = "HOW")]
    pub(crate) bad: Option<Bad>,

    /// Where webhooks come in; server.listen of hooks.yaml unless given.
    #[arg(long, env = "HOOKBOX_INGRESS", value_name = "URL")]
    pub(crate) ingress: Option<String>,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

/// What is wrong with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bad {
    /// Signed with another secret.
    Signature,
    /// Signed a day ago.
    Time,
    /// Sent twice.
    Duplicate,
}

#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    /// Where deliveries come in, on any path. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,

    /// The folder for the files, which hold signatures and tokens as they came.
    #[arg(long, default_value = "deliveries", value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Deliveries to write; then it ends.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) count: u32,

    /// A host that gets each delivery, too, and whose answer goes back: http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub(crate) forward: Option<String>,
}
