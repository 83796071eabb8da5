//! How soon a host is ready that has 100 plugins, all of them compiled before: the binary from its start to the line that
//! says so. `cargo build --release && cargo bench -p hookbox-tests --bench starts`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints it and may fail"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PLUGINS: u32 = 100;
const STARTS: usize = 9;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    let component = hookbox_tests::sample("welcome");
    for number in 0..PLUGINS {
        let name = format!("welc{number:03}");
        std::fs::write(plugins.join(format!("{name}.wasm")), renamed(&component, &name)).unwrap();
    }
    println!("{PLUGINS} plugins, none compiled: ready after {:.1?}", start(folder.path()));
    let mut warm: Vec<Duration> = (0..STARTS).map(|_| start(folder.path())).collect();
    warm.sort_unstable();
    println!(
        "{PLUGINS} plugins, all compiled: ready after {:.0?} (median of {STARTS}; mark: 300 ms)",
        warm[STARTS / 2]
    );
}

/// The same component by another name of as many letters: it stands in its data only.
fn renamed(component: &[u8], name: &str) -> Vec<u8> {
    let (mut bytes, old) = (component.to_vec(), b"welcome");
    let mut at = 0;
    while at + old.len() <= bytes.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(name.as_bytes());
        }
        at += 1;
    }
    bytes
}

/// Until it says that it is ready; then it is stopped.
fn start(folder: &Path) -> Duration {
    let local = "127.0.0.1:0";
    let mut command = Command::new(binary());
    command.args(["serve", "--plugins", "plugins", "--data", "data", "--listen", local, "--operator", local]);
    command.current_dir(folder).env_clear().env("WEBHOOK_SECRET_SHOP", "a secret that only this benchmark knows");
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let took = began.elapsed();
    assert!(line.starts_with("hookbox is ready"), "{line}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    took
}

/// It lies beside the folder of this program.
fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("hookbox");
    assert!(binary.is_file(), "{} is missing: run cargo build --release", binary.display());
    binary
}
