//! The binary: reads the command line, puts the parts together, and turns
//! errors into words and exit codes: 0 done, 1 failed, 2 the operator's input
//! is at fault.

/// Prints a line. Whoever reads may have gone, as `head` does: that is no fault.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod args;
mod bench;
mod check;
mod client;
mod clock;
mod dev;
mod doctor;
mod environment;
mod host;
mod inspect;
mod invoke;
mod new;
mod output;
mod project;
mod send;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use hookbox_core::name::PluginName;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, HostArgs};
use client::Client;
use environment::Environment;
use host::{End, Host};
use inspect::Print;
use project::{Mistakes, Project};

/// Taking a webhook in, running it and writing it down are many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Asked of a running host only; a command that never ends in time is stopped by its client's own limits.
const FAILED: u8 = 1;
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    // The allocator asks for huge pages, and an idle host would hold 30 MiB more for it. Refused, it costs only those.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = Cli::parse();
    log_to_stderr(&cli.command);
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(if error.is::<Mistakes>() { MISTAKE } else { FAILED })
        }
    }
}

/// True if all went well.
fn run(cli: Cli) -> Result<bool> {
    let print = if cli.json { Print::Json } else { Print::Tables };
    let client = || -> Result<Client> {
        let environment = Environment::read(std::path::Path::new("."))?;
        Ok(Client::new(&cli.url, environment.get("HOOKBOX_TOKEN")))
    };
    match cli.command {
        Command::Serve(args) => block_on(serve(&args)).map(|end| end == End::Asked),
        Command::Dev(args) => block_on(dev::run(&args)).map(|end| end == End::Asked),
        Command::Check(project) => block_on(check::check(&project, print)),
        Command::New { name, project } => new::new(&name, &project.plugins).map(|()| true),
        Command::Build { names, project } => build(&names, &project.plugins),
        Command::Invoke(args) => block_on(invoke::invoke(&args, print)),
        Command::Send(args) => send::send(&args, print).map(|()| true),
        Command::Events(command) => inspect::events(&client()?, command, print).map(|()| true),
        Command::Runs(command) => inspect::runs(&client()?, command, print).map(|()| true),
        Command::Schedules(command) => inspect::schedules(&client()?, command, print).map(|()| true),
        Command::Plugins(command) => inspect::plugins(&client()?, command, print).map(|()| true),
        Command::Doctor { data, has } => doctor::doctor(&data, has.as_deref(), print),
        Command::Bench(args) => bench::bench(&args, &client()?, print).map(|()| true),
    }
}

async fn serve(args: &HostArgs) -> Result<End> {
    let project = Project::read(&args.project)?;
    let host = Host::start(args, project, None).await?;
    say!("hookbox is ready: webhooks at http://{}, operator at http://{}", host.ingress, host.operator);
    host.run().await
}

fn build(names: &[String], plugins: &std::path::Path) -> Result<bool> {
    let parsed: Result<Vec<PluginName>, _> = names.iter().map(|name| PluginName::parse(name)).collect();
    let mut names = parsed.map_err(|error| Mistakes(vec![error.to_string()]))?;
    if names.is_empty() {
        names = dev::build::sources(plugins)?;
    }
    dev::build::ensure_target()?;
    let mut all = true;
    for name in names {
        match dev::build::build(plugins, &name) {
            Ok(file) => say!("{}", file.display()),
            Err(error) => {
                eprintln!("{error:#}");
                all = false;
            }
        }
    }
    Ok(all)
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime does not start")?.block_on(work)
}

/// `HOOKBOX_LOG` chooses what is told, in the words of tracing's filters; `info` unless it is set.
fn log_to_stderr(command: &Command) {
    let filter = EnvFilter::builder().with_env_var("HOOKBOX_LOG").with_default_directive(tracing::Level::INFO.into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    match command {
        Command::Serve(HostArgs { log_json: true, .. }) | Command::Dev(HostArgs { log_json: true, .. }) => {
            log.json().init()
        }
        _ => log.init(),
    }
}
