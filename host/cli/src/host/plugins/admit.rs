//! A file that may become the version that serves.

use std::sync::Arc;

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_http::changes::What;
use hookbox_sandbox::{Compiled, PluginFile, Version};
use hookbox_store::catalogue::Standing;
use hookbox_store::{PluginRow, StoreError};

use super::{Judged, Plugins, Refused};

impl Plugins {
    /// Checks it, compiles it, has it described and keeps its bytes. Nothing serves afterwards that did not before.
    pub(super) async fn try_out(
        &self,
        name: &PluginName,
        digest: Digest,
        file: PluginFile,
        judged: &Judged,
    ) -> Result<Arc<Version>, Refused> {
        let version = self.prepare(name, &file, judged).await?;
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
        judged: Judged,
    ) -> Result<Result<(), Refused>, StoreError> {
        let before = row.active.as_ref().map(|active| active.digest);
        row.activated(version.digest, self.engine.load().configured(&version.info), self.clock.now());
        let goes_back = row.previous().is_some();
        let rule = self.rule_of_trials(&row.name).filter(|_| goes_back);
        if let Some(active) = row.active.as_mut().filter(|active| before != Some(active.digest)) {
            active.standing = if rule.is_some() { Standing::OnTrial } else { Standing::Settled };
        }
        let (name, short, handlers) = (row.name.clone(), version.digest.short(), version.info.handlers.len());
        let trust = judged.grounds.to_string();
        if let Err(refused) = self.put_in(row, version, judged).await? {
            return Ok(Err(refused));
        }
        self.changes.tell(self.clock.now(), &name, Some(version.digest), What::Active);
        tracing::info!(plugin = %name, version = %short, handlers, trust, "plugin {name} serves version {short}");
        Ok(Ok(()))
    }

    /// The row says already that the version serves. Refused where it is trusted no longer: then everything is as it was.
    pub(super) async fn put_in(
        &self,
        mut row: PluginRow,
        version: &Arc<Version>,
        mut judged: Judged,
    ) -> Result<Result<(), Refused>, StoreError> {
        if let Err(refused) = self.still_trusted(&row.name, version.digest, &mut judged).await {
            return Ok(Err(refused));
        }
        let before = self.row(&row.name);
        if let Some(active) = &mut row.active {
            active.imports = version.imports.clone();
        }
        row.trusted = Some((&judged.grounds).into());
        self.schedules.expect();
        // The row first: what the sandbox runs is never ahead of what a restart would run.
        self.store.put_plugin(row.clone()).await?;
        while !self.activate(version, &judged) {
            if let Err(refused) = self.still_trusted(&row.name, version.digest, &mut judged).await {
                // Here, not by whoever asks again: for them what was before would be this row.
                self.patiently(|| self.store.put_plugin(before.clone())).await?;
                self.schedules.declare().await?;
                return Ok(Err(refused));
            }
        }
        self.trials.go_on(&row);
        self.execute.refresh();
        self.store.signals().runs.notify_one();
        self.schedules.declare().await.map(Ok)
    }
}
