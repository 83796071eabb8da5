//! Takes over a changed hooks.yaml, `.env`, secret file, certificate or schema while the host runs, by itself and when
//! SIGHUP asks for it. A
//! file with a mistake changes nothing, nor does one that is empty or gone: a
//! save may be under way.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use arc_swap::ArcSwap;
use hookbox_core::access::SecretHash;
use hookbox_core::config::{Config, Provider, SecretSource};
use hookbox_core::limits::AllSettings;
use hookbox_core::secret::Secret;
use hookbox_core::time::Millis;
use hookbox_core::verify::ID_WINDOW;
use hookbox_engine::Settings;
use hookbox_http::pairing::Pairable;
use hookbox_http::providers::{Allowance, LiveProvider, Providers};
use hookbox_http::tls::Tls;
use tokio::sync::watch;

use super::alerts::Settled;
use super::asked::Anew;
use super::engine_settings;
use super::plugins::Plugins;
use super::trust::LiveTrust;
use crate::args::ProjectArgs;
use crate::dev;
use crate::project::{Mistakes, Project, no_public_url};

/// Between two looks at the files. A change is taken over when two looks see the same.
const LOOK_EVERY: Millis = Millis(300);

/// What is exchanged.
pub(crate) struct Live {
    pub(crate) args: ProjectArgs,
    /// Whether the secrets that `dev` made up count.
    pub(crate) dev: bool,
    /// As it counts: some sections stay as they were at the start until the next one.
    pub(crate) config: Arc<ArcSwap<Config>>,
    pub(crate) files: Vec<PathBuf>,
    /// As the files were when they were last read.
    pub(crate) taken: Vec<Stamp>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) operator_tls: Option<Arc<Tls>>,
    pub(crate) providers: Arc<ArcSwap<Providers>>,
    pub(crate) reserved: Arc<ArcSwap<BTreeSet<String>>>,
    pub(crate) plugin_settings: Arc<ArcSwap<AllSettings>>,
    pub(crate) trust: Arc<LiveTrust>,
    pub(crate) engine_settings: Arc<ArcSwap<Settings>>,
    pub(crate) alert_settings: watch::Sender<Arc<Settled>>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) anew: Anew,
    pub(crate) fixed: Fixed,
}

/// Secrets that count as they were at the start, until the next one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    token: Option<SecretHash>,
    oidc: Option<SecretHash>,
}

impl Fixed {
    pub(crate) fn of(project: &Project) -> Result<Fixed> {
        let hash = |secret: Option<Secret>| secret.map(|secret| SecretHash::of(secret.expose()));
        Ok(Fixed { token: hash(project.operator_token()?), oidc: hash(project.oidc_secret()?) })
    }
}

pub(crate) type Stamp = Option<FileStamp>;

/// What a file is known by. A file that takes another's place, by a rename or behind a symbolic link, has an inode and
/// a change time of its own, though its size and time of writing may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    changed: (i64, i64),
    bytes: u64,
}

/// Runs until it is aborted.
pub(crate) async fn watch(mut live: Live) {
    let mut seen = live.taken.clone();
    let mut good = live.looked_at();
    loop {
        let asked = tokio::select! {
            () = live.anew.asked() => true,
            () = tokio::time::sleep(LOOK_EVERY.as_duration()) => false,
        };
        let now = stamps(&live.files);
        let settled = now == seen;
        seen = now;
        // Whoever asks has written everything, and wants to be told that it was read, be it the same.
        if !asked && (!settled || seen == live.taken) {
            continue;
        }
        live.taken = seen;
        match live.take_over(&good).await {
            Ok(()) => {
                good = live.looked_at();
                tracing::info!(
                    "hooks.yaml, .env and files with secrets were read anew; variables of the process are those of its start"
                );
            }
            Err(error) => {
                tracing::error!("the changed configuration is not taken over, the old one stays:\n{error:#}");
            }
        }
        // Another list of files may be looked at.
        seen = live.taken.clone();
    }
}

pub(crate) fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Stamp {
    let metadata = fs::metadata(file).ok()?;
    Some(FileStamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        bytes: metadata.len(),
    })
}

/// hooks.yaml, `.env` and every file that they name.
pub(crate) fn files(project: &Project, args: &ProjectArgs) -> Vec<PathBuf> {
    let folder = args.config.parent().unwrap_or(Path::new(""));
    let sources = project.config.sources();
    let in_files = sources.filter_map(|source| match source {
        SecretSource::File(path) => Some(folder.join(path)),
        SecretSource::Env(_) => None,
    });
    let others = project.watched_files();
    [args.config.clone(), folder.join(".env")].into_iter().chain(in_files).chain(others).collect()
}

impl Live {
    fn looked_at(&self) -> HashMap<PathBuf, Stamp> {
        self.files.iter().cloned().zip(self.taken.iter().copied()).collect()
    }

