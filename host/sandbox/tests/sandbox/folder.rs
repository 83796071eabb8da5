//! The folder of plugins.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::plugin::Digest;
use hookbox_core::time::Millis;
use hookbox_core::trust::SIGNATURE_BYTES_MAX;
use hookbox_sandbox::{Folder, FolderEvent, PluginFile};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::world::plugin;

fn found(name: &str, bytes: &[u8]) -> FolderEvent {
    found_with(name, bytes, None)
}

fn found_with(name: &str, bytes: &[u8], signature: Option<&[u8]>) -> FolderEvent {
    let digest = Digest(Sha256::digest(bytes).into());
    let file = PluginFile { bytes: bytes.into(), signature: signature.map(Into::into) };
    FolderEvent::Found { name: plugin(name), digest, file }
}

fn gone(name: &str) -> FolderEvent {
    FolderEvent::Gone { name: plugin(name) }
}

fn refused(event: &FolderEvent) -> (&str, &str) {
    match event {
        FolderEvent::Refused { file, reason } => (file, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn watching_ends_when_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, receiver) = mpsc::channel(4);
    let watching = tokio::spawn(Folder::open(folder.path().to_owned()).unwrap().watch(sender));
    drop(receiver);
    watching.await.unwrap();
}

/// Watches in the background; the task ends with the receiver.
fn watch(dir: &Path) -> mpsc::Receiver<FolderEvent> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(Folder::open(dir.to_owned()).unwrap().watch(sender));
    receiver
}

#[tokio::test]
async fn a_scan_finds_plugins_once() {
    let folder = tempfile::tempdir().unwrap();
    for (file, bytes) in [("b.wasm", "two"), ("a.wasm", "one"), ("notes.txt", "no"), (".hidden.wasm", "no")] {
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    let mut watched = Folder::open(folder.path().to_owned()).unwrap();
    assert_eq!(watched.scan().await, [found("a", b"one"), found("b", b"two")]);
    assert_eq!(watched.scan().await, []);
}

#[tokio::test]
async fn what_is_no_plugin_file_is_refused_once_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    fs::create_dir(path("dir.wasm")).unwrap();
    symlink("/etc/passwd", path("link.wasm")).unwrap();
    fs::write(path("Bad Name.wasm"), "x").unwrap();
    fs::File::create(path("large.wasm")).unwrap().set_len(COMPONENT_BYTES_MAX + 1).unwrap();
    let mut watched = Folder::open(folder.path().to_owned()).unwrap();
    let events = watched.scan().await;
    let mut events: Vec<_> = events.iter().map(refused).collect();
    events.sort_unstable();
    let files: Vec<&str> = events.iter().map(|(file, _)| *file).collect();
    assert_eq!(files, ["Bad Name.wasm", "dir.wasm", "large.wasm", "link.wasm"]);
    for ((_, reason), words) in events.iter().zip(["a plugin's name", "regular file", "at most", "regular file"]) {
        assert!(reason.contains(words), "{reason}");
    }
    assert_eq!(watched.scan().await, []);
}

#[tokio::test]
async fn changes_are_told_and_repetitions_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wasm");
    let mut events = watch(folder.path());
    fs::write(&path, "one").unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"one")));
    // The same bytes again: the next event is the one after.
    fs::write(&path, "one").unwrap();
    fs::write(folder.path().join("b.wasm"), "b").unwrap();
    assert_eq!(events.recv().await, Some(found("b", b"b")));
    fs::write(&path, "two").unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"two")));
    fs::remove_file(&path).unwrap();
    assert_eq!(events.recv().await, Some(gone("a")));
    fs::write(&path, "two").unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"two")));
}

#[tokio::test]
async fn a_file_put_in_place_by_renaming_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = watch(folder.path());
    let unfinished = folder.path().join(".a.wasm.part");
    fs::write(&unfinished, "one").unwrap();
    fs::rename(&unfinished, folder.path().join("a.wasm")).unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"one")));
}

