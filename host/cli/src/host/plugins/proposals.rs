//! What the folder proposes, from its first look on.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result};
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_http::changes::What;
use hookbox_sandbox::{Again, Folder, FolderEvent};
use tokio::sync::mpsc;

use super::Plugins;
use crate::project::Project;

/// A file that the host could not try, such as for want of room, is tried again after this.
const TRY_AGAIN_AFTER: Millis = Millis::MINUTE;

/// What came of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Done,
    /// The file was another by then: nothing is known of what lies there.
    Over,
    /// The host is at fault: that says nothing about the file.
    NotYet,
}

/// Takes in what lies in the folder, and notes what has gone from it.
pub(crate) async fn scan(project: &Project, plugins: &Plugins) -> Result<Folder> {
    let folder = Folder::open(project.plugins.clone());
    let mut folder = folder.with_context(|| format!("cannot open the plugins folder {}", project.plugins.display()))?;
    let again = folder.again();
    for event in folder.scan().await {
        plugins.take_in(event, &again).await;
    }
    plugins.note_missing().await?;
    plugins.warn_of_schedules();
    Ok(folder)
}

pub(crate) async fn take_proposals(plugins: Arc<Plugins>, mut proposed: mpsc::Receiver<FolderEvent>, again: Again) {
    while let Some(event) = proposed.recv().await {
        plugins.take_in(event, &again).await;
    }
}

impl Plugins {
    async fn take_in(&self, event: FolderEvent, again: &Again) {
        let name = match &event {
            FolderEvent::Found { name, .. } => Some(name.clone()),
            FolderEvent::Gone { .. } | FolderEvent::Refused { .. } => None,
        };
        let taken = self.take(event).await;
        let Some(name) = name else { return };
        match taken {
            Taken::Done => {}
            Taken::Over => again.propose(&name, Millis(0)),
            Taken::NotYet => again.propose(&name, TRY_AGAIN_AFTER),
        }
    }

    /// What went wrong is logged; the version that served goes on serving. Waits while the store is away.
    pub(super) async fn take(&self, event: FolderEvent) -> Taken {
        let at = self.clock.now();
        let _turn = self.turn.lock().await;
        if self.is_over(&event).await {
            return Taken::Over;
        }
        if let FolderEvent::Found { name, digest, .. } = &event
            && !self.serves(name, *digest)
        {
            self.changes.tell(at, name, Some(*digest), What::Found);
        }
        let taken = self.patiently(|| async {
            match event.clone() {
                FolderEvent::Found { name, digest, file } => self.found(name, digest, file).await,
                FolderEvent::Gone { name } => self.gone(&name).await,
                FolderEvent::Refused { file, reason } => self.not_taken(&file, reason).await,
            }
        });
        if let Err(error) = taken.await {
            tracing::error!(%error, "a change of the plugins folder was not taken over");
            return Taken::NotYet;
        }
        match &event {
            FolderEvent::Found { name, .. } if self.is_at_fault(name) => Taken::NotYet,
            _ => Taken::Done,
        }
    }

    /// Whether the host itself could not try the latest file.
    fn is_at_fault(&self, name: &PluginName) -> bool {
        self.row(name).refused.is_some_and(|refused| refused.code == "host-broken")
    }

    /// Whether the file is another by now, such as after an upload: the folder proposes that one, too.
    async fn is_over(&self, event: &FolderEvent) -> bool {
        match event {
            FolderEvent::Found { name, digest, .. } => {
                !self.serves(name, *digest) && self.file_of(name).await.is_some_and(|(now, _)| now != *digest)
            }
            FolderEvent::Gone { name } => fs::symlink_metadata(self.folder.join(format!("{name}.wasm"))).is_ok(),
            FolderEvent::Refused { .. } => false,
        }
    }
}
