//! The way back to a version that served before, and what keeps the other one from returning by itself.

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_http::changes::What;
use hookbox_store::catalogue::{ActiveVersion, By, RefusedVersion, RejectedVersion, Standing};
use hookbox_store::{PluginRow, StoreError};

use super::{Plugins, Refused};

/// Of a refusal: the file in the folder is a version that was rolled back from.
const ROLLED_BACK: &str = "rolled-back";

/// Whether what was refused may be taken with other settings.
pub(super) fn may_be_cured(row: &PluginRow) -> bool {
    row.refused.as_ref().is_some_and(|refused| refused.code != ROLLED_BACK)
}

impl Plugins {
    /// What serves now, and what lies in the folder, do not come back by themselves. Fails where the version cannot
    /// serve: then everything stays as it is.
    pub(super) async fn roll_back(
        &self,
        mut row: PluginRow,
        to: Digest,
        by: By,
        reason: &str,
    ) -> Result<Result<(), Refused>, StoreError> {
        let name = row.name.clone();
        let cannot = |refused: Refused| {
            let code = if refused.is_untrusted() { refused.code } else { "not-kept" };
            let reason = format!("version {} cannot serve: {}; push its file instead", to.short(), refused.reason);
            Refused { code, reason }
        };
        let (version, judged) = match self.prepare_kept(&name, to).await {
            Ok(prepared) => prepared,
            Err(refused) => return Ok(Err(cannot(refused))),
        };
        let (before, proposed) = (row.active.as_ref().map(|active| active.digest), self.proposed(&name).await);
        // What lies in the folder and never served may be the cure: the host has nothing against it.
        let others = proposed.filter(|_| by == By::Operator);
        let from: Vec<Digest> = before.into_iter().chain(others).collect();
        let now = self.clock.now();
        let stands = |refused: &RefusedVersion| refused.digest == proposed && proposed != Some(to);
        let of_file = row.refused.take().filter(stands);
        row.rolled_back(to, self.engine.load().configured(&version.info), now, &from, by, reason);
        self.try_again(&mut row, by);
        row.refused = match proposed.and_then(|proposed| row.rejection(proposed)) {
            Some(rejected) => Some(kept_out(&row, rejected)),
            // What the host has against the file in the folder is not mended by this.
            None => of_file,
        };
        let told = row.refused.as_ref().map(|refused| format!(": {}", refused.reason)).unwrap_or_default();
        if let Err(refused) = self.put_in(row, &version, judged).await? {
            return Ok(Err(cannot(refused)));
        }
        let short = to.short();
        self.changes.tell(now, &name, before, What::RolledBack { to, reason: reason.to_owned() });
        match by {
            By::Operator => {
                tracing::warn!(plugin = %name, version = %short, "plugin {name} was rolled back to version {short}{told}");
            }
            By::Host => {
                tracing::error!(plugin = %name, version = %short, reason, "plugin {name} was rolled back to version {short} by itself: {reason}{told}");
            }
        }
        Ok(Ok(()))
    }

    /// What the host goes back to may be no better, unless it was good before: then what fails is the fault of something
    /// else, such as a server that is away, and every earlier version would be rejected in turn.
    fn try_again(&self, row: &mut PluginRow, by: By) {
        let is_unproven = |active: &ActiveVersion| !row.has_settled(active.digest);
        let on_trial =
            by == By::Host && self.rule_of_trials(&row.name).is_some() && row.active.as_ref().is_some_and(is_unproven);
        if let Some(active) = row.active.as_mut().filter(|_| on_trial) {
            active.standing = Standing::OnTrial;
        }
    }

    /// The folder proposes a version that was rolled back from: the one that serves goes on, or comes back with the
    /// file.
    pub(super) async fn stays_out(&self, mut row: PluginRow, digest: Digest) -> Result<(), StoreError> {
        let name = row.name.clone();
        let served = row.active.as_ref().map(|active| active.digest).or_else(|| row.previous());
        let serves = self.sandbox.active(&name).is_some() && row.missing_since.is_none();
        let mut version = None;
        if let Some(served) = served.filter(|_| !serves) {
            match self.prepare_kept(&name, served).await {
                Ok(prepared) => {
                    row.activated(served, self.engine.load().configured(&prepared.0.info), self.clock.now());
                    version = Some(prepared);
                }
                // Why nothing serves is what has to be cured.
                Err(refused) if refused.is_untrusted() => return self.refuse(row, Some(served), refused).await,
                Err(Refused { code, reason }) => {
                    tracing::error!(plugin = %name, code, reason, "the version of {name} that should serve is not at hand: {reason}");
                }
            }
        }
        let Some(rejected) = row.rejection(digest) else { return Ok(()) };
        let refused = kept_out(&row, rejected);
        tracing::warn!(plugin = %name, version = %digest.short(), "plugin {name}: {}", refused.reason);
        let told = What::Refused { code: refused.code.clone(), reason: refused.reason.clone() };
        self.changes.tell(self.clock.now(), &name, Some(digest), told);
        row.refused = Some(refused);
        match version {
            Some((version, judged)) => match self.put_in(row, &version, judged).await? {
                Ok(()) => Ok(()),
                Err(refused) => self.refuse(self.row(&name), Some(version.digest), refused).await,
            },
            None => self.store.put_plugin(row).await,
        }
    }

    async fn proposed(&self, name: &PluginName) -> Option<Digest> {
        self.file_of(name).await.map(|(digest, _)| digest)
    }
}

/// What is told of the file in the folder: which version it is, which one serves, and what changes that.
fn kept_out(row: &PluginRow, rejected: &RejectedVersion) -> RefusedVersion {
    let (name, short) = (&row.name, rejected.digest.short());
    let serves = match &row.active {
        Some(active) => format!("version {} serves", active.digest.short()),
        None => "nothing serves in its place".to_owned(),
    };
    let reason = format!(
        "{name}.wasm is version {short}, which was rolled back from at {}: {}; {serves}. Put another file in its place, or \
         let it serve again with `hookbox plugins rollback {name} {short}`",
        rejected.at, rejected.reason
    );
    RefusedVersion { digest: Some(rejected.digest), at: rejected.at, code: ROLLED_BACK.to_owned(), reason }
}