    /// `good` is as the files were when they were taken over the last time, however often one was not since.
    async fn take_over(&mut self, good: &HashMap<PathBuf, Stamp>) -> Result<()> {
        for (file, now) in self.files.iter().zip(&self.taken) {
            let was_there = good.get(file).copied().flatten().is_some_and(|stamp| stamp.bytes > 0);
            if was_there && now.is_none_or(|stamp| stamp.bytes == 0) {
                return Err(Mistakes(vec![format!("{} is gone or empty", file.display())]).into());
            }
        }
        let mut project = Project::read(&self.args)?;
        project.dev = self.dev;
        // Before anything is wrong with them: one that is not there yet is waited for.
        self.look_at(files(&project, &self.args));
        if self.dev {
            dev::mint_secrets(&mut project)?;
        }
        let providers = live_providers(&project)?;
        let plugin_settings = project.plugin_settings()?;
        let reserved = reserved(&project)?;
        let settled = Settled::of(&project)?;
        let tls = project.tls_texts()?.map(|texts| texts.tls()).transpose()?;
        let operator_tls = project.operator_tls_texts()?.map(|texts| texts.tls()).transpose()?;
        let fixed = Fixed::of(&project)?;
        // From here on nothing fails: all of it is exchanged, or nothing was.
        for (serving, read) in [(&self.tls, tls), (&self.operator_tls, operator_tls)] {
            // A host that began without TLS has none until the next start, and the other way round.
            if let (Some(serving), Some(read)) = (serving, read) {
                serving.replace(read);
            }
        }
        self.warn_of_restart(&project.config, &fixed);
        self.reserved.store(Arc::new(reserved));
        self.providers.store(Arc::new(providers));
        self.plugin_settings.store(Arc::new(plugin_settings));
        self.trust.replace(project.config.trust());
        self.engine_settings.store(Arc::new(engine_settings(&project)));
        self.alert_settings.send_replace(Arc::new(settled));
        self.config.store(Arc::new(self.counting(project.config)));
        if let Err(error) = self.plugins.reload().await {
            tracing::error!(%error, "some plugins keep their old settings");
        }
        Ok(())
    }

    /// A file that is looked at already keeps its stamp: if it was saved again meanwhile, the next look sees the change.
    /// A new one has the stamp from before it is read.
    fn look_at(&mut self, files: Vec<PathBuf>) {
        let known: HashMap<&PathBuf, Stamp> = self.files.iter().zip(self.taken.iter().copied()).collect();
        let taken = files.iter().map(|file| known.get(file).copied().unwrap_or_else(|| stamp(file))).collect();
        (self.files, self.taken) = (files, taken);
    }

    /// What of a changed hooks.yaml counts without a start.
    fn counting(&self, new: Config) -> Config {
        let old = self.config.load();
        let (server, operator, tracing) = (old.server.clone(), old.operator.clone(), old.tracing.clone());
        Config { server, operator, tracing, store: old.store.clone(), engine: old.engine, ..new }
    }

    fn warn_of_restart(&self, new: &Config, secrets: &Fixed) {
        let old = self.config.load();
        let changed = [
            ("server", old.server != new.server),
            ("operator", old.operator != new.operator),
            ("store", old.store != new.store),
            ("engine", old.engine != new.engine),
            ("tracing", old.tracing != new.tracing),
        ];
        for (section, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!("hooks.yaml: {section} has changed: it counts from the next start");
        }
        let secrets = [
            ("operator.token", secrets.token != self.fixed.token),
            ("operator.oidc.client_secret", secrets.oidc != self.fixed.oidc),
        ];
        for (secret, _) in secrets.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!("the secret of {secret} has changed: the old one counts until the next start");
        }
    }
}

/// The providers whose deliveries can be verified; a secret that is missing is told.
pub(crate) fn live_providers(project: &Project) -> Result<Providers> {
    let (mut live, mut pairables, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    for (name, found) in project.providers()? {
        pairables.extend(pairable(project, &found.provider).map(|pairable| (name.clone(), pairable)));
        let missing: Vec<String> = found.missing.iter().map(ToString::to_string).collect();
        if found.secrets.is_empty() {
            tracing::warn!(provider = %name, "provider {name} is not live: set {}", missing.join(" or "));
            continue;
        }
        if !missing.is_empty() {
            tracing::warn!(provider = %name, "provider {name} does without {}: it is not set", missing.join(" and "));
        }
        let body_bytes_max = found.provider.body_bytes_max.map(usize::try_from).transpose()?;
        let public_url = match project.public_url(&name, &found.provider) {
            None if found.provider.scheme.needs_url() => {
                mistakes.push(no_public_url(&name));
                continue;
            }
            public_url => public_url,
        };
        let dedupe = found.provider.dedupe.unwrap_or(ID_WINDOW);
        let allow_from = found.provider.allow_from.clone();
        let allowance = found.provider.rate.map(Allowance::new);
        let (schemas, wrong) = project.schema_rules(&name, &found.provider);
        mistakes.extend(wrong);
        let (secret_places, secrets_written) = (found.places.clone(), found.written.clone());
        match found.keyring() {
            Ok(verifier) => {
                let provider = LiveProvider {
                    verifier,
                    secret_places,
                    secrets_written,
                    public_url,
                    dedupe,
                    body_bytes_max,
                    allow_from,
                    allowance,
                    schemas,
                };
                live.push((name, provider));
            }
            Err(error) => mistakes.push(format!("provider {name}: {error}")),
        }
    }
    if mistakes.is_empty() {
        Ok(Providers::new(live).with_pairables(pairables))
    } else {
        Err(Mistakes(mistakes).into())
    }
}

/// Where a sender brings the secret, the file that it is put in.
fn pairable(project: &Project, provider: &Provider) -> Option<Pairable> {
    let member = provider.scheme.pairs()?.to_owned();
    let mut files = provider.secrets.iter().filter_map(|secret| match &secret.source {
        SecretSource::File(path) => Some(project.environment.path(path)),
        SecretSource::Env(_) => None,
    });
    Some(Pairable { member, file: files.next() })
}

/// Both spellings of every provider's name, live or not.
pub(crate) fn reserved(project: &Project) -> Result<BTreeSet<String>> {
    let names = project.providers()?.into_keys();
    Ok(names
        .flat_map(|name| [name.as_str().replace('_', "-"), name.as_str().replace('-', "_"), name.to_string()])
        .collect())
}
