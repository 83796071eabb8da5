//! What builds plugins: looked for only where a plugin of that language lies.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Findings;
use crate::dev::build::TARGET;

const PART: &str = "toolchains";

pub(super) fn look(plugins: &Path, findings: &mut Findings) {
    let has = |file: &str| {
        let folders = fs::read_dir(plugins).into_iter().flatten().flatten();
        folders.map(|entry| entry.path().join(file)).any(|path| path.is_file())
    };
    let mut any = false;
    if has("Cargo.toml") {
        any = true;
        rust(findings);
    }
    if has("package.json") {
        any = true;
        tool("node", &["--version"], "Node.js, which plugins in JavaScript need", "install it, 20 or later", findings);
        let cure = "npm install -g @bytecodealliance/jco, or have it in the plugin's package.json";
        tool("jco", &["--version"], "jco, which makes components of JavaScript", cure, findings);
    }
    if has("pyproject.toml") || has("app.py") {
        any = true;
        let cure = "pip install componentize-py";
        tool("componentize-py", &["--version"], "componentize-py, which makes components of Python", cure, findings);
    }
    if !any {
        findings.ok(PART, "no plugin has its source here: nothing is built");
    }
}

fn rust(findings: &mut Findings) {
    match said("rustc", &["--print", "target-libdir", "--target", TARGET]) {
        None => {
            findings.warning(PART, "there is no rustc, which plugins in Rust need", "install Rust: https://rustup.rs");
        }
        Some(folder) if Path::new(folder.trim()).is_dir() => {
            findings.ok(PART, format!("rustc has the target {TARGET}"));
        }
        Some(_) => {
            let cure = format!("rustup target add {TARGET}");
            findings.warning(PART, format!("rustc lacks the target {TARGET}, which plugins are built for"), cure);
        }
    }
}

fn tool(program: &str, arguments: &[&str], what: &str, cure: &str, findings: &mut Findings) {
    match said(program, arguments) {
        Some(version) => {
            let version = version.lines().next().unwrap_or_default().trim();
            findings.ok(PART, format!("{program} {version}"));
        }
        None => findings.warning(PART, format!("there is no {what}"), cure),
    }
}

/// Nothing where it cannot be run.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    (ran.status.success() || !ran.stdout.is_empty()).then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
}
