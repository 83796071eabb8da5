//! What operators want of plugins: commands are rows of the store, found here, obeyed and answered, be it after a
//! restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::time::Timestamp;
use hookbox_http::changes::What;
use hookbox_http::uploads;
use hookbox_sandbox::{PluginFile, Version};
use hookbox_store::catalogue::{By, CommandAnswer, CommandRefused, PluginCommand, Wish};
use hookbox_store::{PluginRow, StoreError};
use sha2::Digest as _;
use tokio::task::spawn_blocking;

use super::{Judged, Plugins, Refused, STORE_WAIT};

/// Why a version that an operator went back from stays out.
const BY_OPERATOR: &str = "an operator wanted another version";

/// What an operator has sent.
#[derive(Clone, Copy)]
pub(super) struct Upload<'u> {
    pub(super) asked: Timestamp,
    pub(super) digest: Digest,
    pub(super) signature: Option<&'u str>,
}

impl Plugins {
    /// Obeys until it is aborted. Call it after the first scan.
    pub(crate) async fn obey(self: Arc<Plugins>) {
        self.sweep_uploads().await;
        loop {
            let changed = self.store.signals().catalogue.notified();
            let mut changed = std::pin::pin!(changed);
            // From here on none is missed.
            changed.as_mut().enable();
            let catalogue = self.store.catalogue();
            let waiting = catalogue.commands().iter().filter(|(_, command)| command.answer.is_none());
            let waiting: Vec<_> = waiting.map(|(name, command)| (name.clone(), command.clone())).collect();
            if waiting.is_empty() {
                changed.await;
            }
            for (name, command) in waiting {
                let _turn = self.turn.lock().await;
                let obeyed = self.patiently(|| self.answer(&name, &command)).await;
                if let Err(error) = obeyed {
                    tracing::error!(plugin = %name, %error, "what an operator wanted of {name} was not done");
                    tokio::time::sleep(STORE_WAIT.as_duration()).await;
                }
            }
        }
    }

    pub(super) async fn answer(&self, name: &PluginName, command: &PluginCommand) -> Result<(), StoreError> {
        let done = match &command.wish {
            Wish::Activate { digest } => self.go_back(name, *digest).await?,
            Wish::Take { digest, signature } => {
                let (asked, signature) = (command.asked, signature.as_deref());
                self.take_upload(name, &Upload { asked, digest: *digest, signature }).await?
            }
        };
        let refused = done.err().map(|Refused { code, reason }| CommandRefused { code: code.to_owned(), reason });
        let answer = CommandAnswer { at: self.clock.now(), refused };
        self.store.answer_plugin(name, command.asked, answer).await?;
        // Not before: whoever asks again after a crash is told the same.
        if matches!(command.wish, Wish::Take { .. }) {
            self.sweep_uploads().await;
        }
        Ok(())
    }

    async fn go_back(&self, name: &PluginName, to: Digest) -> Result<Result<(), Refused>, StoreError> {
        let row = self.row(name);
        if let Some(refused) = self.claims_provider(name) {
            return Ok(Err(refused));
        }
        // One that is trusted no longer is the best reason to go back; one whose file is gone is gone on purpose.
        let is_there = row.is_distrusted() && fs::symlink_metadata(self.file(name)).is_ok();
        let file_is_gone = row.missing_since.is_some() && !is_there;
        if file_is_gone || row.active.is_none() {
            let reason = format!("no version of {name} serves: put its file in plugins/, or push one");
            return Ok(Err(Refused { code: "missing", reason }));
        }
        self.roll_back(row, to, By::Operator, BY_OPERATOR).await
    }

    /// A version that was uploaded: it gets its place in the folder once it is good, so that the folder never holds one
    /// that was refused here.
    pub(super) async fn take_upload(
        &self,
        name: &PluginName,
        upload: &Upload<'_>,
    ) -> Result<Result<(), Refused>, StoreError> {
        let done = self.admit_upload(self.row(name), upload).await;
        if let Ok(Err(refused)) = &done {
            let (digest, code, reason) = (upload.digest, refused.code, &refused.reason);
            tracing::error!(plugin = %name, version = %digest.short(), code, reason, "an upload of {name} was refused: {reason}");
            let told = What::Refused { code: code.to_owned(), reason: reason.clone() };
            self.changes.tell(self.clock.now(), name, Some(digest), told);
        }
        done
    }

