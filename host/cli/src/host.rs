//! The running host: everything put together, in the order of a start.
//!
//! 1. hooks.yaml and the secrets are read: every mistake ends the start here.
//! 2. The store is opened; its rows give the routes.
//! 3. The versions that served last are brought back, and both listeners open:
//!    what is accepted now is routed as before.
//! 4. The plugins folder is scanned, and what changed is taken in.
//! 5. The engine starts: what an older boot left running is rescued, then runs
//!    are claimed.

mod access;
mod adapters;
mod alerts;
mod asked;
mod descriptors;
mod guests;
mod kept;
mod listeners;
mod otlp;
mod plugins;
mod reload;
mod settings;
mod trend;
mod trust;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::distribution::Meters;
use hookbox_core::id::Mint;
use hookbox_core::queue::Room;
use hookbox_core::spending::Spending;
use hookbox_core::time::Millis;
use hookbox_engine::{Declarer, Engine, Parts, RunEnded};
use hookbox_http::alerts::Alerts;
use hookbox_http::changes::Changes;
use hookbox_http::ingress::{self, Ingress};
use hookbox_http::lifecycle::Lifecycle;
use hookbox_http::operator::{self, Listens, Operator};
use hookbox_http::pairing::Pairing;
use hookbox_http::serve::ServerLimits;
use hookbox_http::tally::Tally;
use hookbox_http::trend::{Sources, Trend};
use hookbox_http::uploads::Uploads;
use hookbox_sandbox::{Sandbox, SandboxOptions, SystemResolver};
use hookbox_store::Store;
use hookbox_store::embedded::SledStore;
use sd_notify::NotifyState;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::args::HostArgs;
use crate::backup;
use crate::clock::SystemClock;
use crate::environment;
use crate::project::{self, Project};
use adapters::{InSandbox, StoreKv};
use alerts::{Settled, Watcher};
use asked::{Anew, Asked, Cut};
use listeners::{bind, serve_until};
use otlp::Exporter;
use plugins::{Plugins, Trials, scan, take_proposals};
use settings::{engine_settings, ingress_limits};
use trust::LiveTrust;
use versions::Versions;

pub(crate) use alerts::Channels;
pub(crate) use reload::live_providers;

/// How long running attempts may go on at a stop.
const DRAIN: Millis = Millis(25_000);
/// Connections of operators at one time.
const OPERATOR_CONNECTIONS_MAX: usize = 256;
/// Proposals of the folder that wait.
const PROPOSALS_MAX: usize = 16;

pub(crate) struct Host {
    asked: Asked,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where webhooks are sent to on this machine.
    pub(crate) origin: String,
    /// Where people and commands reach it.
    pub(crate) operator: String,
    lifecycle: Arc<Lifecycle>,
    engine: Engine,
    stop_serving: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    doers: Vec<JoinHandle<()>>,
    guests: tokio::runtime::Runtime,
    exporter: Option<Exporter>,
    trend: Arc<Trend>,
    looked_at: Sources,
    data: PathBuf,
}

/// How a host came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Asked,
    StoreFailed,
}

