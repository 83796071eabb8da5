//! The folder that operators drop plugins into. It proposes: what has changed,
//! what is gone, what cannot be taken; whether a proposal is acted upon is
//! decided elsewhere.
//!
//! Notifications of the system only ring a bell; each look reads the whole
//! folder. So a lost or overflowing notification costs at most [`POLL`], and a
//! folder that is deleted and made again is found again.

mod again;
mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, event};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::text;
use file::Stamps;

pub use again::Again;
pub use file::PluginFile;

/// A file is taken when its size and time stood still for so long: half a copy is no plugin. Also the least time
/// between two looks.
const SETTLE: Duration = Duration::from_millis(100);
/// A look without a notification: some file systems send none.
const POLL: Duration = Duration::from_secs(2);
/// Looks that a scan waits for files to settle.
const SCAN_LOOKS_MAX: u32 = 20;
/// Plugins in one folder.
const FILES_MAX: usize = 1000;
/// Bytes read in one look; the other files wait for the next.
const LOOK_BYTES_MAX: u64 = COMPONENT_BYTES_MAX;

/// What the folder proposes.
#[derive(Clone, PartialEq, Eq)]
pub enum FolderEvent {
    /// Bytes, or bytes with a signature, that were not the last to be proposed under this name.
    Found { name: PluginName, digest: Digest, file: PluginFile },
    /// The file of something that was found is no longer there.
    Gone { name: PluginName },
    /// A file that is taken for no plugin, told once for each state of the file.
    Refused { file: String, reason: String },
}

/// A folder of plugins. Only the names directly in it that end in `.wasm` and do not begin with a dot. Beside each may
/// lie its signature, `NAME.wasm.minisig`, which is proposed with it whichever comes first.
pub struct Folder {
    dir: PathBuf,
    view: View,
    again: Again,
}

/// What was seen and said. Where it is lost, everything is proposed once more, which does no harm.
#[derive(Default)]
struct View {
    files: BTreeMap<String, Seen>,
    /// Why the folder itself cannot be read.
    trouble: Option<String>,
}

/// Name, component and signature.
type Proposed = (PluginName, Digest, Option<Arc<[u8]>>);

/// One file.
struct Seen {
    stamps: Stamps,
    since: Instant,
    settled: bool,
    proposed: Option<Proposed>,
    refused: Option<String>,
    /// Whatever it is.
    again: bool,
}

/// What one look brought.
struct Look {
    events: Vec<FolderEvent>,
    unsettled: bool,
}

impl Folder {
    /// Makes the folder where it is missing.
    pub fn open(dir: PathBuf) -> io::Result<Folder> {
        fs::create_dir_all(&dir)?;
        Ok(Folder { dir, view: View::default(), again: Again::default() })
    }

    /// For whoever takes the proposals.
    pub fn again(&self) -> Again {
        self.again.clone()
    }

    /// Everything that lies there; waits up to two seconds for files that are being written.
    pub async fn scan(&mut self) -> Vec<FolderEvent> {
        let mut events = Vec::new();
        for _ in 0..SCAN_LOOKS_MAX {
            let look = self.look_aside().await;
            events.extend(look.events);
            if !look.unsettled {
                break;
            }
            sleep(SETTLE).await;
        }
        events
    }

    /// Tells what changes, beginning with what was not told yet. Ends when nobody listens any longer.
    pub async fn watch(mut self, sender: mpsc::Sender<FolderEvent>) {
        let bell = Arc::clone(&self.again.bell);
        let mut watched = None;
        loop {
            let identity = identity(&self.dir);
            if watched.as_ref().is_none_or(|(at, _)| *at != identity) {
                watched = watcher(&self.dir, &bell).map(|watcher| (identity, watcher));
            }
            let look = self.look_aside().await;
            for event in look.events {
                if sender.send(event).await.is_err() {
                    return;
                }
            }
            sleep(SETTLE).await;
            if look.unsettled && !sender.is_closed() {
                continue;
            }
            tokio::select! {
                () = sender.closed() => return,
                () = bell.notified() => {}
                () = sleep(POLL) => {}
            }
        }
    }

