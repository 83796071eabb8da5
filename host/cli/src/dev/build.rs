//! Builds plugins/NAME/ to plugins/NAME.wasm.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use hookbox_core::name::PluginName;

/// What plugins are compiled to.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Small components that start fast; said here so that a plugin in a workspace of its own is built alike.
const SETTINGS: [&str; 7] = [
    "profile.plugin.inherits='release'",
    "profile.plugin.opt-level='s'",
    "profile.plugin.lto=true",
    "profile.plugin.codegen-units=1",
    "profile.plugin.panic='abort'",
    "profile.plugin.strip=true",
    // A quarter of the usual 1 MiB: the host cleans a plugin's memory after every run.
    "target.wasm32-wasip2.rustflags=['-Clink-arg=-zstack-size=262144']",
];

/// The folders in `plugins` that are Rust packages.
pub(crate) fn sources(plugins: &Path) -> Result<Vec<PluginName>> {
    let entries = match fs::read_dir(plugins) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", plugins.display())),
    };
    let mut names = Vec::new();
    for entry in entries.flatten().filter(|entry| entry.path().join("Cargo.toml").is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        match PluginName::parse(&name) {
            Ok(name) => names.push(name),
            Err(error) => eprintln!("  {}: left out: {error}", entry.path().display()),
        }
    }
    names.sort();
    Ok(names)
}

/// Adds the target through rustup where it is missing, and says so.
pub(crate) fn ensure_target() -> Result<()> {
    let libraries = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let libraries = libraries.context("cannot run rustc: install Rust with rustup, see https://rustup.rs")?;
    let folder = PathBuf::from(String::from_utf8_lossy(&libraries.stdout).trim());
    if libraries.status.success() && folder.is_dir() {
        return Ok(());
    }
    eprintln!("The target {TARGET} is missing: adding it with `rustup target add {TARGET}`");
    let added = Command::new("rustup").args(["target", "add", TARGET]).stdin(Stdio::null()).status();
    let added =
        added.with_context(|| format!("cannot run rustup: add the target {TARGET} to your toolchain yourself"))?;
    ensure!(added.success(), "`rustup target add {TARGET}` failed");
    Ok(())
}

/// Builds one plugin and puts it in place as a whole. The compiler's own messages go to the terminal.
pub(crate) fn build(plugins: &Path, name: &PluginName) -> Result<PathBuf> {
    let manifest = plugins.join(name.as_str()).join("Cargo.toml");
    ensure!(manifest.is_file(), "there is no {}: make one with `hookbox new {name}`", manifest.display());
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--profile", "plugin", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    for setting in SETTINGS {
        cargo.args(["--config", setting]);
    }
    cargo.arg("--manifest-path").arg(&manifest).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = cargo.spawn().context("cannot run cargo: install Rust with rustup, see https://rustup.rs")?;
    let mut component = None;
    for line in running.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        component = component_of(&line?, &manifest).or(component);
    }
    ensure!(running.wait()?.success(), "plugin {name} does not build; its last version stays in place");
    let Some(component) = component else {
        bail!("{} makes no component: it needs `[lib] crate-type = [\"cdylib\"]`", manifest.display());
    };
    let place = plugins.join(format!("{name}.wasm"));
    // A file without the ending is not looked at, and a rename is whole or not at all.
    let draft = plugins.join(format!(".{name}.wasm.draft"));
    fs::copy(&component, &draft).with_context(|| format!("cannot copy {}", component.display()))?;
    fs::rename(&draft, &place)?;
    Ok(place)
}

/// The file of the package's component, if this line of cargo's tells of it.
fn component_of(line: &str, manifest: &Path) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let of_this = message["reason"] == "compiler-artifact"
        && Path::new(message["manifest_path"].as_str()?).canonicalize().ok()? == manifest.canonicalize().ok()?;
    let files = message["filenames"].as_array().filter(|_| of_this)?;
    files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}