impl Host {
    /// Nothing where it was asked to stop meanwhile.
    pub(crate) async fn start(
        args: &HostArgs,
        project: Project,
        observer: Option<mpsc::Sender<RunEnded>>,
    ) -> Result<Option<Host>> {
        // From here on they end no process that is about to start, and none is lost: the first process of a container
        // has no signal that it does not listen for. A stop that is asked for meanwhile comes before any run is begun.
        let mut asked = Asked::listen().context("cannot listen for signals")?;
        let _cut = Cut::at_second().context("cannot listen for signals")?;
        let anew = Anew::listen(project.dev).context("cannot listen for signals")?;
        let files = reload::files(&project, &args.project);
        let taken = reload::stamps(&files);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let listen_at = args.listen.unwrap_or(project.config.server.listen);
        let operator_listen = args.operator.unwrap_or(project.config.operator.listen);
        let (providers, plugin_settings, token) =
            project::together(live_providers(&project), project.plugin_settings(), project.operator_token())?;
        let fixed = reload::Fixed::of(&project)?;
        let providers = Arc::new(ArcSwap::from_pointee(providers));
        let plugin_settings = Arc::new(ArcSwap::from_pointee(plugin_settings));
        let trust = Arc::new(LiveTrust::new(project.config.trust()));
        let reserved = Arc::new(ArcSwap::from_pointee(reload::reserved(&project)?));
        let engine_settings = Arc::new(ArcSwap::from_pointee(engine_settings(&project)));
        let (alert_settings, settled) = watch::channel(Arc::new(Settled::of(&project)?));
        let limits = ingress_limits(&project)?;
        let tls = project.tls_texts()?.map(|texts| texts.tls()).transpose()?.map(Arc::new);
        let operator_tls = project.operator_tls_texts()?.map(|texts| texts.tls()).transpose()?.map(Arc::new);

        let store: Arc<dyn Store> = Arc::new(SledStore::open(&project.data)?);
        let mint = Arc::new(Mint::new(random_seed()?));
        let exporter = Exporter::of(&project)?;
        let tracing = exporter.as_ref().map(|exporter| exporter.tracing(&project, &clock, &mint)).unwrap_or_default();
        let kv = Arc::new(StoreKv { store: store.clone(), clock: clock.clone() });
        let slots = project.config.engine.slots as usize;
        let sandbox = Arc::new(Sandbox::new(SandboxOptions {
            cache: project.data.join("compiled"),
            slots,
            stack_bytes: project.config.engine.stack_bytes,
            clock: clock.clone(),
            resolver: Arc::new(SystemResolver::default()),
        })?);
        let trials = Arc::new(Trials::new(engine_settings.clone()));
        let execute = Arc::new(InSandbox::new(sandbox.clone(), kv, trials.clone()));
        let changes = Arc::new(Changes::new(clock.now()));
        let schedules = Arc::new(Declarer::new(store.clone(), engine_settings.clone(), clock.clone()));
        let uploads = Arc::new(Uploads::to(project.plugins.clone()));
        let plugins = Arc::new(Plugins {
            store: store.clone(),
            sandbox: sandbox.clone(),
            execute: execute.clone(),
            clock: clock.clone(),
            settings: plugin_settings.clone(),
            trust: trust.clone(),
            dev: project.dev,
            reserved: reserved.clone(),
            engine: engine_settings.clone(),
            schedules: schedules.clone(),
            versions: Versions::open(project.data.join("versions"))?,
            folder: project.plugins.clone(),
            uploads: uploads.clone(),
            trials,
            changes: changes.clone(),
            turn: tokio::sync::Mutex::default(),
        });
        plugins.restore().await?;

        let lifecycle = Arc::new(Lifecycle::default());
        let (stop_serving, stopped) = watch::channel(false);
        let ingress_listener = bind(listen_at, "server.listen")?;
        let operator_listener = bind(operator_listen, "operator.listen")?;
        let (ingress_at, operator_at) = (ingress_listener.local_addr()?, operator_listener.local_addr()?);
        let access = access::of(&project, operator_at, token.as_ref(), &*store, clock.now())?;
        let pairing = Arc::new(Pairing::new(Box::new(environment::keep_secret)));
        let tally = Arc::new(Tally::default());
        let (spending, meters) = (Arc::new(Spending::default()), Arc::new(Meters::default()));
        let (alerts, tests) = Alerts::new();
        let alerts = Arc::new(alerts);
        let watcher = Watcher {
            store: store.clone(),
            tally: tally.clone(),
            spending: spending.clone(),
            providers: providers.clone(),
            clock: clock.clone(),
            mint: mint.clone(),
            queue_max: limits.queue_max,
            data: project.data.clone(),
            alerts: alerts.clone(),
            settings: settled,
        };
        let trend = Arc::new(trend::read(&project.data));
        let looked_at =
            Sources { store: store.clone(), tally: tally.clone(), spending: spending.clone(), clock: clock.clone() };
        let public = ingress::router(Ingress {
            store: store.clone(),
            clock: clock.clone(),
            mint: mint.clone(),
            providers: providers.clone(),
            pairing: pairing.clone(),
            tally: tally.clone(),
            lifecycle: lifecycle.clone(),
            tracing: tracing.clone(),
            limits,
            trusted_proxies: project.config.server.trusted_proxies.clone(),
            listens_on: ingress_at.ip(),
        });
        let config = Arc::new(ArcSwap::from_pointee(project.config.clone()));
        let connections_max = descriptors::for_connections(project.config.server.connections_max as usize);
        let private = operator::router(Operator {
            store: store.clone(),
            clock: clock.clone(),
            mint: mint.clone(),
            providers: providers.clone(),
            pairing: pairing.clone(),
            tally: tally.clone(),
            spending: spending.clone(),
            live_logs: sandbox.live_logs(),
            meters: meters.clone(),
            data: project.data.clone(),
            trend: trend.clone(),
            lifecycle: lifecycle.clone(),
            settings: plugin_settings.clone(),
            access,
            body_bytes_max: limits.body_bytes_max,
            queue_max: limits.queue_max,
            uploads,
            backed_up: backup::folders(&project.data, &project.plugins),
            changes,
            config: config.clone(),
            alerts: alerts.clone(),
            listens: Listens { webhooks: ingress_at, operator: operator_at, connections_max },
        });
        let public_limits = ServerLimits {
            connections_max,
            crowds: project.config.server.trusted_proxies.clone(),
            ..ServerLimits::default()
        };
        let private_limits = ServerLimits {
            connections_max: OPERATOR_CONNECTIONS_MAX,
            crowds: project.config.operator.trusted_proxies.clone(),
            ..ServerLimits::default()
        };
        let mut servers = vec![
            tokio::spawn(serve_until(ingress_listener, public, tls.clone(), public_limits, stopped.clone())),
            tokio::spawn(serve_until(operator_listener, private, operator_tls.clone(), private_limits, stopped)),
        ];
        // The routes of the last stop are in place, so nothing that comes now is kept as unrouted by mistake. On the
        // very first start there are none: the folder is scanned first.
        let first_start = store.catalogue().plugins().next().is_none();
        if !first_start {
            lifecycle.begin_serving();
        }

        let folder = scan(&project, &plugins).await?;
        lifecycle.begin_serving();
        if asked.once() {
            lifecycle.begin_draining();
            stop_serving.send_replace(true);
            for server in servers {
                let _ = server.await;
            }
            tracing::info!("stopped before any run was begun");
            return Ok(None);
        }
        let guests = guests::runtime()?;
        let engine = Engine::start(Parts {
            room: Room(limits.queue_max),
            store: store.clone(),
            execute,
            clock: clock.clone(),
            mint,
            settings: engine_settings.clone(),
            schedules,
            guests: guests.handle().clone(),
            slots,
            spending,
            meters,
            tracing,
            observer,
        })
        .await?;

        // Stopped as servers are: what it is about to tell is told to the end.
        servers.push(tokio::spawn(watcher.watch(tests, stop_serving.subscribe())));
        let (proposals, proposed) = mpsc::channel(PROPOSALS_MAX);
        let doers = vec![
            tokio::spawn(take_proposals(plugins.clone(), proposed, folder.again())),
            tokio::spawn(folder.watch(proposals)),
            tokio::spawn(plugins.clone().obey()),
            tokio::spawn(plugins.clone().judge()),
            tokio::spawn(trend::watch(trend.clone(), looked_at.clone(), project.data.clone())),
            tokio::spawn(reload::watch(reload::Live {
                args: args.project.clone(),
                dev: project.dev,
                files,
                taken,
                config,
                tls: tls.clone(),
                operator_tls: operator_tls.clone(),
                providers,
                reserved,
                plugin_settings,
                trust,
                engine_settings,
                alert_settings,
                plugins,
                anew,
                fixed,
            })),
        ];
        Ok(Some(Host {
            asked,
            store,
            clock,
            origin: format!("{}://{ingress_at}", if tls.is_some() { "https" } else { "http" }),
            operator: format!("{}://{operator_at}", if operator_tls.is_some() { "https" } else { "http" }),
            lifecycle,
            engine,
            stop_serving,
            servers,
            doers,
            guests,
            exporter,
            trend,
            looked_at,
            data: project.data.clone(),
        }))
    }

