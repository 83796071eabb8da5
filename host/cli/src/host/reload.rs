//! Takes over a changed hooks.yaml or `.env` while the host runs. A file with a
//! mistake changes nothing.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use hookbox_core::config::SecretSource;
use hookbox_core::limits::AllSettings;
use hookbox_core::secret::Secret;
use hookbox_core::time::Millis;
use hookbox_core::verify::Verifier;
use hookbox_engine::Settings;
use hookbox_http::providers::{LiveProvider, Providers};

use super::engine_settings;
use super::plugins::Plugins;
use crate::args::ProjectArgs;
use crate::dev;
use crate::project::{Mistakes, Project};

/// Between two looks at the files: a look is two calls, and every file system has times.
const LOOK_EVERY: Millis = Millis(500);

/// What is exchanged.
pub(crate) struct Live {
    pub(crate) args: ProjectArgs,
    /// Whether the secrets that `dev` made up count.
    pub(crate) dev: bool,
    pub(crate) providers: Arc<ArcSwap<Providers>>,
    pub(crate) plugin_settings: Arc<ArcSwap<AllSettings>>,
    pub(crate) engine_settings: Arc<ArcSwap<Settings>>,
    pub(crate) plugins: Arc<Plugins>,
}

/// Runs until it is aborted.
pub(crate) async fn watch(live: Live) {
    let files = watched(&live.args);
    let mut stamps = stamps(&files);
    loop {
        tokio::time::sleep(LOOK_EVERY.as_duration()).await;
        let now = self::stamps(&files);
        if now == stamps {
            continue;
        }
        stamps = now;
        match live.take_over().await {
            Ok(()) => tracing::info!("hooks.yaml and secrets were read anew"),
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "the changed configuration is not taken over; the old one stays:\n{error:#}"
            ),
        }
    }
}

fn watched(args: &ProjectArgs) -> Vec<PathBuf> {
    let env = args.config.parent().unwrap_or(Path::new("")).join(".env");
    vec![args.config.clone(), env]
}

fn stamps(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |file: &PathBuf| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
}

impl Live {
    async fn take_over(&self) -> Result<()> {
        let mut project = Project::read(&self.args)?;
        project.dev = self.dev;
        dev::read_secrets(&mut project)?;
        let providers = live_providers(&project)?;
        let plugin_settings = project.plugin_settings()?;
        // From here on nothing fails.
        self.providers.store(Arc::new(providers));
        self.plugin_settings.store(Arc::new(plugin_settings));
        self.engine_settings.store(Arc::new(engine_settings(&project)));
        self.plugins.reload().await
    }
}

/// The providers whose deliveries can be verified; one without a secret is left out, and said so.
pub(crate) fn live_providers(project: &Project) -> Result<Providers> {
    let (mut live, mut mistakes) = (Vec::new(), Vec::new());
    for (name, found) in project.providers()? {
        if found.secrets.is_empty() {
            let sources: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
            tracing::warn!(provider = %name, "provider {name} is not live: set {}", sources.join(" or "));
            continue;
        }
        match Verifier::new(&found.provider.scheme, &found.secrets, found.provider.tolerance) {
            Ok(verifier) => {
                let body_bytes_max = found.provider.body_bytes_max.map(usize::try_from).transpose()?;
                live.push((name, LiveProvider { verifier, body_bytes_max }));
            }
            Err(error) => mistakes.push(format!("provider {name}: {error}")),
        }
    }
    if mistakes.is_empty() { Ok(Providers::new(live)) } else { Err(Mistakes(mistakes).into()) }
}

/// What the operator API asks for; needed where others can reach it.
pub(crate) fn operator_token(project: &Project, listen: SocketAddr) -> Result<Option<Secret>> {
    let declared = project.config.operator.token.clone();
    let source = declared.clone().unwrap_or_else(|| SecretSource::Env("HOOKBOX_TOKEN".to_owned()));
    let token = project.environment.secret(&source).context("operator.token")?;
    if token.is_none() && declared.is_some() {
        return Err(Mistakes(vec![format!("operator.token: {source} is not set")]).into());
    }
    if token.is_none() && !listen.ip().is_loopback() {
        let cure =
            format!("operator.listen: {listen} can be reached from elsewhere: set {source}, or listen on 127.0.0.1");
        return Err(Mistakes(vec![cure]).into());
    }
    Ok(token)
}
