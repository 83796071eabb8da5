//! A project with its plugins, and the data folders that hosts are started on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::Host;

/// `welcome` takes what the benchmark sends; `steps` has handlers that it does not reach.
const PLUGINS: [&str; 2] = ["welcome", "steps"];
const SECRET: &str = "a secret that only growth knows";
/// What is measured is not to be refused or pruned.
const CONFIG: &str = "\
server: { limits: { queue: 10000000 } }
keep: { succeeded_max: 10000000 }
";

/// What stays of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Stores,
}

/// Removed when it is dropped, unless its stores are to be kept.
pub(crate) struct Project {
    folder: PathBuf,
    keep: Keep,
}

/// A data folder of a project.
pub(crate) struct Data<'a> {
    pub(crate) project: &'a Project,
    pub(crate) path: PathBuf,
}

impl Project {
    /// Beside the binary, where there is a disk: a temporary folder may be in memory.
    pub(crate) fn make(keep: Keep) -> Project {
        let folder = binary().with_file_name("growth-data");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("plugins")).unwrap();
        std::fs::write(folder.join("hooks.yaml"), CONFIG).unwrap();
        for plugin in PLUGINS {
            let file = folder.join(format!("plugins/{plugin}.wasm"));
            std::fs::write(file, hookbox_tests::sample(plugin)).unwrap();
        }
        let project = Project { folder, keep };
        // Compiled once; each store begins as a copy of this one.
        let seed = Data { project: &project, path: project.folder.join("seed") };
        Host::start(&seed).stop();
        std::mem::forget(seed);
        project
    }

    /// A store that has run once, and has nothing in it.
    pub(crate) fn empty(&self, name: &str) -> Data<'_> {
        let path = self.folder.join(name);
        let _ = std::fs::remove_dir_all(&path);
        copy(&self.folder.join("seed"), &path);
        Data { project: self, path }
    }

    /// The binary in this folder, with its secret and nothing else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null()).env_clear();
        command.env("WEBHOOK_SECRET_SHOP", SECRET);
        command
    }

    /// What hosts log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            eprintln!("the hosts' log ends so:\n{}", log.get(log.len().saturating_sub(4000)..).unwrap_or_default());
        }
        if self.keep == Keep::Nothing {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Drop for Data<'_> {
    fn drop(&mut self) {
        if self.project.keep == Keep::Nothing {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// It lies beside the folder of this program.
fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("hookbox");
    assert!(binary.is_file(), "{} is missing: run tests/growth/run", binary.display());
    binary
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => _ = std::fs::copy(entry.path(), to).unwrap(),
        }
    }
}