#[tokio::test]
async fn a_plugin_that_becomes_a_link_is_refused_and_not_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wasm");
    fs::write(&path, "one").unwrap();
    let mut events = watch(folder.path());
    assert_eq!(events.recv().await, Some(found("a", b"one")));
    let link = folder.path().join("link");
    symlink("/etc/passwd", &link).unwrap();
    fs::rename(&link, &path).unwrap();
    assert_eq!(refused(&events.recv().await.unwrap()).0, "a.wasm");
    // The same file again: what was refused is gone.
    fs::write(folder.path().join("draft"), "one").unwrap();
    fs::rename(folder.path().join("draft"), &path).unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"one")));
}

#[tokio::test]
async fn a_folder_that_is_made_again_is_watched_again() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("plugins");
    let mut events = watch(&dir);
    fs::write(dir.join("a.wasm"), "one").unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"one")));
    fs::rename(&dir, parent.path().join("away")).unwrap();
    assert!(refused(&events.recv().await.unwrap()).1.contains("cannot be read"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("b.wasm"), "two").unwrap();
    assert_eq!(events.recv().await, Some(gone("a")));
    assert_eq!(events.recv().await, Some(found("b", b"two")));
}

#[tokio::test]
async fn a_signature_is_proposed_with_its_plugin_whichever_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    let mut events = watch(folder.path());
    fs::write(path("a.wasm.minisig"), "early").unwrap();
    fs::write(path("b.wasm"), "b").unwrap();
    assert_eq!(events.recv().await, Some(found("b", b"b")), "a signature alone is nothing");
    fs::write(path("a.wasm"), "a").unwrap();
    assert_eq!(events.recv().await, Some(found_with("a", b"a", Some(b"early"))));
    fs::write(path("b.wasm.minisig"), "late").unwrap();
    assert_eq!(events.recv().await, Some(found_with("b", b"b", Some(b"late"))));
    fs::write(path("b.wasm.minisig"), "new").unwrap();
    assert_eq!(events.recv().await, Some(found_with("b", b"b", Some(b"new"))));
    fs::remove_file(path("a.wasm.minisig")).unwrap();
    assert_eq!(events.recv().await, Some(found("a", b"a")));
}

#[tokio::test]
async fn what_cannot_be_a_signature_is_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    for name in ["dir", "large", "link"] {
        fs::write(path(&format!("{name}.wasm")), name).unwrap();
    }
    fs::create_dir(path("dir.wasm.minisig")).unwrap();
    fs::File::create(path("large.wasm.minisig")).unwrap().set_len(SIGNATURE_BYTES_MAX + 1).unwrap();
    symlink("/etc/hostname", path("link.wasm.minisig")).unwrap();
    let mut watched = Folder::open(folder.path().to_owned()).unwrap();
    let names = ["dir", "large", "link"];
    assert_eq!(watched.scan().await, names.map(|name| found_with(name, name.as_bytes(), Some(b""))));
    assert_eq!(PluginFile::read_signature(&path("link.wasm")).as_deref(), Some(b"".as_slice()));
    assert_eq!(PluginFile::read_signature(&path("none.wasm")), None);
}

#[tokio::test]
async fn a_proposal_that_nothing_came_of_is_made_again_though_the_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.wasm"), "one").unwrap();
    let folder = Folder::open(dir.path().to_owned()).unwrap();
    let again = folder.again();
    let (sender, mut proposed) = mpsc::channel(4);
    tokio::spawn(folder.watch(sender));
    assert_eq!(proposed.recv().await, Some(found("a", b"one")));
    // The file was another for a moment, and the proposal came to nothing.
    again.propose(&plugin("a"), Millis(0));
    assert_eq!(proposed.recv().await, Some(found("a", b"one")));
    fs::write(dir.path().join("b.wasm"), "two").unwrap();
    assert_eq!(proposed.recv().await, Some(found("b", b"two")), "a is not proposed a third time");
}