    /// A look on a thread that may wait for the disk.
    async fn look_aside(&mut self) -> Look {
        let (dir, mut view, now) = (self.dir.clone(), std::mem::take(&mut self.view), Instant::now());
        self.again.take(now).iter().for_each(|name| view.say_again(name));
        let looking = tokio::task::spawn_blocking(move || {
            let look = view.look(&dir, now);
            (view, look)
        });
        match looking.await {
            Ok((view, look)) => {
                self.view = view;
                look
            }
            // The runtime is shutting down.
            Err(_) => Look { events: Vec::new(), unsettled: false },
        }
    }
}

impl View {
    fn look(&mut self, dir: &Path, now: Instant) -> Look {
        let mut look = Look { events: Vec::new(), unsettled: false };
        let found = match file::list(dir) {
            Ok(found) => found,
            Err(error) => {
                // Nothing is gone: a folder that cannot be read proposes nothing.
                self.complain(dir, &mut look, format!("the folder cannot be read: {error}"));
                return look;
            }
        };
        if found.len() > FILES_MAX {
            self.complain(dir, &mut look, format!("it holds {} plugins, at most {FILES_MAX}", found.len()));
            return look;
        }
        self.trouble = None;
        self.files.retain(|file, seen| {
            let there = found.contains_key(file);
            if let (false, Some((name, ..))) = (there, &seen.proposed) {
                look.events.push(FolderEvent::Gone { name: name.clone() });
            }
            there
        });
        let mut bytes_left = LOOK_BYTES_MAX;
        for (file, stamps) in found {
            let seen = self.files.entry(file.clone()).or_insert_with(|| Seen::new(stamps, now));
            if seen.stamps != stamps {
                (seen.stamps, seen.since, seen.settled) = (stamps, now, false);
            }
            let stamp = stamps.component;
            if seen.settled {
                continue;
            }
            let ready = now.duration_since(seen.since) >= SETTLE && stamp.bytes <= bytes_left;
            if ready || !stamp.regular || stamp.bytes > COMPONENT_BYTES_MAX {
                bytes_left = bytes_left.saturating_sub(stamp.bytes);
                look.events.extend(seen.take(dir, &file));
            }
            look.unsettled |= !seen.settled;
        }
        look
    }

    fn say_again(&mut self, name: &PluginName) {
        if let Some(seen) = self.files.get_mut(&format!("{name}.wasm")) {
            (seen.settled, seen.again) = (false, true);
        }
    }

    fn complain(&mut self, dir: &Path, look: &mut Look, reason: String) {
        if self.trouble.as_ref() != Some(&reason) {
            self.trouble = Some(reason.clone());
            look.events.push(FolderEvent::Refused { file: text::line(&dir.to_string_lossy()), reason });
        }
    }
}

impl Seen {
    fn new(stamps: Stamps, since: Instant) -> Seen {
        Seen { stamps, since, settled: false, proposed: None, refused: None, again: false }
    }

    /// What is to be said of a file that stands still, if it was not said before.
    fn take(&mut self, dir: &Path, file: &str) -> Option<FolderEvent> {
        let taken = name(file).and_then(|name| Ok((name, file::read(&dir.join(file), self.stamps)?)));
        match taken {
            // Written while it was read: the next look sees another stamp.
            Ok((_, None)) => None,
            Ok((name, Some(file))) => {
                self.settled = true;
                // What took its place for a while was refused: that is over.
                let back = self.refused.take().is_some() | std::mem::take(&mut self.again);
                let digest = Digest(Sha256::digest(&file.bytes).into());
                let proposed = Some((name.clone(), digest, file.signature.clone()));
                (back || self.proposed != proposed).then(|| {
                    self.proposed = proposed;
                    FolderEvent::Found { name, digest, file }
                })
            }
            Err(reason) => {
                self.settled = true;
                let refused = Some(reason.clone());
                (self.refused != refused).then(|| {
                    self.refused = refused;
                    FolderEvent::Refused { file: text::line(file), reason }
                })
            }
        }
    }
}

impl fmt::Debug for FolderEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderEvent::Found { name, digest, .. } => write!(f, "found {name} {digest:?}"),
            FolderEvent::Gone { name } => write!(f, "gone {name}"),
            FolderEvent::Refused { file, reason } => write!(f, "refused {file}: {reason}"),
        }
    }
}

