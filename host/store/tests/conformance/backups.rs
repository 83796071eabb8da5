//! Copies of everything, taken while the store works on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};

use hookbox_core::id::EventId;
use hookbox_store::backup::{self, Backup, BackupError, Folder};
use hookbox_store::embedded::{Restored as Put, SledStore, restore};
use hookbox_store::memory::MemoryStore;
use hookbox_store::{Store, StoreError, doctor, owner};
use tempfile::TempDir;

use crate::world::{NOW, World, add, bytes, event, set, success, writes};

conformance!(
    what_is_committed_meanwhile_is_in_the_copy,
    one_copy_is_made_at_a_time,
    a_copy_fits_together_however_commits_and_reads_fall,
);

async fn begin(store: &dyn Store, folders: Vec<Folder>) -> Backup {
    Backup::begin(store.snapshot().await.unwrap(), folders, "0.0.0", NOW).unwrap()
}

async fn rest(backup: &mut Backup, mut file: Vec<u8>) -> Vec<u8> {
    while let Some(part) = backup.next().await.unwrap() {
        file.extend(part);
    }
    file
}

struct Restored {
    folder: TempDir,
}

impl Restored {
    #[track_caller]
    fn of(file: &[u8]) -> Restored {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("file"), file).unwrap();
        let restored = Restored { folder };
        restored.restore().unwrap();
        restored
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn restore(&self) -> Result<Put, BackupError> {
        restore(&self.path("file"), &self.path("data"), &self.path("plugins"))
    }

    fn store(&self) -> SledStore {
        SledStore::open(&self.path("data")).unwrap()
    }
}

/// Several steps' worth of rows.
async fn fill(world: &World) -> Vec<EventId> {
    let mut ids = Vec::new();
    for n in 0..8 {
        let mut event = event(&["a/on-event"]);
        event.event.data = bytes(200_000, n);
        ids.push(world.accept_new(event).await);
    }
    ids
}

async fn what_is_committed_meanwhile_is_in_the_copy(world: &mut World) {
    let mut ids = fill(world).await;
    let ready: Vec<_> = world.claim_some(&["a/on-event"], 8, NOW).await;
    let mut backup = begin(&***world, Vec::new()).await;
    let (mut file, mut ready) = (Vec::new(), ready.into_iter());
    while let Some(part) = backup.next().await.unwrap() {
        file.extend(part);
        // Rows that were read, rows that are still to be read, and new ones.
        if let Some(run) = ready.next() {
            let changes = writes("a", [set("last", run.id.to_string()), add("count", 1)]);
            world.record(success(&run, Some(changes))).await.unwrap();
            ids.push(world.accept_new(event(&["a/on-event"])).await);
        }
    }
    assert_eq!(ready.len(), 0, "the copy was made in too few steps");
    let restored = Restored::of(&file);
    let (copy, counts) = (restored.store(), world.counts());
    assert_eq!(copy.counts(), counts);
    assert_eq!((counts.events, counts.succeeded), (16, 8));
    for id in ids {
        assert_eq!(copy.event(id).await.unwrap().event, world.event(id).await.unwrap().event);
    }
    let counted = |store: &dyn Store| {
        let plugin = crate::world::plugin_name("a");
        let read = futures(store.kv_get(&plugin, "count", NOW));
        read.map(|entry| entry.value)
    };
    assert_eq!(counted(&copy), counted(&***world));
}

/// The value of a read that has no reason to wait.
fn futures<T>(read: impl Future<Output = Result<T, StoreError>>) -> T {
    let mut read = std::pin::pin!(read);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match read.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.unwrap(),
        std::task::Poll::Pending => panic!("it waits"),
    }
}

async fn one_copy_is_made_at_a_time(world: &mut World) {
    fill(world).await;
    let mut first = begin(&***world, Vec::new()).await;
    first.next().await.unwrap();
    let second = world.snapshot().await.err().unwrap();
    assert!(matches!(second, StoreError::Conflict(_)), "{second}");
    drop(first);
    let file = rest(&mut begin(&***world, Vec::new()).await, Vec::new()).await;
    // One that was read to its end keeps nobody from the next.
    drop(begin(&***world, Vec::new()).await);
    assert_eq!(Restored::of(&file).store().counts().events, 8);
}

