//! Takes what the folder proposes through the pipeline: prepare, keep the
//! bytes, write the row, activate. The row in the store decides which version
//! serves; the folder only proposes, and a version that was rolled back from
//! stays out.

mod admit;
mod commands;
mod proposals;
mod rollback;
mod trials;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use arc_swap::ArcSwap;
use hookbox_core::clock::Clock;
use hookbox_core::limits::AllSettings;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::{Digest, Trigger};
use hookbox_core::time::Millis;
use hookbox_core::trial::Rule;
use hookbox_core::verify::Scheme;
use hookbox_engine::{Declarer, Settings};
use hookbox_http::changes::{Changes, What};
use hookbox_http::uploads::Uploads;
use hookbox_sandbox::{PluginFile, Sandbox, Version};
use hookbox_store::catalogue::{ActiveVersion, Ending, RefusedVersion, Standing};
use hookbox_store::{PluginRow, Store, StoreError};
use sha2::Digest as _;
use tokio::sync::Mutex;

use super::adapters::InSandbox;
use super::trust::{Judged, LiveTrust};
use super::versions::Versions;
pub(crate) use proposals::{scan, take_proposals};
pub(crate) use trials::Trials;

pub(crate) struct Plugins {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) execute: Arc<InSandbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<ArcSwap<AllSettings>>,
    pub(crate) trust: Arc<LiveTrust>,
    /// Whether plugins are built here.
    pub(crate) dev: bool,
    /// Names of providers, live or not: no plugin may have one.
    pub(crate) reserved: Arc<ArcSwap<BTreeSet<String>>>,
    pub(crate) engine: Arc<ArcSwap<Settings>>,
    pub(crate) schedules: Arc<Declarer>,
    pub(crate) versions: Versions,
    pub(crate) folder: PathBuf,
    pub(crate) uploads: Arc<Uploads>,
    /// New versions whose first attempts are counted.
    pub(crate) trials: Arc<Trials>,
    /// For whoever watches.
    pub(crate) changes: Arc<Changes>,
    /// One proposal at a time.
    pub(crate) turn: Mutex<()>,
}

/// Between two looks whether the store is back.
const STORE_WAIT: Millis = Millis::SECOND;

/// A version that does not serve, and why.
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) reason: String,
}

impl Plugins {
    /// Brings the versions that served at the last stop back into the sandbox.
    pub(crate) async fn restore(&self) -> Result<()> {
        for row in self.store.catalogue().plugins() {
            // The runs of one whose file is gone wait for the file.
            let Some(active) = row.active.as_ref().filter(|_| row.missing_since.is_none()) else { continue };
            if let Some(refused) = self.claims_provider(&row.name) {
                self.take_down(row.clone(), refused).await?;
                continue;
            }
            match self.prepare_kept(&row.name, active.digest).await {
                Ok((version, judged)) => {
                    self.configure(&version, &judged).await?;
                    self.activate(&version, &judged);
                    self.trials.go_on(&self.row(&row.name));
                }
                Err(refused) if refused.is_untrusted() => self.distrust(row.clone(), refused).await?,
                Err(Refused { code, reason }) => {
                    tracing::warn!(plugin = %row.name, code, reason, "the last version of {} is not at hand: {reason}", row.name);
                }
            }
        }
        self.execute.refresh();
        self.schedules.declare().await?;
        Ok(())
    }

