//! What tests of several crates need: the guests under `guests/` and the sample
//! plugins, built on demand.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What `cargo build` of one package made: components by their name.
type Components = BTreeMap<String, PathBuf>;

static BUILT: Mutex<BTreeMap<String, Components>> = Mutex::new(BTreeMap::new());

/// The bytes of a guest: `mischief` for the package `guest-mischief`, `liar/loops` for the example `loops` of the
/// package `guest-liar`. Each package is built once in a process.
///
/// # Panics
/// Where it cannot be built, with the compiler's words.
pub fn guest(name: &str) -> Vec<u8> {
    let path = guest_file(name);
    std::fs::read(&path).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())))
}

/// The file of a guest, as [`guest`].
pub fn guest_file(name: &str) -> PathBuf {
    match name.split_once('/') {
        Some((package, example)) => component(&format!("guest-{package}"), example),
        None => sample_file(&format!("guest-{name}")),
    }
}

/// The bytes of a plugin that is named as its package: a sample such as `welcome`, or the guest `steps`.
///
/// # Panics
/// As [`guest`].
pub fn sample(name: &str) -> Vec<u8> {
    let path = sample_file(name);
    std::fs::read(&path).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())))
}

/// The file of such a plugin, as [`sample`].
pub fn sample_file(name: &str) -> PathBuf {
    component(name, &name.replace('-', "_"))
}

/// Other bytes, and so another digest, of the same component: a custom section says which.
pub fn version(component: &[u8], number: u8) -> Vec<u8> {
    [component, b"\0\x09\x07version", &[number]].concat()
}

fn component(package: &str, name: &str) -> PathBuf {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let components = built.entry(package.to_owned()).or_insert_with(|| build(package));
    let made = || components.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    components.get(name).cloned().unwrap_or_else(|| fail(&format!("no {name} in {package}; there are: {}", made())))
}

fn build(package: &str) -> Components {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--profile", "plugin", "--target", "wasm32-wasip2", "--lib", "--examples"])
        .args(["--package", package, "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| fail(&format!("cargo does not start: {error}")));
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let missing = words.contains("target may not be installed");
        let cure = if missing { "\nadd the target: rustup target add wasm32-wasip2" } else { "" };
        fail(&format!("{package} does not build:\n{words}{cure}"));
    }
    String::from_utf8_lossy(&output.stdout).lines().flat_map(components).collect()
}

/// The components that one message of cargo names.
fn components(message: &str) -> Vec<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).unwrap_or_default();
    let Some(target) = message["target"]["name"].as_str() else { return Vec::new() };
    let files = message["filenames"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    files.filter(|file| file.ends_with(".wasm")).map(|file| (target.to_owned(), PathBuf::from(file))).collect()
}

#[expect(clippy::panic, reason = "a test cannot go on without its guest")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