async fn a_copy_fits_together_however_commits_and_reads_fall(world: &mut World) {
    fill(world).await;
    let store = world.store.clone();
    let writer = tokio::spawn(async move {
        let mut accepted = Vec::new();
        for n in 0..300u32 {
            let mut event = event(&["a/on-event", "b/on-event"]);
            event.event.data = bytes(3000 + 40 * n as usize, n as u8);
            accepted.push(event.event.id);
            store.accept(event).await.unwrap();
        }
        accepted
    });
    let mut copies = 0;
    while !writer.is_finished() || copies == 0 {
        let acknowledged = world.counts().events;
        let file = rest(&mut begin(&***world, Vec::new()).await, Vec::new()).await;
        // The doctor looks at what was restored before it is in its place.
        let copy = Restored::of(&file).store().counts().events;
        assert!(copy >= acknowledged, "{acknowledged} were acknowledged before, {copy} are in the copy");
        copies += 1;
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn a_copy_ends_where_a_commit_fails() {
    let store = MemoryStore::new().unwrap();
    store.accept(event(&["a/on-event"])).await.unwrap();
    let mut backup = begin(&store, Vec::new()).await;
    backup.next().await.unwrap();
    store.gather();
    let (accepted, lost) = tokio::join!(store.accept(event(&["a/on-event"])), async { store.lose_gathered() });
    assert!(accepted.is_err() && lost.is_ok());
    let mut failed = Ok(Some(Vec::new()));
    while matches!(failed, Ok(Some(_))) {
        failed = backup.next().await;
    }
    assert!(failed.unwrap_err().to_string().contains("disk is full"));
    drop(backup);
    rest(&mut begin(&store, Vec::new()).await, Vec::new()).await;
}

#[tokio::test]
async fn a_reader_who_is_slower_than_the_writers_gets_nothing_and_holds_up_nobody() {
    let store = MemoryStore::new().unwrap();
    let mut backup = begin(&store, Vec::new()).await;
    backup.next().await.unwrap();
    for _ in 0..70 {
        let mut large = event(&["a/on-event"]);
        large.event.data = vec![7; 1 << 20];
        store.accept(large).await.unwrap();
    }
    let mut failed = Ok(Some(Vec::new()));
    while matches!(failed, Ok(Some(_))) {
        failed = backup.next().await;
    }
    let failed = failed.unwrap_err();
    assert!(matches!(&failed, StoreError::Conflict(why) if why.contains("more slowly")), "{failed}");
}

/// A small backup, with files of plugins.
fn small() -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    for name in ["welcome.wasm", "welcome.wasm.minisig", "notes.txt", ".push-1.wasm"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let store = MemoryStore::new().unwrap();
        store.accept(event(&["a/on-event"])).await.unwrap();
        let folders = ["versions", "plugins"].map(|name| Folder { name, path: folder.path().to_owned() });
        rest(&mut begin(&store, folders.to_vec()).await, Vec::new()).await
    })
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_refused_and_leaves_nothing() {
    let file = small();
    let folder = Restored { folder: TempDir::new().unwrap() };
    let mut broken: Vec<Vec<u8>> = (0..file.len()).map(|length| file[..length].to_vec()).collect();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        broken.push(changed);
    }
    broken.push([file.as_slice(), b"\n"].concat());
    for broken in &broken {
        assert!(backup::check(&broken[..]).is_err(), "{} bytes", broken.len());
    }
    for broken in broken.iter().step_by(97) {
        fs::write(folder.path("file"), broken).unwrap();
        folder.restore().unwrap_err();
        assert_eq!(entries(folder.folder.path()), ["file"]);
    }
}

#[test]
fn a_store_is_not_there_before_its_plugins_are() {
    let folder = Restored { folder: TempDir::new().unwrap() };
    fs::write(folder.path("file"), small()).unwrap();
    fs::write(folder.path("plugins"), "in their place").unwrap();
    folder.restore().unwrap_err();
    assert_eq!(entries(folder.folder.path()), ["file", "plugins"], "a second one finds an empty place");
    fs::remove_file(folder.path("plugins")).unwrap();
    // Or it was cut off between the two: one of the files is there, and the store is in its building.
    fs::create_dir_all(folder.path("data/restoring")).unwrap();
    fs::create_dir(folder.path("plugins")).unwrap();
    fs::write(folder.path("plugins/welcome.wasm"), "welcome.wasm").unwrap();
    let restored = folder.restore().unwrap();
    assert_eq!((restored.plugins.as_slice(), restored.kept.len()), (&["welcome.wasm.minisig".to_owned()][..], 0));
    assert_eq!(folder.store().counts().events, 1);
}

#[test]
fn a_backup_goes_into_an_empty_folder_alone() {
    let file = small();
    let restored = Restored::of(&file);
    assert_eq!(entries(&restored.path("plugins")), ["welcome.wasm", "welcome.wasm.minisig"]);
    assert_eq!(entries(&restored.path("data/versions")), ["welcome.wasm", "welcome.wasm.minisig"]);
    assert_eq!(fs::read(restored.path("data/versions/welcome.wasm")).unwrap(), b"welcome.wasm");
    let before = entries(&restored.path("data"));
    let again = restored.restore().unwrap_err().to_string();
    assert!(again.contains("is not empty") && again.contains("empty folder"), "{again}");
    assert_eq!(entries(&restored.path("data")), before);
    assert_eq!(restored.store().counts().events, 1);
}

#[test]
fn a_plugin_that_is_there_stays() {
    let folder = Restored { folder: TempDir::new().unwrap() };
    fs::write(folder.path("file"), small()).unwrap();
    fs::create_dir(folder.path("plugins")).unwrap();
    fs::write(folder.path("plugins/welcome.wasm"), "newer").unwrap();
    let restored = folder.restore().unwrap();
    assert_eq!(
        (restored.plugins.as_slice(), restored.kept.as_slice()),
        (&["welcome.wasm.minisig".to_owned()][..], &["welcome.wasm".to_owned()][..])
    );
    assert_eq!(fs::read(folder.path("plugins/welcome.wasm")).unwrap(), b"newer");
}

