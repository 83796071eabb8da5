//! Plugins that operators upload. Each is written whole under a name that no scan of the folder takes, and gets its place
//! by a rename once it is good: half an upload is never seen.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use sha2::Digest as _;
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

/// Of the names of files that wait.
const WAITING: &str = ".push";
/// Uploads that wait for the host at one time, each up to the largest component on disk.
pub(crate) const WAITING_MAX: usize = 8;

/// Where uploads go. One at a time: each is in memory as a whole.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    turn: Semaphore,
    /// Held from the writing of a file to that of its command, and while what nobody waits for is removed.
    files: Mutex<()>,
}

impl Uploads {
    /// `folder` is that of the plugins.
    pub fn to(folder: PathBuf) -> Uploads {
        Uploads { folder, turn: Semaphore::new(1), files: Mutex::default() }
    }

    /// Nothing where another one is under way.
    pub(crate) fn begin(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.try_acquire().ok()
    }

    /// Nothing is swept as long as it is held.
    pub(crate) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.files.lock().await
    }

    /// Removes what was left of uploads, but for those that somebody waits for. `waiting` is asked when no upload can be
    /// between its file and its command.
    pub async fn sweep(&self, waiting: impl FnOnce() -> HashSet<String>) {
        let _held = self.files.lock().await;
        let (folder, waiting) = (self.folder.clone(), waiting());
        // What is not removed now is at the next sweep.
        let _ = tokio::task::spawn_blocking(move || clear(&folder, &waiting)).await;
    }

    /// Returns once it is on disk. Where that fails, nothing is left of it.
    pub(crate) fn stage(&self, name: &PluginName, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest(sha2::Sha256::digest(bytes).into());
        write(&self.path(name, digest), bytes)?;
        Ok(digest)
    }

    pub(crate) fn forget(&self, name: &PluginName, digest: Digest) {
        // What cannot be removed is swept away later.
        let _ = fs::remove_file(self.path(name, digest));
    }

    fn path(&self, name: &PluginName, digest: Digest) -> PathBuf {
        self.folder.join(staged(name, digest))
    }
}

/// The name of the file, in the folder of the plugins, that waits to become the plugin's.
pub fn staged(name: &PluginName, digest: Digest) -> String {
    format!(".{name}.{}{WAITING}", digest.short())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file takes room that is wanted elsewhere.
        let _ = fs::remove_file(path);
    }
    written
}

/// The file becomes that of the plugin, and its signature, or that it has none, comes first. It does not have to be
/// there: then it has its place.
pub fn put_in_place(staged: &Path, folder: &Path, name: &PluginName, signature: Option<&str>) -> io::Result<()> {
    if !staged.exists() {
        return Ok(());
    }
    let beside = folder.join(format!("{name}.wasm.minisig"));
    match signature {
        Some(signature) => {
            // Of a name that is swept, too.
            let draft = staged.with_extension(format!("minisig{WAITING}"));
            write(&draft, signature.as_bytes())?;
            fs::rename(draft, beside)?;
        }
        None => match fs::remove_file(beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    fs::rename(staged, folder.join(format!("{name}.wasm")))?;
    File::open(folder)?.sync_all()
}

fn clear(folder: &Path, waiting: &HashSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(WAITING) && !waiting.contains(&name) {
            // What cannot be removed now is tried again at the next sweep.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_staged_file_and_its_signature_get_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let (name, uploads) = (PluginName::parse("welcome").unwrap(), Uploads::to(folder.path().to_owned()));
        let path = uploads.path(&name, uploads.stage(&name, b"bytes").unwrap());
        for signature in [Some("untrusted comment: signed"), None] {
            uploads.stage(&name, b"bytes").unwrap();
            put_in_place(&path, folder.path(), &name, signature).unwrap();
            let signed = signature.map(|_| "welcome.wasm.minisig");
            assert!(names(folder.path()).iter().map(String::as_str).eq(["welcome.wasm"].into_iter().chain(signed)));
        }
        put_in_place(&path, folder.path(), &name, None).unwrap();
        assert_eq!(fs::read(folder.path().join("welcome.wasm")).unwrap(), b"bytes");
    }

    #[tokio::test]
    async fn a_sweep_waits_for_an_upload_that_has_no_command_yet() {
        let folder = tempfile::tempdir().unwrap();
        let (name, uploads) = (PluginName::parse("welcome").unwrap(), Uploads::to(folder.path().to_owned()));
        let held = uploads.hold().await;
        let commands = std::sync::Mutex::new(HashSet::new());
        let mut sweep = std::pin::pin!(uploads.sweep(|| commands.lock().unwrap().clone()));
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(sweep.as_mut().poll(context).is_pending())).await
        );
        let staged = staged(&name, uploads.stage(&name, b"bytes").unwrap());
        commands.lock().unwrap().insert(staged.clone());
        drop(held);
        sweep.await;
        assert_eq!(names(folder.path()), [staged]);
        uploads.sweep(HashSet::new).await;
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_signature_that_was_cut_off_is_swept_like_its_component() {
        let folder = tempfile::tempdir().unwrap();
        let (name, uploads) = (PluginName::parse("welcome").unwrap(), Uploads::to(folder.path().to_owned()));
        let path = uploads.path(&name, uploads.stage(&name, b"bytes").unwrap());
        // The signature has its place already, so its draft gets stuck.
        fs::create_dir_all(folder.path().join("welcome.wasm.minisig/full")).unwrap();
        put_in_place(&path, folder.path(), &name, Some("untrusted comment: signed")).unwrap_err();
        assert_eq!(names(folder.path()).len(), 3);
        clear(folder.path(), &HashSet::new());
        assert_eq!(names(folder.path()), ["welcome.wasm.minisig"]);
    }

    #[test]
    fn leftovers_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let waits = staged(&PluginName::parse("waits").unwrap(), Digest([1; 32]));
        let left = staged(&PluginName::parse("left").unwrap(), Digest([1; 32]));
        for file in [&waits, &left, "a.wasm", ".hidden", "notes.push"] {
            fs::write(folder.path().join(file), "x").unwrap();
        }
        clear(folder.path(), &HashSet::from([waits.clone()]));
        assert_eq!(names(folder.path()), [".hidden", &waits, "a.wasm", "notes.push"]);
    }
}