    /// The settings have changed: what is trusted no longer is stopped, every active version is put into the sandbox
    /// anew, and what was refused is tried again. Waits while the store is away.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        // Not after what is compiled just now; and once more, since that was judged by the old rule.
        self.stop_untrusted().await;
        let _turn = self.turn.lock().await;
        self.stop_untrusted().await;
        self.schedules.expect();
        self.patiently(|| self.put_anew()).await
    }

    async fn put_anew(&self) -> Result<(), StoreError> {
        for row in self.store.catalogue().plugins() {
            let Some(active) = row.active.as_ref().filter(|_| row.missing_since.is_none()) else { continue };
            let name = &row.name;
            if let Some(refused) = self.claims_provider(name) {
                self.take_down(row.clone(), refused).await?;
                continue;
            }
            match self.prepare_kept(name, active.digest).await {
                // Nobody else changes what hooks.yaml asks for.
                Ok((version, judged)) => {
                    self.configure(&version, &judged).await?;
                    self.activate(&version, &judged);
                    self.trials.go_on(&self.row(name));
                }
                Err(refused) if refused.is_untrusted() => self.distrust(row.clone(), refused).await?,
                Err(Refused { code, reason }) => {
                    tracing::error!(plugin = %name, code, reason, "plugin {name} keeps its old settings: {reason}");
                }
            }
        }
        for row in self.store.catalogue().plugins().filter(|row| rollback::may_be_cured(row)) {
            if let Some((digest, file)) = self.file_of(&row.name).await {
                self.found(row.name.clone(), digest, file).await?;
            }
        }
        self.execute.refresh();
        self.schedules.declare().await?;
        self.warn_of_schedules();
        Ok(())
    }

    /// The routes are what the version declares, with the filters of hooks.yaml.
    async fn configure(&self, version: &Version, judged: &Judged) -> Result<(), StoreError> {
        let (mut row, trusted) = (self.row(&version.info.name), Some((&judged.grounds).into()));
        let (info, imports) = (self.engine.load().configured(&version.info), version.imports.clone());
        let Some(active) = row.active.take().filter(|active| active.digest == version.digest) else { return Ok(()) };
        let unruled = active.standing == Standing::OnTrial && self.rule_of_trials(&row.name).is_none();
        if active.info == info && active.imports == imports && row.trusted == trusted && !unruled {
            return Ok(());
        }
        // Without a rule its trial has no end.
        let standing = if unruled { Standing::Settled } else { active.standing };
        row.active = Some(ActiveVersion { info, imports, standing, ..active });
        row.trusted = trusted;
        self.store.put_plugin(row).await
    }

    fn rule_of_trials(&self, name: &PluginName) -> Option<Rule> {
        self.engine.load().rollbacks.of(name)
    }

    /// A version that served, from what was kept of it.
    async fn prepare_kept(&self, name: &PluginName, digest: Digest) -> Result<(Arc<Version>, Judged), Refused> {
        let (file, judged) = self.kept(name, digest).await?;
        Ok((self.prepare(name, &file, &judged).await?, judged))
    }

    /// The one way to a version. Whoever has judged the file did so by the rule of that moment.
    async fn prepare(&self, name: &PluginName, file: &PluginFile, _: &Judged) -> Result<Arc<Version>, Refused> {
        let prepared = self.sandbox.prepare(name, file.bytes.clone(), self.settings.load().of(name)).await;
        prepared.map_err(|rejection| Refused { code: rejection.code(), reason: rejection.to_string() })
    }

    /// What lies in the folder under a plugin's name, if it is a file of a size that is taken.
    pub(super) async fn file_of(&self, name: &PluginName) -> Option<(Digest, PluginFile)> {
        let path = self.file(name);
        let read = move || {
            let file = PluginFile::read(&path)?;
            Some((Digest(sha2::Sha256::digest(&file.bytes).into()), file))
        };
        tokio::task::spawn_blocking(read).await.ok().flatten()
    }

    /// After the first scan: plugins whose file went away while the host was down. A file that is there and is not
    /// taken has not gone, nor has one in a folder that cannot be read.
    pub(crate) async fn note_missing(&self) -> Result<(), StoreError> {
        if fs::read_dir(&self.folder).is_err() {
            return Ok(());
        }
        for row in self.store.catalogue().plugins() {
            let file = fs::symlink_metadata(self.file(&row.name));
            let gone = file.is_err_and(|error| error.kind() == ErrorKind::NotFound);
            if row.active.is_some() && row.missing_since.is_none() && gone {
                self.gone(&row.name).await?;
            }
        }
        Ok(())
    }

    fn serves(&self, name: &PluginName, digest: Digest) -> bool {
        self.sandbox.active(name).is_some_and(|version| version.digest == digest)
    }

    /// Does it again until the store is there.
    async fn patiently<A>(&self, mut change: impl FnMut() -> A) -> Result<(), StoreError>
    where
        A: Future<Output = Result<(), StoreError>>,
    {
        loop {
            match change().await {
                Err(StoreError::Unavailable(_)) => tokio::time::sleep(STORE_WAIT.as_duration()).await,
                done => return done,
            }
            while self.store.failure().is_some() {
                tokio::time::sleep(STORE_WAIT.as_duration()).await;
            }
        }
    }

    async fn not_taken(&self, file: &str, reason: String) -> Result<(), StoreError> {
        match file.strip_suffix(".wasm").and_then(|stem| PluginName::parse(stem).ok()) {
            Some(name) => self.refuse(self.row(&name), None, Refused { code: "not-taken", reason }).await,
            None => {
                tracing::warn!(file, reason, "{file} is taken for no plugin: {reason}");
                Ok(())
            }
        }
    }

    async fn found(&self, name: PluginName, digest: Digest, file: PluginFile) -> Result<(), StoreError> {
        let row = self.row(&name);
        if let Some(refused) = self.claims_provider(&name) {
            return self.take_down(row, refused).await;
        }
        if row.rejection(digest).is_some() {
            return self.stays_out(row, digest).await;
        }
        let judged = match self.trusted(&name, &file).await {
            Ok(judged) => judged,
            Err(refused) => return self.refuse(row, Some(digest), refused).await,
        };
        let serving = self.serves(&name, digest);
        let known = row.active.as_ref().is_some_and(|active| active.digest == digest);
        if serving && known && row.missing_since.is_none() && row.refused.is_none() {
            // It may have been signed anew.
            if let Err(refused) = self.keep(digest, file).await {
                return self.refuse(row, Some(digest), refused).await;
            }
            // Where it was taken, and the store went away before its schedules were declared.
            return self.schedules.make_up().await;
        }
        let version = match self.try_out(&name, digest, file, &judged).await {
            Ok(version) => version,
            Err(refused) => return self.refuse(row, Some(digest), refused).await,
        };
        match self.admit(row, &version, judged).await? {
            Ok(()) => Ok(()),
            Err(refused) => self.refuse(self.row(&name), Some(digest), refused).await,
        }
    }

    /// What a plugin emits is routed under its name: one called like a provider could pass for it.
    fn claims_provider(&self, name: &PluginName) -> Option<Refused> {
        let taken = Scheme::named(name.as_str()).is_some() || self.reserved.load().contains(name.as_str());
        taken.then(|| Refused {
            code: "name-taken",
            reason: format!(
                "{name} is the name of a provider, whose events it could forge: give the plugin another name"
            ),
        })
    }

    /// The new version is left out.
    pub(super) async fn refuse(
        &self,
        row: PluginRow,
        digest: Option<Digest>,
        refused: Refused,
    ) -> Result<(), StoreError> {
        let (name, code, reason) = (row.name.clone(), refused.code, refused.reason);
        let goes_on = match self.sandbox.active(&name) {
            Some(version) => format!("version {} goes on serving", version.digest.short()),
            None => "nothing serves in its place".to_owned(),
        };
        tracing::error!(plugin = %name, code, reason, "plugin {name} was refused: {reason}; {goes_on}");
        let told = What::Refused { code: code.to_owned(), reason: reason.clone() };
        self.changes.tell(self.clock.now(), &name, digest, told);
        let refused = RefusedVersion { digest, at: self.clock.now(), code: code.to_owned(), reason };
        self.store.put_plugin(PluginRow { refused: Some(refused), ..row }).await
    }

    /// No version of it may serve, not even one that did.
    async fn take_down(&self, mut row: PluginRow, refused: Refused) -> Result<(), StoreError> {
        self.sandbox.deactivate(&row.name);
        self.execute.refresh();
        let digest = row.active.as_ref().map(|active| active.digest);
        self.schedules.expect();
        row.retired(self.clock.now(), Ending::TakenDown);
        self.refuse(row, digest, refused).await?;
        self.schedules.declare().await
    }

    async fn gone(&self, name: &PluginName) -> Result<(), StoreError> {
        let row = self.row(name);
        tracing::warn!(plugin = %name, "the file of plugin {name} is gone: its runs wait for it for a while");
        // A file that is gone is trusted or not no longer.
        let refused = row.refused.clone().filter(|_| !row.is_distrusted());
        self.store.put_plugin(PluginRow { missing_since: Some(self.clock.now()), refused, ..row }).await?;
        self.sandbox.deactivate(name);
        self.execute.refresh();
        self.changes.tell(self.clock.now(), name, None, What::Gone);
        Ok(())
    }

    fn row(&self, name: &PluginName) -> PluginRow {
        self.store.catalogue().plugin(name).cloned().unwrap_or_else(|| PluginRow::new(name.clone()))
    }

    /// Versions that some plugin has, or had not long ago, and those that an attempt still runs on: whether they are
    /// trusted is asked at each change of hooks.yaml.
    fn named(&self) -> HashSet<Digest> {
        let catalogue = self.store.catalogue();
        let of_row = |row: &PluginRow| {
            let past = row.history.iter().map(|past| past.digest);
            past.chain(row.active.as_ref().map(|active| active.digest)).collect::<Vec<_>>()
        };
        let living = self.sandbox.living().into_iter().map(|version| version.digest);
        catalogue.plugins().flat_map(of_row).chain(living).collect()
    }

    /// Schedules of hooks.yaml whose firings would come to nothing.
    pub(crate) fn warn_of_schedules(&self) {
        let catalogue = self.store.catalogue();
        for schedule in &self.engine.load().schedules {
            let (name, target) = (&schedule.name, &schedule.target);
            match catalogue.handler(target).map(|handler| &handler.trigger) {
                Some(Trigger::Schedule(_) | Trigger::Manual) => {}
                Some(Trigger::Events(_)) => {
                    tracing::error!(schedule = %name, "schedule {name} cannot run {target}, which takes events: name a handler with #[cron], #[every] or #[job]");
                }
                None => {
                    tracing::warn!(schedule = %name, "schedule {name} has nothing to run: there is no handler {target}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