/// The user that each file and folder below this one belongs to, links as they are.
fn owners(folder: &Path) -> BTreeSet<u32> {
    let mut owners = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        owners.insert(entry.metadata().unwrap().uid());
        if entry.metadata().unwrap().is_dir() {
            owners.extend(self::owners(&entry.path()));
        }
    }
    owners
}

#[test]
fn what_root_restores_belongs_to_whoever_has_the_folder() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: root alone gives files away");
        return;
    }
    let (above, empty) = (12_345, 23_456);
    let folder = Restored { folder: TempDir::new().unwrap() };
    chown(folder.folder.path(), Some(above), Some(above)).unwrap();
    fs::write(folder.path("file"), small()).unwrap();
    fs::create_dir(folder.path("data")).unwrap();
    chown(folder.path("data"), Some(empty), Some(empty)).unwrap();
    folder.restore().unwrap();
    let owner = |name: &str| fs::symlink_metadata(folder.path(name)).unwrap().uid();
    assert!(entries(&folder.path("data")).contains(&"versions".to_owned()));
    assert_eq!((owner("data"), owners(&folder.path("data"))), (empty, BTreeSet::from([empty])));
    assert_eq!((owner("plugins"), owners(&folder.path("plugins"))), (above, BTreeSet::from([above])));
    // Folders that are made on the way, too.
    restore(&folder.path("file"), &folder.path("new/data"), &folder.path("plugins")).unwrap();
    assert_eq!((owner("new"), owners(&folder.path("new"))), (above, BTreeSet::from([above])));
}

#[test]
fn what_root_has_made_in_a_store_is_handed_over_and_nothing_that_it_leads_to() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: root alone gives files away");
        return;
    }
    let folder = Restored { folder: TempDir::new().unwrap() };
    for made in ["data", "data/versions", "data/lost+found", "elsewhere"] {
        fs::create_dir(folder.path(made)).unwrap();
    }
    chown(folder.path("data"), Some(23_456), Some(23_456)).unwrap();
    for file in ["data/db", "data/versions/one", "elsewhere/one", "elsewhere/two"] {
        fs::write(folder.path(file), file).unwrap();
    }
    symlink(folder.path("elsewhere"), folder.path("data/folder")).unwrap();
    symlink(folder.path("elsewhere/one"), folder.path("data/file")).unwrap();
    fs::hard_link(folder.path("elsewhere/two"), folder.path("data/second")).unwrap();
    let mine = ["data/db", "data/versions", "data/versions/one"].map(|name| folder.path(name));
    let foreign = || owner::foreign(&folder.path("data")).unwrap();
    assert!(mine.iter().all(|path| foreign().contains(path)));
    owner::hand_over(&folder.path("data")).unwrap();
    assert_eq!(foreign(), ["file", "folder", "second"].map(|name| folder.path("data").join(name)));
    let owner = |name: &str| fs::metadata(folder.path(name)).unwrap().uid();
    let others = ["elsewhere", "elsewhere/one", "elsewhere/two", "data/lost+found"];
    assert!(others.iter().all(|name| owner(name) == 0), "root's own was given away");
    // A look at it leaves it to its owner, unless somebody has to look at what was there before.
    let look = || owner::keeping(&folder.path("data"), || fs::write(folder.path("data/snap"), "").unwrap()).unwrap();
    look();
    assert_eq!(owner("data/snap"), 0);
    for name in ["data/file", "data/folder", "data/second", "data/snap"] {
        fs::remove_file(folder.path(name)).unwrap();
    }
    look();
    assert_eq!(owner("data/snap"), 23_456);
}

#[test]
fn a_restore_that_was_cut_off_is_opened_by_nobody_and_begun_anew() {
    let file = small();
    let restored = Restored::of(&file);
    // As if it had been cut off between two files.
    fs::create_dir(restored.path("data/restoring")).unwrap();
    fs::rename(restored.path("data/conf"), restored.path("data/restoring/conf")).unwrap();
    let refused = SledStore::open(&restored.path("data")).err().unwrap().to_string();
    assert!(refused.contains("hookbox restore"), "{refused}");
    restored.restore().unwrap();
    assert_eq!(restored.store().counts().events, 1);
    assert!(doctor::check(&restored.store()).unwrap().faults.is_empty());
    assert!(!entries(&restored.path("data")).contains(&"restoring".to_owned()));
}

#[test]
fn a_backup_of_a_later_release_is_told_from_a_broken_one() {
    let mut file = small();
    let number = file.iter().position(|byte| *byte == b'1').unwrap();
    file[number] = b'2';
    let refused = backup::check(&file[..]).unwrap_err();
    assert!(matches!(&refused, BackupError::Refused(why) if why.contains("later release")), "{refused}");
}
