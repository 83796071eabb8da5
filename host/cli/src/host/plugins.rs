//! Takes what the folder proposes through the pipeline: prepare, write the row,
//! activate. The row in the store decides which version serves; the bytes of
//! every version that served are kept beside it, so that a bad file in the
//! folder leaves the old version serving after a restart, too.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::limits::AllSettings;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::verify::Scheme;
use hookbox_engine::Settings;
use hookbox_http::providers::Providers;
use hookbox_sandbox::{FolderEvent, Sandbox};
use hookbox_store::catalogue::RefusedVersion;
use hookbox_store::{PluginRow, Store, StoreError};
use sha2::Digest as _;
use tokio::sync::Mutex;

use super::adapters::InSandbox;

pub(crate) struct Plugins {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) execute: Arc<InSandbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<ArcSwap<AllSettings>>,
    pub(crate) providers: Arc<ArcSwap<Providers>>,
    pub(crate) engine: Arc<ArcSwap<Settings>>,
    /// Where the bytes of versions that served are kept.
    pub(crate) versions: PathBuf,
    /// One proposal at a time.
    pub(crate) turn: Mutex<()>,
}

impl Plugins {
    /// Brings the versions that served at the last stop back into the sandbox.
    pub(crate) async fn restore(&self) -> Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.versions)?;
        for row in self.store.catalogue().plugins() {
            // The runs of one whose file is gone wait for the file.
            let Some(active) = row.active.as_ref().filter(|_| row.missing_since.is_none()) else { continue };
            if let Err(error) = self.load_kept(&row.name, active.digest).await {
                tracing::warn!(plugin = %row.name, error = format!("{error:#}"), "the last version of {} is not at hand", row.name);
            }
        }
        self.execute.refresh();
        self.declare_schedules().await?;
        Ok(())
    }

    /// Puts every active version into the sandbox anew: their settings may have changed.
    pub(crate) async fn reload(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        for version in self.sandbox.active_all() {
            let name = &version.info.name;
            if let Err(error) = self.load_kept(name, version.digest).await {
                tracing::error!(plugin = %name, error = format!("{error:#}"), "plugin {name} keeps its old settings");
            }
        }
        self.declare_schedules().await?;
        Ok(())
    }

    async fn load_kept(&self, name: &PluginName, digest: Digest) -> Result<()> {
        let path = self.path_of(digest);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = Digest(sha2::Sha256::digest(&bytes).into());
        anyhow::ensure!(found == digest, "{} was changed", path.display());
        let version = self.sandbox.prepare(name, bytes.into(), self.settings.load().of(name)).await?;
        self.sandbox.activate(&version);
        Ok(())
    }

    /// After the first scan: plugins whose file went away while the host was down.
    pub(crate) async fn note_missing(&self, found: &HashSet<PluginName>) -> Result<(), StoreError> {
        for row in self.store.catalogue().plugins() {
            if row.active.is_some() && row.missing_since.is_none() && !found.contains(&row.name) {
                self.gone(&row.name).await?;
            }
        }
        Ok(())
    }

    /// What went wrong is logged; the version that served goes on serving.
    pub(crate) async fn take(&self, event: FolderEvent) {
        let _turn = self.turn.lock().await;
        let taken = match event {
            FolderEvent::Found { name, digest, bytes } => self.found(name, digest, bytes).await,
            FolderEvent::Gone { name } => self.gone(&name).await,
            FolderEvent::Refused { file, reason } => {
                tracing::warn!(file, reason, "{file} is taken for no plugin: {reason}");
                Ok(())
            }
        };
        if let Err(error) = taken {
            tracing::error!(%error, "a change of the plugins folder was not taken over");
        }
    }

    async fn found(&self, name: PluginName, digest: Digest, bytes: Arc<[u8]>) -> Result<(), StoreError> {
        let row = self.row(&name);
        let serving = row.active.as_ref().is_some_and(|active| active.digest == digest);
        if serving && row.missing_since.is_none() && self.sandbox.active(&name).is_some_and(|v| v.digest == digest) {
            return Ok(());
        }
        if let Some(reason) = self.claims_provider(&name) {
            return self.refuse(row, Some(digest), "name-taken", &reason).await;
        }
        let kept = bytes.clone();
        let prepared = self.sandbox.prepare(&name, bytes, self.settings.load().of(&name)).await;
        match prepared {
            Ok(version) => match self.keep(digest, &kept) {
                Ok(()) => {
                    let mut row = row;
                    row.activated(digest, version.info.clone(), self.clock.now());
                    // The row first: what the sandbox runs is never ahead of what a restart would run.
                    self.store.put_plugin(row).await?;
                    self.sandbox.activate(&version);
                    self.execute.refresh();
                    self.store.signals().runs.notify_one();
                    self.declare_schedules().await?;
                    tracing::info!(plugin = %name, version = %digest.short(), handlers = version.info.handlers.len(), "plugin {name} serves version {}", digest.short());
                    Ok(())
                }
                Err(error) => {
                    self.refuse(row, Some(digest), "host-broken", &format!("it cannot be kept: {error:#}")).await
                }
            },
            Err(rejection) => self.refuse(row, Some(digest), rejection.code(), &rejection.to_string()).await,
        }
    }

    /// What a plugin emits is routed under its name: one called like a provider could pass for it.
    fn claims_provider(&self, name: &PluginName) -> Option<String> {
        let provider = self.providers.load();
        let taken = Scheme::named(name.as_str()).is_some() || provider.find(name.as_str()).is_some();
        taken.then(|| {
            format!("{name} is the name of a provider, whose events it could forge: give the plugin another name")
        })
    }

    async fn refuse(&self, row: PluginRow, digest: Option<Digest>, code: &str, reason: &str) -> Result<(), StoreError> {
        let name = row.name.clone();
        let goes_on = match &row.active {
            Some(active) => format!("version {} goes on serving", active.digest.short()),
            None => "nothing serves in its place".to_owned(),
        };
        tracing::error!(plugin = %name, code, reason, "plugin {name} was refused: {reason}; {goes_on}");
        let refused = RefusedVersion { digest, at: self.clock.now(), code: code.to_owned(), reason: reason.to_owned() };
        self.store.put_plugin(PluginRow { refused: Some(refused), ..row }).await
    }

    async fn gone(&self, name: &PluginName) -> Result<(), StoreError> {
        let row = self.row(name);
        tracing::warn!(plugin = %name, "the file of plugin {name} is gone: its runs wait for it for a while");
        self.store.put_plugin(PluginRow { missing_since: Some(self.clock.now()), ..row }).await?;
        self.sandbox.deactivate(name);
        self.execute.refresh();
        Ok(())
    }

    fn row(&self, name: &PluginName) -> PluginRow {
        self.store.catalogue().plugin(name).cloned().unwrap_or_else(|| PluginRow::new(name.clone()))
    }

    pub(crate) async fn declare_schedules(&self) -> Result<(), StoreError> {
        let declared = hookbox_engine::schedules::declared(&self.store.catalogue(), &self.engine.load());
        self.store.declare_schedules(declared, self.clock.now()).await
    }

    fn path_of(&self, digest: Digest) -> PathBuf {
        self.versions.join(format!("{}.wasm", hex::encode(digest.0)))
    }

    /// Written whole or not at all.
    fn keep(&self, digest: Digest, bytes: &[u8]) -> Result<()> {
        let path = self.path_of(digest);
        if !path.exists() {
            let draft = path.with_extension("draft");
            let mut file = fs::File::create(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            fs::File::open(&self.versions)?.sync_all()?;
        }
        self.forget_old();
        Ok(())
    }

    /// Only versions that some plugin's history names are kept.
    fn forget_old(&self) {
        let catalogue = self.store.catalogue();
        let named: HashSet<PathBuf> = catalogue
            .plugins()
            .flat_map(|row| row.history.iter().map(|past| past.digest).chain(row.active.as_ref().map(|a| a.digest)))
            .map(|digest| self.path_of(digest))
            .collect();
        let Ok(entries) = fs::read_dir(&self.versions) else { return };
        let mut spare: Vec<_> = entries
            .flatten()
            .filter(|entry| !named.contains(&entry.path()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        spare.sort();
        // The newest may be the one that is just being taken in.
        spare.pop();
        for (_, path) in spare {
            let _ = fs::remove_file(path);
        }
    }
}
