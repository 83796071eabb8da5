//! A file that may become the version that serves.

use std::sync::Arc;

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::trust::Grounds;
use hookbox_http::changes::What;
use hookbox_sandbox::{Compiled, PluginFile, Version};
use hookbox_store::catalogue::Standing;
use hookbox_store::{PluginRow, StoreError};

use super::{Plugins, Refused};

impl Plugins {
    /// Checks it, compiles it, has it described and keeps its bytes. Nothing serves afterwards that did not before.
    pub(super) async fn try_out(
        &self,
        name: &PluginName,
        digest: Digest,
        file: PluginFile,
        grounds: &Grounds,
    ) -> Result<Arc<Version>, Refused> {
        let version = self.prepare(name, &file, grounds).await?;
        let cached = version.compiled == Compiled::Cached;
        self.changes.tell(self.clock.now(), name, Some(digest), What::Compiled { took: version.compiling, cached });
        self.keep(digest, file).await?;
        Ok(version)
    }

    pub(super) async fn keep(&self, digest: Digest, file: PluginFile) -> Result<(), Refused> {
        let kept = self.versions.keep(digest, file, self.named()).await;
        kept.map_err(|error| Refused { code: "host-broken", reason: format!("it cannot be kept: {error:#}") })
    }

    /// It serves from now on; where hooks.yaml says so, on trial.
    pub(super) async fn admit(
        &self,
        mut row: PluginRow,
        version: &Arc<Version>,
        grounds: &Grounds,
    ) -> Result<(), StoreError> {
        let before = row.active.as_ref().map(|active| active.digest);
        row.activated(version.digest, self.engine.load().configured(&version.info), self.clock.now());
        let goes_back = row.previous().is_some();
        let rule = self.engine.load().rollbacks.of(&row.name).filter(|_| goes_back);
        if let Some(active) = row.active.as_mut().filter(|active| before != Some(active.digest)) {
            active.standing = if rule.is_some() { Standing::OnTrial } else { Standing::Settled };
        }
        let (name, short, handlers) = (row.name.clone(), version.digest.short(), version.info.handlers.len());
        self.put_in(row, version).await?;
        self.changes.tell(self.clock.now(), &name, Some(version.digest), What::Active);
        tracing::info!(plugin = %name, version = %short, handlers, trust = %grounds, "plugin {name} serves version {short}");
        Ok(())
    }

    /// The row says already that the version serves.
    pub(super) async fn put_in(&self, mut row: PluginRow, version: &Arc<Version>) -> Result<(), StoreError> {
        if let Some(active) = &mut row.active {
            active.imports = version.imports.clone();
        }
        self.schedules.expect();
        // The row first: what the sandbox runs is never ahead of what a restart would run.
        self.store.put_plugin(row.clone()).await?;
        self.sandbox.activate(version);
        self.trials.go_on(&row);
        self.execute.refresh();
        self.store.signals().runs.notify_one();
        self.schedules.declare().await
    }
}
