//! Compiled code on disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookbox_core::clock::ManualClock;
use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_sandbox::{Compiled, Sandbox, SandboxError, SandboxOptions, SystemResolver};

use crate::world::plugin;

fn sandbox(cache: &Path) -> Result<Sandbox, SandboxError> {
    Sandbox::new(SandboxOptions {
        cache: cache.to_owned(),
        slots: 1,
        stack_bytes: STACK_BYTES,
        clock: Arc::new(ManualClock::default()),
        resolver: Arc::new(SystemResolver::default()),
    })
}

/// How a sandbox that begins anew came by its code; the plugin is small.
async fn prepare(cache: &Path) -> Compiled {
    let bytes = hookbox_tests::guest("mischief").into();
    let sandbox = sandbox(cache).unwrap();
    sandbox.prepare(&plugin("mischief"), bytes, PluginSettings::default()).await.unwrap().compiled
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn code_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    assert_eq!(prepare(&cache).await, Compiled::Fresh);
    assert_eq!(prepare(&cache).await, Compiled::Cached);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&entries(&cache)[0]).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_damaged_entry_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    prepare(&cache).await;
    let entry = &entries(&cache)[0];
    let mut contents = fs::read(entry).unwrap();
    let middle = contents.len() / 2;
    contents[middle] ^= 1;
    fs::write(entry, contents).unwrap();
    assert_eq!(prepare(&cache).await, Compiled::Fresh);
    assert_eq!(prepare(&cache).await, Compiled::Cached);
}

#[tokio::test]
async fn an_entry_that_others_could_write_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    prepare(&cache).await;
    fs::set_permissions(&entries(&cache)[0], Permissions::from_mode(0o666)).unwrap();
    assert_eq!(prepare(&cache).await, Compiled::Fresh);
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, Permissions::from_mode(0o755)).unwrap();
    let Err(refused) = sandbox(&cache) else { panic!("it was taken") };
    assert!(refused.to_string().contains("chmod 700"), "{refused}");
}