    /// Runs until somebody asks it to stop or the store has failed for good, then drains. A disk that is full or fails
    /// for a while ends nothing: senders are told to come again.
    pub(crate) async fn run(self) -> Result<End> {
        let mut asked = self.asked;
        let end = tokio::select! {
            () = asked.again() => End::Asked,
            () = self.store.signals().failed.notified() => End::StoreFailed,
        };
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        tracing::info!("stopping: running attempts have {DRAIN} to end");
        self.lifecycle.begin_draining();
        for doer in &self.doers {
            doer.abort();
        }
        let engine = self.engine;
        let drained = engine.drain(if end == End::Asked { DRAIN } else { Millis(0) });
        let stopped = async {
            self.stop_serving.send_replace(true);
            for server in self.servers {
                let _ = server.await;
            }
        };
        tokio::select! {
            _ = async { tokio::join!(drained, stopped) } => {}
            () = asked.again() => tracing::warn!("asked again: what still runs is cut, and counts as lost"),
        }
        self.guests.shutdown_background();
        self.trend.take(&self.looked_at).await;
        trend::write(self.trend, self.data).await;
        if let Some(exporter) = self.exporter {
            let _ = tokio::task::spawn_blocking(move || exporter.finish()).await;
        }
        tracing::info!("stopped");
        Ok(end)
    }
}

fn random_seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(seed)
}
