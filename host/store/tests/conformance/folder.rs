//! The folder of the embedded store.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hookbox_core::retry::DeadCause;
use hookbox_core::run::RunStatus;
use hookbox_store::embedded::SledStore;
use hookbox_store::types::{PageRequest, RunFilter};
use hookbox_store::{Store, StoreError, doctor};
use tempfile::TempDir;

use crate::world::{blobs, check, event};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn refused(folder: &Path) -> String {
    match SledStore::open(folder) {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

#[test]
fn a_new_folder_is_made_for_its_owner_alone() {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("several/new/levels");
    drop(SledStore::open(&folder).unwrap());
    for folder in folder.ancestors().take(3) {
        assert_eq!(mode(folder), 0o700);
    }
    check(&folder);
}

#[test]
fn a_store_that_somebody_has_open_is_told_from_one_that_nobody_has() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("db");
    std::fs::write(&db, "").unwrap();
    assert!(!doctor::is_open(folder.path()).unwrap());
    let somebody = std::fs::File::open(&db).unwrap();
    somebody.lock().unwrap();
    assert!(doctor::is_open(folder.path()).unwrap());
    drop(somebody);
    std::fs::remove_file(&db).unwrap();
    assert!(doctor::is_open(folder.path()).is_err());
    let _store = SledStore::open(folder.path()).unwrap();
    assert!(doctor::is_open(folder.path()).unwrap());
}

#[test]
fn an_empty_folder_loses_the_rights_of_others() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("lost+found")).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(SledStore::open(folder.path()).unwrap());
    assert_eq!(mode(folder.path()), 0o700);
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let why = refused(folder.path());
    assert!(why.contains("letter.txt") && why.contains("empty folder"), "{why}");
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(refused(Path::new("/")).contains("not hookbox's"));
}

#[test]
fn a_store_that_is_open_is_not_opened_twice() {
    let folder = TempDir::new().unwrap();
    let _open = SledStore::open(folder.path()).unwrap();
    let why = refused(folder.path());
    assert!(why.contains("another hookbox uses it"), "{why}");
}

#[test]
fn a_dropped_store_opens_again_at_once() {
    let folder = TempDir::new().unwrap();
    let runtime = runtime();
    for opened in 0..30 {
        let store = SledStore::open(folder.path()).unwrap();
        assert_eq!(store.counts().events, opened);
        runtime.block_on(store.accept(event(&["a/on-event"]))).unwrap();
    }
    check(folder.path());
}

#[test]
fn what_is_queued_is_committed_before_the_store_closes() {
    let folder = TempDir::new().unwrap();
    let store = SledStore::open(folder.path()).unwrap();
    let events: Vec<_> = (0..100).map(|_| event(&["a/on-event"])).collect();
    runtime().block_on(async {
        for event in &events {
            // Its caller goes away as soon as it is queued.
            tokio::select! {
                biased;
                _ = store.accept(event.clone()) => {}
                () = std::future::ready(()) => {}
            }
        }
    });
    drop(store);
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!((store.counts().events, store.counts().pending), (100, 100));
    for event in events {
        assert!(doctor::has(&store, &event.event.id.to_string()).unwrap());
    }
}

#[test]
fn a_folder_without_a_store_is_not_made_by_the_doctor() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(doctor::open(folder.path()), Err(StoreError::NotFound(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Puts a row into the tree behind the store's back.
fn plant(folder: &Path, key: &[u8], row: &[u8]) {
    let db = opened(folder);
    db.open_tree("hookbox").unwrap().insert(key, row).unwrap();
    db.flush().unwrap();
}

#[test]
fn another_format_is_refused() {
    let folder = TempDir::new().unwrap();
    plant(folder.path(), b"mformat", &[0, 1, 2]);
    let why = refused(folder.path());
    assert!(why.contains("format 2") && why.contains("reads 1"), "{why}");
}

#[test]
fn rows_without_a_format_are_refused() {
    let folder = TempDir::new().unwrap();
    plant(folder.path(), b"mboot", &[0, 1, 2]);
    assert!(refused(folder.path()).contains("does not say in which format"));
}

#[test]
fn a_damaged_row_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(SledStore::open(folder.path()).unwrap());
    let key = [b"q".as_slice(), &[1; 16]].concat();
    plant(folder.path(), &key, &[0, 9, 2]);
    let why = refused(folder.path());
    assert!(why.contains("form 9") && why.contains("reads 1"), "{why}");
}

#[test]
fn a_blob_file_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(SledStore::open(folder.path()).unwrap());
    assert_eq!(blobs(folder.path()), 0);
    std::fs::write(folder.path().join("blobs/1"), "blob").unwrap();
    assert!(refused(folder.path()).contains("not safe from a power cut"));
}

#[test]
fn the_doctor_finds_a_chunk_that_belongs_to_nothing() {
    let folder = TempDir::new().unwrap();
    drop(SledStore::open(folder.path()).unwrap());
    plant(folder.path(), b"cka\0key\0\0\0\0", b"1234rest");
    let store = doctor::open(folder.path()).unwrap();
    let faults = doctor::check(&store).unwrap().faults;
    assert_eq!(faults, ["a row of the kind 'c' belongs to nothing that is there"]);
}

/// Once sled's own threads have let go of it.
fn opened(folder: &Path) -> sled::Db {
    loop {
        match sled::Config::new().path(folder).open() {
            Err(sled::Error::Io(_)) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// As older releases left it: without marks of unrouted events and of dead letters, and with a count that never went down.
#[test]
fn a_store_of_an_older_release_gets_its_marks() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = SledStore::open(folder.path()).unwrap();
    let (routed, pruned, left) = (event(&["a/on-event"]), event(&[]), event(&[]));
    let mut buried = event(&["a/on-event"]);
    buried.runs[0].dead = Some(DeadCause::Loop);
    runtime.block_on(async {
        for new in [&routed, &pruned, &left, &buried] {
            store.accept(new.clone()).await.unwrap();
        }
    });
    drop(store);
    {
        let tree = opened(folder.path()).open_tree("hookbox").unwrap();
        tree.remove("munrouted").unwrap().unwrap();
        tree.remove("maside").unwrap().unwrap();
        for key in tree.scan_prefix("o").keys().chain(tree.scan_prefix("l").keys()) {
            tree.remove(key.unwrap()).unwrap();
        }
        tree.remove([b"e", &pruned.event.id.to_bytes()[..]].concat()).unwrap().unwrap();
        tree.flush().unwrap();
    }
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!(runtime.block_on(store.oldest_unrouted(None, 9)).unwrap(), [left.event.id]);
    assert_eq!(store.counts().unrouted, 1);
    let dead = RunFilter { status: vec![RunStatus::Dead], ..RunFilter::default() };
    let dead = runtime.block_on(store.runs(PageRequest { before: None, limit: 9 }, dead)).unwrap();
    assert_eq!(dead.runs.iter().map(|run| run.id).collect::<Vec<_>>(), [buried.runs[0].id]);
    drop(store);
    check(folder.path());
}