fn name(file: &str) -> Result<PluginName, String> {
    PluginName::parse(file.strip_suffix(".wasm").unwrap_or(file)).map_err(|error| error.to_string())
}

/// Another folder of the same name has another one.
fn identity(dir: &Path) -> Option<(u64, u64, Option<SystemTime>)> {
    let found = fs::metadata(dir).ok()?;
    Some((found.dev(), found.ino(), found.created().ok()))
}

/// Rings the bell at each change; nothing where the system cannot watch this folder.
fn watcher(dir: &Path, bell: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let bell = Arc::clone(bell);
    let ring = move |event: notify::Result<notify::Event>| {
        // Our own reading must not wake us.
        let read = |kind: EventKind| {
            let written = EventKind::Access(event::AccessKind::Close(event::AccessMode::Write));
            matches!(kind, EventKind::Access(_)) && kind != written
        };
        if !event.is_ok_and(|event| read(event.kind)) {
            bell.notify_one();
        }
    };
    let watching = notify::recommended_watcher(ring).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watching.map_err(|error| debug!("{} is polled, not watched: {error}", dir.display())).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn names(look: &Look) -> Vec<String> {
        look.events.iter().map(|event| format!("{event:?}").chars().take(7).collect()).collect()
    }

    #[test]
    fn a_file_is_taken_when_it_stood_still_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut view, start) = (folder.path().join("a.wasm"), View::default(), Instant::now());
        fs::write(&path, "half").unwrap();
        let look = view.look(folder.path(), start);
        assert!(look.unsettled && look.events.is_empty());
        fs::write(&path, "half and half").unwrap();
        let look = view.look(folder.path(), start + SETTLE);
        assert!(look.unsettled && look.events.is_empty());
        let look = view.look(folder.path(), start + SETTLE * 2);
        let [FolderEvent::Found { file, .. }] = look.events.as_slice() else { panic!("{:?}", look.events) };
        assert_eq!((file.bytes.as_ref(), look.unsettled), (b"half and half".as_slice(), false));
    }

    #[test]
    fn what_is_to_be_said_again_is_said_once_more_and_what_is_gone_then_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut view, start) = (folder.path().join("a.wasm"), View::default(), Instant::now());
        fs::write(&path, "bytes").unwrap();
        view.look(folder.path(), start);
        let later = start + SETTLE;
        assert_eq!(names(&view.look(folder.path(), later)), ["found a"]);
        assert_eq!(names(&view.look(folder.path(), later)), Vec::<String>::new());
        view.say_again(&PluginName::parse("a").unwrap());
        view.say_again(&PluginName::parse("b").unwrap());
        assert_eq!(names(&view.look(folder.path(), later)), ["found a"]);
        assert_eq!(names(&view.look(folder.path(), later)), Vec::<String>::new());
        view.say_again(&PluginName::parse("a").unwrap());
        fs::remove_file(&path).unwrap();
        assert_eq!(names(&view.look(folder.path(), later)), ["gone a"]);
    }

    #[test]
    fn one_look_reads_a_bounded_number_of_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.wasm", "b.wasm"] {
            File::create(folder.path().join(file)).unwrap().set_len(LOOK_BYTES_MAX / 2 + 1).unwrap();
        }
        let (mut view, start) = (View::default(), Instant::now());
        view.look(folder.path(), start);
        let look = view.look(folder.path(), start + SETTLE);
        assert_eq!((names(&look), look.unsettled), (vec!["found a".to_owned()], true));
        let look = view.look(folder.path(), start + SETTLE);
        assert_eq!((names(&look), look.unsettled), (vec!["found b".to_owned()], false));
    }

    #[test]
    fn a_folder_with_too_many_plugins_is_refused_once() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..=FILES_MAX {
            File::create(folder.path().join(format!("p{n}.wasm"))).unwrap();
        }
        let (mut view, start) = (View::default(), Instant::now());
        assert_eq!(names(&view.look(folder.path(), start)), ["refused"]);
        assert!(view.look(folder.path(), start).events.is_empty());
    }
}
