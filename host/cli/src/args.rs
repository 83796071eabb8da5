//! The command line as it is typed.

mod access;
mod alerts;
mod cron;
mod data;
mod deliveries;
mod doctor;
mod events;
mod import;
mod plugins;
mod runs;
mod schedules;
mod sign;
mod verify;
mod writes;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use access::{AuditArgs, SessionsCommand, TokensCommand};
pub(crate) use alerts::AlertsCommand;
pub(crate) use cron::{CronArgs, CronCommand, refusal as cron_refusal};
pub(crate) use data::{BackupArgs, MigrateArgs, RestoreArgs};
pub(crate) use deliveries::{Bad, CaptureArgs, SendArgs};
pub(crate) use doctor::DoctorArgs;
pub(crate) use events::{EventsCommand, RoutesCommand};
pub(crate) use import::{CeleryArgs, ImportCommand};
pub(crate) use plugins::{PluginsCommand, PushArgs};
pub(crate) use runs::{BulkArgs, EnqueueArgs, HoldsCommand, PayloadArgs, RunFilterArgs, RunsCommand, SearchesCommand};
pub(crate) use schedules::{BackfillArgs, PutArgs, SchedulesCommand};
pub(crate) use sign::SignArgs;
pub(crate) use verify::VerifyArgs;
pub(crate) use writes::{ConditionArgs, OnceArgs};

/// The configuration unless another is named.
pub(crate) const CONFIG_FILE: &str = "hooks.yaml";

