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
use hookbox_store::catalogue::{ActiveVersion, By, Standing};
use hookbox_store::{PluginRow, StoreError};
use tokio::sync::Notify;

use super::Plugins;

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
struct Judged {
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

    fn judged(&self) -> Vec<Judged> {
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

    async fn end_trial(&self, judged: Judged) -> Result<(), StoreError> {
        let Judged { plugin: name, digest, trial, rule, verdict } = judged;
        let mut row = self.row(&name);
        if row.missing_since.is_some() {
            return Ok(());
        }
        // It may have been replaced meanwhile.
        let on_trial = |active: &&mut ActiveVersion| active.digest == digest && active.standing == Standing::OnTrial;
        let Some(active) = row.active.as_mut().filter(on_trial) else { return Ok(()) };
        active.standing = Standing::Settled;
        let settled = row.clone();
        let short = digest.short();
        if verdict == Verdict::Failed {
            let reason = format!("{trial} (rollback: {rule})");
            let refused = match row.previous() {
                None => "there is no version to go back to".to_owned(),
                Some(to) => match self.roll_back(row, to, By::Host, &reason).await? {
                    Ok(()) => return Ok(()),
                    Err(refused) => refused.reason,
                },
            };
            tracing::error!(plugin = %name, version = %short, reason, "plugin {name} stays at version {short}, though {reason}: {refused}");
        } else {
            tracing::info!(plugin = %name, version = %short, "version {short} of plugin {name} has passed its trial: {trial}");
        }
        self.store.put_plugin(settled.clone()).await?;
        self.trials.go_on(&settled);
        Ok(())
    }
}
