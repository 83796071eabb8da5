//! The pipeline by itself: a store in memory, and nobody who asks for anything in between.

mod rollbacks;
mod swaps;

use std::fs;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hookbox_core::clock::ManualClock;
use hookbox_core::limits::{AllSettings, STACK_BYTES};
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_core::time::Timestamp;
use hookbox_core::trust::Trust;
use hookbox_engine::{Declarer, Settings};
use hookbox_http::changes::Changes;
use hookbox_http::uploads::Uploads;
use hookbox_sandbox::{FolderEvent, MemoryKv, PluginFile, Sandbox, SandboxOptions, SystemResolver, Version};
use hookbox_store::memory::MemoryStore;
use hookbox_store::{PluginRow, Store};
use sha2::Digest as _;

use super::proposals::Taken;
use super::{Plugins, Refused, Trials};
use crate::host::adapters::InSandbox;
use crate::host::trust::{Judged, LiveTrust};
use crate::host::versions::Versions;

const NOON: Timestamp = Timestamp(1_780_000_000_000);

/// A host of one plugin, `steps`.
struct World {
    plugins: Arc<Plugins>,
    memory: Arc<MemoryStore>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World::with(Settings::default())
    }

    fn with(settings: Settings) -> World {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MemoryStore::new().unwrap());
        let store: Arc<dyn Store> = memory.clone();
        let (clock, engine) = (Arc::new(ManualClock::at(NOON)), Arc::new(ArcSwap::from_pointee(settings)));
        let sandbox = Sandbox::new(SandboxOptions {
            cache: folder.path().join("compiled"),
            slots: 2,
            stack_bytes: STACK_BYTES,
            clock: clock.clone(),
            resolver: Arc::new(SystemResolver::default()),
        });
        let (sandbox, trials) = (Arc::new(sandbox.unwrap()), Arc::new(Trials::new(engine.clone())));
        let kv = Arc::new(MemoryKv::default());
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins).unwrap();
        let plugins = Plugins {
            execute: Arc::new(InSandbox::new(sandbox.clone(), kv, trials.clone())),
            schedules: Arc::new(Declarer::new(store.clone(), engine.clone(), clock.clone())),
            store,
            sandbox,
            clock,
            settings: Arc::new(ArcSwap::from_pointee(AllSettings::default())),
            trust: Arc::new(LiveTrust::new(Trust::default())),
            dev: false,
            reserved: Arc::default(),
            engine,
            versions: Versions::open(folder.path().join("versions")).unwrap(),
            uploads: Arc::new(Uploads::to(plugins.clone())),
            folder: plugins,
            trials,
            changes: Arc::new(Changes::new(NOON)),
            turn: tokio::sync::Mutex::default(),
        };
        World { plugins: Arc::new(plugins), memory, folder }
    }

    /// Puts these bytes into the folder and proposes them.
    async fn propose(&self, bytes: &[u8]) -> Taken {
        self.put(bytes);
        self.plugins.take(found(bytes)).await
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(self.plugins.file(&name()), bytes).unwrap();
    }

    /// As far as the moment before it would serve.
    async fn try_out(&self, bytes: &[u8]) -> (Arc<Version>, Judged) {
        let FolderEvent::Found { name, digest, file } = found(bytes) else { unreachable!() };
        let judged = self.plugins.trusted(&name, &file).await.map_err(told).unwrap();
        (self.plugins.try_out(&name, digest, file, &judged).await.map_err(told).unwrap(), judged)
    }

    /// Removes what was kept of a version.
    fn lose(&self, bytes: &[u8]) {
        fs::remove_file(self.folder.path().join(format!("versions/{}.wasm", hex::encode(digest(bytes).0)))).unwrap();
    }

    fn row(&self) -> PluginRow {
        self.plugins.row(&name())
    }

    /// The version that new attempts run on, which is the one that the store tells of.
    fn serving(&self) -> Option<Digest> {
        let serving = self.plugins.sandbox.active(&name()).map(|version| version.digest);
        assert_eq!(serving, self.row().active.map(|active| active.digest));
        serving
    }

    fn refused(&self) -> Option<(Option<Digest>, String)> {
        self.row().refused.map(|refused| (refused.digest, refused.code))
    }
}

fn name() -> PluginName {
    PluginName::parse("steps").unwrap()
}

/// One of many components that differ in nothing else.
fn version(number: u8) -> Vec<u8> {
    hookbox_tests::version(&hookbox_tests::sample("steps"), number)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(sha2::Sha256::digest(bytes).into())
}

fn found(bytes: &[u8]) -> FolderEvent {
    let file = PluginFile { bytes: bytes.into(), signature: None };
    FolderEvent::Found { name: name(), digest: digest(bytes), file }
}

fn told(Refused { code, reason }: Refused) -> String {
    format!("{code}: {reason}")
}