/// Receives and verifies webhooks, ticks schedules, and runs each event or job in a sandboxed WebAssembly component.
#[derive(Debug, Parser)]
#[command(name = "hookbox", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// For the commands that speak to a running host.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Where the operator API of the running host is.
    #[arg(long, global = true, env = "HOOKBOX_URL", default_value = "http://127.0.0.1:5555", value_name = "URL")]
    pub(crate) url: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the host: the plugins are the .wasm files in plugins/.
    Serve(HostArgs),
    /// Run the host for development: build plugins/NAME/ now and on every save, make up secrets that are missing.
    Dev(HostArgs),
    /// Check hooks.yaml, the secrets it names and the plugins, and change nothing.
    Check(ProjectArgs),
    /// Make a new plugin in plugins/NAME/ that builds and passes its tests.
    New {
        /// Lower-case letters, digits, '-' and '_'.
        name: String,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Build plugins/NAME/ to plugins/NAME.wasm.
    Build {
        /// All plugins unless named.
        names: Vec<String>,
        #[command(flatten)]
        project: ProjectArgs,
    },
    /// Sign components, so that a host with trust.keys takes them; or make the key for it.
    SignPlugin(SignArgs),
    /// Run one handler of a component once, with keys in memory and without a host.
    Invoke(InvokeArgs),
    /// Sign a test webhook as its sender would, and post it.
    Send(SendArgs),
    /// Tell whether a signature is right, and if not, why.
    Verify(VerifyArgs),
    /// Take real deliveries and write each to a file that `invoke`, `send` and `verify` take.
    Capture(CaptureArgs),
    /// Look at the events that were taken in, and route those that reached no handler.
    Events {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Look at what leads to the handlers, and try it with a delivery.
    Routes {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: RoutesCommand,
    },
    /// Look at runs, cancel and replay them.
    Runs {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// Keep searches for the list of runs: everybody who looks at this host has them.
    Searches {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: SearchesCommand,
    },
    /// Hold back the runs of the host, of a plugin or of a handler, and release them.
    Holds {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: HoldsCommand,
    },
    /// Make a job for a handler by hand.
    Enqueue {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(flatten)]
        args: EnqueueArgs,
    },
    /// Look at schedules; make, change, pause, run and backfill them.
    Schedules {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: SchedulesCommand,
    },
    /// Say when a cron expression fires, and why.
    Cron {
        #[command(subcommand)]
        command: CronCommand,
    },
    /// Look at the senders that are known by name, and pair with one that brings its secret.
    Providers {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: Option<ProvidersCommand>,
    },
    /// Look at the plugins and their versions, push one, and go back to an earlier one.
    Plugins {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: PluginsCommand,
    },
    /// Look at what is wrong, and try the channels that are told of it.
    Alerts {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: AlertsCommand,
    },
    /// Make tokens for people and programs, list and revoke them.
    Tokens {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: TokensCommand,
    },
    /// See which browsers are logged in, and log one out.
    Sessions {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(subcommand)]
        command: SessionsCommand,
    },
    /// What was done by the operator API and the pages, by whom, and how it ended.
    Audit {
        #[command(flatten)]
        operator: OperatorArgs,
        #[command(flatten)]
        args: AuditArgs,
    },
    /// Look at everything that a host stands on, and say the cure of what is wrong.
    Doctor(DoctorArgs),
    /// Say whether all is well, what somebody should look at, and how it goes.
    Overview {
        #[command(flatten)]
        operator: OperatorArgs,
        /// With --json, what is looked back on: 1h, 6h or 24h.
        #[arg(long)]
        span: Option<String>,
    },
    /// Show the host itself: its release, its store and disk, and the limits that count.
    System {
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Say how a running host is. Exits with 1 unless it takes webhooks.
    Health {
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Print what completes the commands in a shell.
    Completion { shell: clap_complete::Shell },
    /// Print the manual page.
    Man {
        /// Write a page for each command into this folder instead.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Write everything that a running host has stored, and its plugins, to one file.
    Backup(BackupArgs),
    /// Put a backup into an empty data folder.
    Restore(RestoreArgs),
    /// Write what older releases have stored anew, in the newest form. The host must be stopped.
    Migrate(MigrateArgs),
    /// Take schedules over from another scheduler.
    Import {
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Drive a running host with signed webhooks and print what it does.
    Bench(BenchArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ProjectArgs {
    /// The configuration. Where hooks.yaml is missing and no other file is named, the defaults count.
    #[arg(long, default_value = CONFIG_FILE, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Where the plugins are.
    #[arg(long, default_value = "plugins", value_name = "DIR")]
    pub(crate) plugins: PathBuf,

    /// The folder of the store, in place of the one in hooks.yaml.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct HostArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArgs,

    /// Where webhooks come in, in place of server.listen in hooks.yaml. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where the operator API is, in place of operator.listen in hooks.yaml.
    #[arg(long, value_name = "ADDR")]
    pub(crate) operator: Option<SocketAddr>,

    /// Write log lines as JSON.
    #[arg(long, env = "HOOKBOX_LOG_JSON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) log_json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    /// The component.
    pub(crate) file: PathBuf,

    /// The handler; the only one unless given.
    #[arg(long)]
    pub(crate) handler: Option<String>,

    /// The event's topic, provider/type; the handler's own pattern unless given.
    #[arg(long, value_name = "TOPIC")]
    pub(crate) event: Option<String>,

    /// The payload.
    #[arg(long, value_name = "TEXT", conflicts_with = "payload_file")]
    pub(crate) payload: Option<String>,

    /// A file with the payload.
    #[arg(long, value_name = "FILE")]
    pub(crate) payload_file: Option<PathBuf>,

    /// A file that `hookbox capture` wrote: its body, media type and type of event.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["payload", "payload_file"])]
    pub(crate) delivery: Option<PathBuf>,

    /// Media type of the payload.
    #[arg(long, default_value = "application/json", value_name = "TYPE")]
    pub(crate) content_type: String,

    /// hooks.yaml with the plugin's limits, config and grants.
    #[arg(long, default_value = CONFIG_FILE, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,

    /// A provider of the generic scheme.
    #[arg(long, default_value = "shop")]
    pub(crate) provider: String,

    /// The event's type.
    #[arg(long = "type", default_value = "user.created", value_name = "TYPE")]
    pub(crate) event_type: String,

    /// Webhooks to send.
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub(crate) total: u32,

    /// Connections that send one webhook after the other.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) connections: u32,

    /// Webhooks a second, each sent in its turn and its answer timed from then on; without it as fast as they are answered.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: Option<u32>,

    /// Size of a body in bytes.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..=1_000_000))]
    pub(crate) body_bytes: u32,

    /// Where webhooks come in; server.listen of hooks.yaml unless given. Loopback only.
    #[arg(long, env = "HOOKBOX_INGRESS", value_name = "URL")]
    pub(crate) ingress: Option<String>,

    #[command(flatten)]
    pub(crate) project: ProjectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Rows at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,

    /// Where the page before ended.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersCommand {
    /// All presets: what signs a delivery, and where.
    List,
    /// One preset: what is signed and what is not, what stops a replay, and where its secret is found.
    Show {
        /// The preset, or another name of it.
        name: String,
    },
    /// The senders that the running host takes webhooks of: what came, and what was refused. With a name, one of them.
    Live {
        /// The provider, as in its URL.
        name: Option<String>,
    },
    /// Wait for a sender that brings the secret in its first POST, as Notion does, and keep it once you agree.
    Pair {
        /// The provider, as in hooks.yaml, which names a file for the secret.
        name: String,
        /// Agree beforehand to whatever comes first.
        #[arg(long)]
        yes: bool,
    },
}