    async fn admit_upload(&self, row: PluginRow, upload: &Upload<'_>) -> Result<Result<(), Refused>, StoreError> {
        let (name, Upload { asked, digest, signature }) = (row.name.clone(), *upload);
        let staged = self.folder.join(uploads::staged(&name, digest));
        if let Some(refused) = self.claims_provider(&name) {
            return Ok(Err(refused));
        }
        // After a crash it may have its place already.
        let placed = self.file_of(&name).await.filter(|(found, _)| *found == digest).map(|(_, file)| file);
        let sent = signature.map(|text| Arc::from(text.as_bytes()));
        let file = match read(staged.clone(), digest).await {
            Some(bytes) => PluginFile { bytes, signature: sent },
            None => match placed {
                Some(file) => file,
                // It had its place before a crash, and another file has come since.
                None if row.history.iter().any(|past| past.digest == digest && past.since >= asked) => {
                    return Ok(Ok(()));
                }
                None => {
                    let reason = "the host stopped before it was whole: send it again".to_owned();
                    return Ok(Err(Refused { code: "upload-lost", reason }));
                }
            },
        };
        self.changes.tell(self.clock.now(), &name, Some(digest), What::Found);
        let judged = match self.trusted(&name, &file).await {
            Ok(judged) => judged,
            Err(refused) => return Ok(Err(refused)),
        };
        let version = match self.try_out(&name, digest, file, &judged).await {
            Ok(version) => version,
            Err(refused) => return Ok(Err(refused)),
        };
        self.place(row, &version, judged, signature).await
    }

    /// Nothing is touched in the folder before the version serves: it may be trusted no longer. After a crash in between
    /// the old file serves until the command, which has no answer yet, is obeyed again.
    pub(super) async fn place(
        &self,
        row: PluginRow,
        version: &Arc<Version>,
        judged: Judged,
        signature: Option<&str>,
    ) -> Result<Result<(), Refused>, StoreError> {
        let (name, before) = (row.name.clone(), row.clone());
        if let Err(refused) = self.admit(row, version, judged).await? {
            return Ok(Err(refused));
        }
        let staged = self.folder.join(uploads::staged(&name, version.digest));
        let (folder, signature) = (self.folder.clone(), signature.map(str::to_owned));
        let put = move || uploads::put_in_place(&staged, &folder, &name, signature.as_deref());
        if let Err(error) = spawn_blocking(put).await.unwrap_or_else(|aborted| Err(io::Error::other(aborted))) {
            let reason = format!("it cannot be put in plugins/: {error}");
            self.patiently(|| self.undo(before.clone())).await?;
            return Ok(Err(Refused { code: "host-broken", reason }));
        }
        Ok(Ok(()))
    }

    /// Back to what served before, if anything did.
    async fn undo(&self, before: PluginRow) -> Result<(), StoreError> {
        let served = before.active.as_ref().filter(|_| before.missing_since.is_none()).map(|active| active.digest);
        let Some(served) = served else {
            self.sandbox.deactivate(&before.name);
            self.execute.refresh();
            self.schedules.expect();
            self.store.put_plugin(before.clone()).await?;
            self.trials.go_on(&before);
            return self.schedules.declare().await;
        };
        let refused = match self.prepare_kept(&before.name, served).await {
            Ok((version, judged)) => self.put_in(before.clone(), &version, judged).await?.err(),
            Err(refused) => Some(refused),
        };
        match refused {
            // It served until a moment ago, and may not any longer.
            Some(refused) => self.distrust(before, refused).await,
            None => Ok(()),
        }
    }

    /// Removes what uploads left that nobody will ask for any longer.
    async fn sweep_uploads(&self) {
        let waits = |(name, command): (&PluginName, &PluginCommand)| match command.wish {
            Wish::Take { digest, .. } if command.answer.is_none() => Some(uploads::staged(name, digest)),
            _ => None,
        };
        let waiting = || self.store.catalogue().commands().iter().filter_map(waits).collect();
        self.uploads.sweep(waiting).await;
    }
}

/// Nothing where it is not there as it was sent.
async fn read(path: PathBuf, digest: Digest) -> Option<Arc<[u8]>> {
    let read = move || {
        let bytes = PluginFile::read(&path)?.bytes;
        (Digest(sha2::Sha256::digest(&bytes).into()) == digest).then_some(bytes)
    };
    spawn_blocking(read).await.ok().flatten()
}
