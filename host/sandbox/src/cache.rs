//! Compiled code on disk: compiling takes up to ten seconds, loading a few
//! milliseconds.
//!
//! The code is executed as it lies there, so the folder belongs to the host
//! alone, and every file's name holds the checksum of its contents
//! (`PLUGIN-ENGINE-CONTENTS.cwasm`): a damaged file is compiled anew, and a file
//! for another engine is not even looked at. Losing the folder costs time only.

use std::fs::{self, DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use hookbox_core::clock::Clock;
use hookbox_core::plugin::Digest;
use sha2::{Digest as _, Sha256};
use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

/// All files together; the ones unused for longest go first.
const CACHE_BYTES_MAX: u64 = 1 << 30;
/// A name ends so.
const SUFFIX: &str = ".cwasm";
/// A file that is being written, or was when the host stopped.
const UNFINISHED: &str = "unfinished";

pub(crate) struct Cache {
    folder: PathBuf,
    engine: String,
    clock: Arc<dyn Clock>,
}

impl Cache {
    /// Makes the folder, or checks that nobody else can write there.
    pub(crate) fn open(folder: PathBuf, engine: &Engine, clock: Arc<dyn Clock>) -> io::Result<Cache> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let found = fs::symlink_metadata(&folder)?;
        if !found.is_dir() || !is_private(&found) {
            let cure = "must be a folder of this user that is closed to others (chmod 700)";
            return Err(io::Error::other(format!("{} {cure}", folder.display())));
        }
        let cache = Cache { folder, engine: fingerprint(engine), clock };
        for path in cache.paths().filter(|path| name(path).ends_with(UNFINISHED)) {
            let _ = fs::remove_file(path);
        }
        cache.evict(CACHE_BYTES_MAX);
        Ok(cache)
    }

    /// The component, where it was compiled before by an engine like this one and is undamaged.
    pub(crate) fn load(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let prefix = self.prefix(digest);
        // By its name first: a host that starts asks for each of its plugins, among all of them.
        let path = self.paths().filter(|path| name(path).starts_with(&prefix)).find_map(Entry::of)?.path;
        match self.load_file(engine, &path, &prefix) {
            Ok(component) => Some(component),
            Err(error) => {
                warn!(plugin.digest = %digest, "compiled code of {digest} is damaged and will be compiled anew: {error:#}");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    fn load_file(&self, engine: &Engine, path: &Path, prefix: &str) -> wasmtime::Result<Component> {
        let contents = fs::read(path)?;
        if name(path) != format!("{prefix}{}{SUFFIX}", checksum(&contents)) {
            return Err(wasmtime::Error::msg("its checksum is another"));
        }
        drop(contents);
        // The time of its last use; without it the file only goes earlier.
        let _ = File::open(path).and_then(|file| file.set_modified(self.now()));
        // SAFETY: the folder and the file belong to this user and are closed to others, so this host wrote the file;
        // its checksum says that it is as it was written, and wasmtime compares its version and settings.
        #[expect(unsafe_code, reason = "loads code that this host compiled and that nobody else can write")]
        unsafe {
            Component::deserialize_file(engine, path)
        }
    }

    /// Keeps compiled code. What goes wrong costs time only, so it is told and forgotten.
    pub(crate) fn store(&self, digest: Digest, component: &Component) {
        if let Err(error) = self.try_store(digest, component) {
            warn!(plugin.digest = %digest, "compiled code of {digest} is not kept: {error:#}");
        }
    }

    fn try_store(&self, digest: Digest, component: &Component) -> wasmtime::Result<()> {
        let contents = component.serialize()?;
        self.evict(CACHE_BYTES_MAX.saturating_sub(contents.len() as u64));
        let prefix = self.prefix(digest);
        let unfinished = self.folder.join(format!("{prefix}{UNFINISHED}"));
        let _ = fs::remove_file(&unfinished);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&contents)?;
        file.set_modified(self.now())?;
        fs::rename(&unfinished, self.folder.join(format!("{prefix}{}{SUFFIX}", checksum(&contents))))?;
        Ok(())
    }

    /// Removes the files unused for longest until the others are at most so many bytes.
    fn evict(&self, bytes_max: u64) {
        let mut files = self.files();
        files.sort_by_key(|file| std::cmp::Reverse(file.used));
        let mut sum = 0;
        for file in files {
            sum += file.bytes;
            if sum > bytes_max {
                debug!("compiled code {} is dropped from the cache", file.path.display());
                let _ = fs::remove_file(&file.path);
            }
        }
    }

    /// Files that this host wrote; others are not looked at.
    fn files(&self) -> Vec<Entry> {
        self.paths().filter_map(Entry::of).collect()
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path())
    }

    fn prefix(&self, digest: Digest) -> String {
        format!("{}-{}-", hex::encode(digest.0), self.engine)
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(self.clock.now().0)
    }
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Entry {
    /// Nothing where this host did not write it, or has not finished.
    fn of(path: PathBuf) -> Option<Entry> {
        let found = fs::symlink_metadata(&path).ok()?;
        let ours = found.is_file() && is_private(&found) && name(&path).ends_with(SUFFIX);
        ours.then(|| Entry { path, bytes: found.len(), used: found.modified().unwrap_or(SystemTime::UNIX_EPOCH) })
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_private(found: &fs::Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0
}

/// Half a SHA-256, so that a name stays below 255 bytes.
fn checksum(contents: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(contents).into();
    hex::encode(digest.get(..16).unwrap_or_default())
}

/// Everything of the engine that compiled code depends on.
fn fingerprint(engine: &Engine) -> String {
    struct Bytes(Sha256);
    impl Hasher for Bytes {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut bytes = Bytes(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut bytes);
    let digest: [u8; 32] = bytes.0.finalize().into();
    hex::encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_core::clock::ManualClock;
    use hookbox_core::time::Millis;

    fn component(engine: &Engine) -> Component {
        Component::from_binary(engine, &wat::parse_str("(component (core module (memory 1)))").unwrap()).unwrap()
    }

    #[test]
    fn the_entry_unused_for_longest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, clock) = (Engine::default(), Arc::new(ManualClock::default()));
        let cache = Cache::open(folder.path().join("cache"), &engine, clock.clone()).unwrap();
        let component = component(&engine);
        for n in 0..3 {
            clock.advance(Millis::SECOND);
            cache.store(Digest([n; 32]), &component);
        }
        clock.advance(Millis::SECOND);
        assert!(cache.load(&engine, Digest([0; 32])).is_some());
        let sum: u64 = cache.files().iter().map(|file| file.bytes).sum();
        cache.evict(sum * 2 / 3);
        let kept: Vec<bool> = (0..3).map(|n| cache.load(&engine, Digest([n; 32])).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn what_was_being_written_when_the_host_stopped_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, path) = (Engine::default(), folder.path().join("cache"));
        Cache::open(path.clone(), &engine, Arc::new(ManualClock::default())).unwrap();
        fs::write(path.join("00-00-unfinished"), "half").unwrap();
        let cache = Cache::open(path, &engine, Arc::new(ManualClock::default())).unwrap();
        assert_eq!(cache.paths().count(), 0);
    }

    #[test]
    fn an_engine_of_other_settings_has_other_entries() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        assert_ne!(fingerprint(&Engine::default()), fingerprint(&Engine::new(&config).unwrap()));
        assert_eq!(fingerprint(&Engine::default()), fingerprint(&Engine::default()));
    }
}
