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

mod access;
mod alerts;
mod args;
mod backup;
mod bench;
mod body_file;
mod capture;
mod check;
mod client;
mod clock;
mod cron;
mod delivery;
mod dev;
mod doctor;
mod environment;
mod follow;
mod health;
mod host;
mod import;
mod inspect;
mod invoke;
mod new;
mod output;
mod plugins;
mod project;
mod providers;
mod queue;
mod routing;
mod schedules;
mod searches;
mod secret_text;
mod send;
mod shell;
mod sign;
mod verify;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use hookbox_core::name::PluginName;
use sd_notify::NotifyState;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, HostArgs, OperatorArgs};
use client::{Client, Refused};
use environment::Environment;
use host::{End, Host};
use inspect::Print;
use project::{Mistakes, Project};

/// Taking a webhook in, running it and writing it down are many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DONE: u8 = 0;
/// What was asked for was not done.
const FAILED: u8 = 1;
/// What the operator wrote is at fault: it fails again until that is changed.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    // The allocator asks for huge pages, and an idle host would hold 30 MiB more for it. Refused, it costs only those.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    log_to_stderr(&cli.command);
    let print_json = cli.json;
    let code = run(cli).unwrap_or_else(|error| {
        if print_json {
            say!("{}", json!({ "error": format!("{error:#}") }));
        } else {
            eprintln!("{error:#}");
        }
        code_of(&error)
    });
    ExitCode::from(code)
}

fn code_of(error: &anyhow::Error) -> u8 {
    let refused = error.downcast_ref::<Refused>().is_some_and(Refused::is_mistake);
    if refused || error.is::<Mistakes>() { MISTAKE } else { FAILED }
}

/// What does not read is told by clap itself, but for `cron --json`, which says everything as JSON.
fn refuse(error: &clap::Error) -> ExitCode {
    let Some((field, message)) = args::cron_refusal(error, std::env::args_os()) else { error.exit() };
    say!("{}", cron::refused(field, &message));
    ExitCode::from(MISTAKE)
}

/// The exit code of a command that has said for itself what there is to say.
fn run(cli: Cli) -> Result<u8> {
    let done_or = |code: u8| move |good: bool| if good { DONE } else { code };
    let print = if cli.json { Print::Json } else { Print::Tables };
    let client = |operator: &OperatorArgs| -> Result<Client> {
        let environment = Environment::read(std::path::Path::new("."))?;
        Client::new(&operator.url, environment.get("HOOKBOX_TOKEN"))
    };
    match cli.command {
        Command::Serve(args) => block_on(serve(&args)).map(|end| end == End::Asked).map(done_or(FAILED)),
        Command::Dev(args) => block_on(dev::run(&args)).map(|end| end == End::Asked).map(done_or(FAILED)),
        Command::Check(project) => block_on(check::check(&project, print)).map(done_or(MISTAKE)),
        Command::New { name, project } => new::new(&name, &project.plugins, print).map(|()| DONE),
        Command::Build { names, project } => build(&names, &project.plugins, print).map(done_or(FAILED)),
        Command::SignPlugin(args) => sign::sign(&args, print).map(|()| DONE),
        Command::Invoke(args) => block_on(invoke::invoke(&args, print)).map(done_or(FAILED)),
        Command::Verify(args) => verify::verify(&args, print).map(done_or(FAILED)),
        Command::Capture(args) => block_on(capture::capture(&args, print)).map(|()| DONE),
        Command::Send(args) => send::send(&args, print).map(done_or(FAILED)),
        Command::Events { operator, command } => inspect::events(&client(&operator)?, command, print).map(|()| DONE),
        Command::Routes { operator, command } => {
            routing::routes(&client(&operator)?, command, print).map(done_or(FAILED))
        }
        Command::Runs { operator, command } => inspect::runs(&client(&operator)?, command, print).map(|()| DONE),
        Command::Searches { operator, command } => {
            searches::searches(&client(&operator)?, command, print).map(|()| DONE)
        }
        Command::Holds { operator, command } => queue::holds(&client(&operator)?, command, print).map(|()| DONE),
        Command::Enqueue { operator, args } => queue::enqueue(&client(&operator)?, &args, print).map(done_or(FAILED)),
        Command::Schedules { operator, command } => schedules::schedules(&client(&operator)?, command, print),
        Command::Cron { command } => Ok(done_or(MISTAKE)(cron::cron(&command, print))),
        Command::Providers { operator, command } => {
            providers::providers(|| client(&operator), command, print).map(|()| DONE)
        }
        Command::Plugins { operator, command } => plugins::plugins(&client(&operator)?, command, print).map(|()| DONE),
        Command::Tokens { operator, command } => access::tokens(&client(&operator)?, command, print).map(|()| DONE),
        Command::Sessions { operator, command } => access::sessions(&client(&operator)?, command, print).map(|()| DONE),
        Command::Audit { operator, args } => access::audit(&client(&operator)?, &args, print).map(|()| DONE),
        Command::Alerts { operator, command } => alerts::alerts(&client(&operator)?, command, print).map(|()| DONE),
        Command::Doctor(args) => doctor::doctor(&args, || client(&args.operator), print).map(done_or(FAILED)),
        Command::Overview { operator, span } => health::overview(&client(&operator)?, span, print).map(|()| DONE),
        Command::System { operator } => health::system(&client(&operator)?, print).map(|()| DONE),
        Command::Health { operator } => health::health(&client(&operator)?, print).map(done_or(FAILED)),
        Command::Completion { shell } => {
            shell::completion(shell);
            Ok(DONE)
        }
        Command::Man { out } => shell::man(out.as_deref()).map(|()| DONE),
        Command::Backup(args) => backup::back_up(&args, &client(&args.operator)?, print).map(|()| DONE),
        Command::Restore(args) => backup::restore(&args, print).map(|()| DONE),
        Command::Migrate(args) => block_on(backup::migrate(&args, print)).map(|()| DONE),
        Command::Import { command } => import::import(&command, print).map(|()| DONE),
        Command::Bench(args) => bench::bench(&args, &client(&args.operator)?, print).map(|()| DONE),
    }
}

async fn serve(args: &HostArgs) -> Result<End> {
    let project = Project::read(&args.project)?;
    let Some(host) = Host::start(args, project, None).await? else { return Ok(End::Asked) };
    say!("hookbox is ready: webhooks at {}, operator at {}", host.origin, host.operator);
    // Where systemd waits for it; elsewhere nothing happens.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    host.run().await
}

/// True if every plugin was built.
fn build(names: &[String], plugins: &std::path::Path, print: Print) -> Result<bool> {
    let parsed: Result<Vec<PluginName>, _> = names.iter().map(|name| PluginName::parse(name)).collect();
    let mut names = parsed.map_err(|error| Mistakes(vec![error.to_string()]))?;
    if names.is_empty() {
        names = dev::build::sources(plugins)?;
    }
    dev::build::ensure_target()?;
    let (mut built, mut failed) = (Vec::new(), Vec::new());
    for name in names {
        match dev::build::build(plugins, &name) {
            Ok(file) => {
                if print == Print::Tables {
                    say!("{}", file.display());
                }
                built.push(name);
            }
            Err(error) => {
                eprintln!("{error:#}");
                failed.push(name);
            }
        }
    }
    if print == Print::Json {
        inspect::json(&json!({ "built": built, "failed": failed }))?;
    }
    Ok(failed.is_empty())
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
