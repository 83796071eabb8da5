//! Whose components run here: asked before anything is compiled, described or loaded as compiled code, and again of all
//! that runs when hooks.yaml says something else. Only [`Plugins::trusted`] makes the [`Judged`] that
//! `Plugins::prepare` and `Plugins::put_in` ask for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::trust::{Grounds, Rule, Trust, Untrusted};
use hookbox_sandbox::{PluginFile, Version};
use hookbox_store::{PluginRow, StoreError};

use super::plugins::{Plugins, Refused};

/// What hooks.yaml asks for at this moment.
pub(crate) struct LiveTrust(Mutex<Arc<Trust>>);

/// A file that may run, and what it was judged by.
#[derive(Clone)]
pub(super) struct Judged {
    pub(super) grounds: Grounds,
    by: Arc<Trust>,
}

impl LiveTrust {
    pub(crate) fn new(trust: Trust) -> LiveTrust {
        LiveTrust(Mutex::new(Arc::new(trust)))
    }

    /// From here on nothing is activated that was judged by what was asked for before.
    pub(crate) fn replace(&self, trust: Trust) {
        let mut now = self.locked();
        if **now != trust {
            *now = Arc::new(trust);
        }
    }

    fn now(&self) -> Arc<Trust> {
        Arc::clone(&self.locked())
    }

    /// Does it where the judgement still counts; nobody asks for something else meanwhile.
    fn under<T>(&self, judged: &Judged, act: impl FnOnce() -> T) -> Option<T> {
        let now = self.locked();
        Arc::ptr_eq(&now, &judged.by).then(act)
    }

    fn locked(&self) -> MutexGuard<'_, Arc<Trust>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    pub(super) fn is_untrusted(&self) -> bool {
        self.code.starts_with(Untrusted::CODE_PREFIX)
    }
}

impl From<Untrusted> for Refused {
    fn from(untrusted: Untrusted) -> Refused {
        Refused { code: untrusted.code(), reason: untrusted.to_string() }
    }
}

impl Plugins {
    /// Whether these bytes may run under this name.
    pub(super) async fn trusted(&self, name: &PluginName, file: &PluginFile) -> Result<Judged, Refused> {
        let by = self.trust.now();
        let (rule, name, file) = (self.rule_of(&by, name), name.clone(), file.clone());
        let judge = move || rule.judge(&name, &file.bytes, file.signature.as_deref());
        // The largest takes a good part of a second.
        let judged = tokio::task::spawn_blocking(judge).await;
        let aborted = |error| Refused { code: "host-broken", reason: format!("judging it was aborted: {error}") };
        Ok(Judged { grounds: judged.map_err(aborted)??, by })
    }

    /// Judges it again where hooks.yaml asks for something else by now: compiling takes its time. Its bytes are kept.
    pub(super) async fn still_trusted(
        &self,
        name: &PluginName,
        digest: Digest,
        judged: &mut Judged,
    ) -> Result<(), Refused> {
        while !Arc::ptr_eq(&self.trust.now(), &judged.by) {
            (_, *judged) = self.kept(name, digest).await?;
        }
        Ok(())
    }

    /// False where hooks.yaml asks for something else than what the version was judged by: then nothing was done.
    pub(super) fn activate(&self, version: &Arc<Version>, judged: &Judged) -> bool {
        self.trust.under(judged, || self.sandbox.activate(version)).is_some()
    }

    /// The bytes of a version that served, if they are trusted today. The signature is the one that they came with, or
    /// the one beside the plugin's file, where that was signed anew. What is kept no longer may still lie in the folder.
    pub(super) async fn kept(&self, name: &PluginName, digest: Digest) -> Result<(PluginFile, Judged), Refused> {
        let file = match self.versions.load(digest).await {
            Ok(file) => file,
            Err(error) => {
                let placed = self.file_of(name).await.filter(|(found, _)| *found == digest);
                placed.map(|(_, file)| file).ok_or_else(|| {
                    let asks_nothing = self.rule_of(&self.trust.now(), name).asks_nothing();
                    let code = if asks_nothing { "host-broken" } else { "untrusted-not-at-hand" };
                    Refused { code, reason: format!("what it was made from is not at hand: {error:#}") }
                })?
            }
        };
        let first = match self.trusted(name, &file).await {
            Ok(grounds) => return Ok((file, grounds)),
            Err(refused) => refused,
        };
        let path = self.file(name);
        let beside = tokio::task::spawn_blocking(move || PluginFile::read_signature(&path)).await.ok().flatten();
        let Some(signature) = beside else { return Err(first) };
        let file = PluginFile { signature: Some(signature), ..file };
        match self.trusted(name, &file).await {
            Ok(grounds) => Ok((file, grounds)),
            Err(_) => Err(first),
        }
    }

    /// Stops at once what runs on a version that is trusted no longer, also on one that was replaced. The rows are
    /// written later.
    pub(super) async fn stop_untrusted(&self) {
        for version in self.sandbox.living() {
            let name = &version.info.name;
            if self.rule_of(&self.trust.now(), name).asks_nothing() {
                continue;
            }
            if self.kept(name, version.digest).await.is_err_and(|refused| refused.is_untrusted()) {
                version.revoke();
                if self.sandbox.active(name).is_some_and(|active| Arc::ptr_eq(&active, &version)) {
                    self.sandbox.deactivate(name);
                }
            }
        }
        self.execute.refresh();
    }

    /// The version that served may not any longer. Its runs wait for one that may, as they do for a file that is gone.
    pub(super) async fn distrust(&self, row: PluginRow, refused: Refused) -> Result<(), StoreError> {
        if let Some(version) = self.sandbox.deactivate(&row.name) {
            version.revoke();
        }
        self.execute.refresh();
        let digest = row.active.as_ref().map(|active| active.digest);
        let missing_since = row.missing_since.or(Some(self.clock.now()));
        self.refuse(PluginRow { missing_since, ..row }, digest, refused).await
    }

    /// `dev` runs what it has just built, which nobody has signed.
    fn rule_of(&self, trust: &Trust, name: &PluginName) -> Rule {
        let built_here = self.dev && self.folder.join(name.as_str()).join("Cargo.toml").is_file();
        if built_here { Rule::default() } else { trust.of(name).clone() }
    }

    /// Where the folder has a plugin.
    pub(super) fn file(&self, name: &PluginName) -> PathBuf {
        self.folder.join(format!("{name}.wasm"))
    }
}
