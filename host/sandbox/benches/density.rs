//! How much memory 1,000 loaded versions take: the sample `welcome`, each time with another digest.
//! `cargo bench -p hookbox-sandbox --bench density`
//!
//! They are compiled once; then a process of its own loads them from the cache, as a host that starts does.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark may fail, prints, and has a clock and arguments of its own"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use hookbox_core::clock::ManualClock;
use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_core::name::PluginName;
use hookbox_sandbox::{Sandbox, SandboxOptions, SystemResolver, Version};

const VERSIONS: u32 = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo bench` adds one of its own.
    match std::env::args().skip(1).find(|argument| argument != "--bench") {
        Some(cache) => {
            let before = memory("VmRSS");
            let began = Instant::now();
            let versions = load(Path::new(&cache)).await;
            let (took, after) = (began.elapsed(), memory("VmRSS"));
            println!("{} versions from the cache: {took:.1?}", versions.len());
            println!(
                "resident: {before:.0} MiB before, {after:.0} MiB after (mark: 400), of it {:.0} MiB of files",
                memory("RssFile")
            );
        }
        None => {
            let folder = tempfile::tempdir().unwrap();
            let cache = folder.path().join("cache");
            let began = Instant::now();
            drop(load(&cache).await);
            println!("{VERSIONS} versions compiled: {:.1?}", began.elapsed());
            let status = Command::new(std::env::current_exe().unwrap()).arg(&cache).status().unwrap();
            assert!(status.success());
        }
    }
}

async fn load(cache: &Path) -> Vec<Arc<Version>> {
    let clock = Arc::new(ManualClock::default());
    let sandbox = Sandbox::new(SandboxOptions {
        cache: cache.to_owned(),
        slots: 16,
        stack_bytes: STACK_BYTES,
        clock,
        resolver: Arc::new(SystemResolver::default()),
    })
    .unwrap();
    let (name, component) = (PluginName::parse("welcome").unwrap(), hookbox_tests::sample("welcome"));
    let mut versions = Vec::new();
    for number in 0..VERSIONS {
        let bytes = numbered(&component, number).into();
        versions.push(sandbox.prepare(&name, bytes, PluginSettings::default()).await.unwrap());
    }
    versions
}

/// With a custom section that says which.
fn numbered(component: &[u8], number: u32) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.extend([0, 6, 1, b'n']);
    bytes.extend(number.to_be_bytes());
    bytes
}

/// In MiB, as the kernel tells it.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}
