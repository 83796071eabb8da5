//! New versions whose first attempts are counted, and what becomes of them. Counts live in memory: a restart begins
//! them anew. That a version is on trial, and how that ended, is in its row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hookbox_core::attempt::Outcome;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::trial::{Rule, Trial, Verdict};
use hookbox_engine::Settings;
use hookbox_http::changes::What;
use hookbox_store::catalogue::{ActiveVersion, By, Standing};
use hookbox_store::{PluginRow, StoreError};
use tokio::sync::Notify;

use super::{Plugins, Refused};

pub(crate) struct Trials {
    settings: Arc<ArcSwap<Settings>>,
    open: Mutex<BTreeMap<PluginName, Open>>,
    ended: Notify,
}

/// One whose attempts are counted, by this rule alone: another begins anew.
struct Open {
    digest: Digest,
    rule: Option<Rule>,
    trial: Trial,
}

/// One that has its verdict.
#[derive(Clone)]
pub(super) struct Judged {
    plugin: PluginName,
    digest: Digest,
    trial: Trial,
    rule: Rule,
    verdict: Verdict,
}

impl Trials {
    pub(crate) fn new(settings: Arc<ArcSwap<Settings>>) -> Trials {
        Trials { settings, open: Mutex::default(), ended: Notify::new() }
    }

    /// As the row says.
    pub(crate) fn go_on(&self, row: &PluginRow) {
        let on_trial = row.active.as_ref().filter(|active| active.standing == Standing::OnTrial);
        let mut open = self.open();
        match on_trial.map(|active| active.digest) {
            Some(digest) if open.get(&row.name).is_some_and(|known| known.digest == digest) => {}
            Some(digest) => {
                open.insert(row.name.clone(), Open { digest, rule: None, trial: Trial::default() });
            }
            None => _ = open.remove(&row.name),
        }
    }

    pub(crate) fn count(&self, plugin: &PluginName, version: Digest, outcome: &Outcome) {
        let mut open = self.open();
        let Some(counted) = open.get_mut(plugin).filter(|counted| counted.digest == version) else { return };
        let rule = self.settings.load().rollbacks.of(plugin);
        if counted.rule != rule {
            (counted.rule, counted.trial) = (rule, Trial::default());
        }
        let Some(rule) = rule else { return };
        counted.trial.count(outcome);
        if counted.trial.verdict(rule) != Verdict::Open {
            self.ended.notify_one();
        }
    }

    pub(super) fn judged(&self) -> Vec<Judged> {
        let judge = |(plugin, counted): (&PluginName, &Open)| {
            let Open { digest, rule, trial } = *counted;
            let (rule, plugin) = (rule?, plugin.clone());
            let verdict = trial.verdict(rule);
            (verdict != Verdict::Open).then_some(Judged { plugin, digest, trial, rule, verdict })
        };
        self.open().iter().filter_map(judge).collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<PluginName, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugins {
    /// Ends trials until it is aborted.
    pub(crate) async fn judge(self: Arc<Plugins>) {
        loop {
            self.trials.ended.notified().await;
            for judged in self.trials.judged() {
                let _turn = self.turn.lock().await;
                if let Err(error) = self.patiently(|| self.end_trial(judged.clone())).await {
                    let name = &judged.plugin;
                    tracing::error!(plugin = %name, %error, "the trial of {name} has no end");
                }
            }
        }
    }

    pub(super) async fn end_trial(&self, judged: Judged) -> Result<(), StoreError> {
        let Judged { plugin: name, digest, trial, rule, verdict } = judged;
        let mut row = self.row(&name);
        // Under another rule the counting begins anew.
        if row.missing_since.is_some() || self.rule_of_trials(&name) != Some(rule) {
            return Ok(());
        }
        // It may have been replaced meanwhile.
        let on_trial = |active: &&mut ActiveVersion| active.digest == digest && active.standing == Standing::OnTrial;
        let Some(active) = row.active.as_mut().filter(on_trial) else { return Ok(()) };
        let short = digest.short();
        if verdict == Verdict::Failed {
            let reason = format!("{trial} (rollback: {rule})");
            active.standing = Standing::Failed;
            if self.go_back_by_itself(&row, &reason).await? {
                return Ok(());
            }
            let told = format!("{reason}, and no earlier version can serve: put a better one in plugins/");
            tracing::error!(plugin = %name, version = %short, reason, "plugin {name} stays at version {short}, though {told}");
            self.changes.tell(self.clock.now(), &name, Some(digest), What::Stays { reason: told });
        } else {
            active.standing = Standing::Settled;
            tracing::info!(plugin = %name, version = %short, "version {short} of plugin {name} has passed its trial: {trial}");
        }
        self.store.put_plugin(row.clone()).await?;
        self.trials.go_on(&row);
        Ok(())
    }

    /// To the newest earlier version that can serve today and was not rolled back from. Each of the history is tried
    /// once. False where there is none.
    async fn go_back_by_itself(&self, row: &PluginRow, reason: &str) -> Result<bool, StoreError> {
        let name = &row.name;
        for to in row.earlier() {
            match self.roll_back(row.clone(), to, By::Host, reason).await? {
                Ok(()) => return Ok(true),
                Err(Refused { code, reason }) => {
                    tracing::warn!(plugin = %name, version = %to.short(), code, reason, "plugin {name} does not go back: {reason}");
                    self.changes.tell(
                        self.clock.now(),
                        name,
                        Some(to),
                        What::Refused { code: code.to_owned(), reason },
                    );
                }
            }
        }
        Ok(false)
    }
}
