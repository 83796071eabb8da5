//! A project in a temporary folder, and the real binary at work in it.
//!
//! Tests wait for conditions, with [`until`]; nothing is judged by how long it took.

mod host;
pub(crate) mod receiver;
mod sender;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use hookbox_tests::version;
pub(crate) use host::{Answer, Ended, Host};
pub(crate) use sender::{DROPBOX, GITHUB, LETTERS, SHOP, STRIPE, Sender, Webhook, shop};

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);
/// About a minute: a machine may be slow, a condition that never comes is told.
const LOOKS_MAX: u32 = 6000;

/// Looks until there is something to see.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("it did not come to this: {what}")
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one clock of these tests: signatures carry the time")]
pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the one place of these tests that reads the environment")]
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// How many of something, where the environment says so.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    environment(variable).map_or(default, |value| value.to_str().unwrap().parse().unwrap())
}

/// The binary lies beside the folder of the tests.
pub(crate) fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let binary = tests.parent().and_then(Path::parent).unwrap().join("hookbox");
    assert!(binary.is_file(), "{} is missing: run tests/run, or `cargo build` first", binary.display());
    binary
}

/// A version of `steps` that tells this mark of 16 letters in the results of `shop/version`; where it begins with `bad`,
/// those runs fail.
pub(crate) fn marked(mark: &str) -> Vec<u8> {
    let (place, mut bytes) = (b"hookbox-version:", hookbox_tests::sample("steps"));
    let found: Vec<usize> =
        bytes.windows(place.len()).enumerate().filter(|(_, window)| window == place).map(|(at, _)| at).collect();
    let [at] = found.as_slice() else { panic!("the mark is in the component {} times", found.len()) };
    assert_eq!(mark.len(), 16, "{mark}");
    bytes[at + place.len()..][..16].copy_from_slice(mark.as_bytes());
    bytes
}

/// The digest of a version, as the API writes it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes);
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it printed, where it went well.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.out
    }
}

/// A folder with plugins/, and the secrets of four providers in the environment.
pub(crate) struct Project {
    folder: PathBuf,
    /// Removes the folder in the end.
    _temporary: Option<TempDir>,
    environment: Vec<(String, OsString)>,
    starts: AtomicU32,
}

impl Project {
    /// With these plugins, each named as its package.
    pub(crate) fn with(plugins: &[&str]) -> Project {
        let temporary = tempfile::tempdir().unwrap();
        let mut project = Project::at(temporary.path().to_owned());
        project._temporary = Some(temporary);
        for plugin in plugins {
            project.put(plugin, &hookbox_tests::sample(plugin));
        }
        project
    }

    /// In a folder that stays, without any plugin.
    pub(crate) fn at(folder: PathBuf) -> Project {
        fs::create_dir_all(folder.join("plugins")).unwrap();
        let mut project = Project { folder, _temporary: None, environment: Vec::new(), starts: AtomicU32::new(0) };
        for sender in [SHOP, GITHUB, STRIPE, LETTERS] {
            project = project.env(&sender.variable(), sender.secret);
        }
        project
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Project {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Without any secret.
    pub(crate) fn bare(mut self) -> Project {
        self.environment.clear();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// Puts a plugin's file in place as a whole.
    pub(crate) fn put(&self, plugin: &str, bytes: &[u8]) {
        let draft = self.path(&format!("plugins/.{plugin}.draft"));
        fs::write(&draft, bytes).unwrap();
        fs::rename(draft, self.path(&format!("plugins/{plugin}.wasm"))).unwrap();
    }

    pub(crate) fn take_away(&self, plugin: &str) {
        fs::remove_file(self.path(&format!("plugins/{plugin}.wasm"))).unwrap();
    }

    /// The binary in this folder, with this environment and nothing else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        self.surround(command.args(arguments));
        command
    }

    /// Gives any command this folder and this environment.
    pub(crate) fn surround(&self, command: &mut Command) {
        command.current_dir(&self.folder).stdin(Stdio::null()).env_clear();
        command.env("PATH", environment("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a command of the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    /// Starts a host and waits until it is ready.
    pub(crate) fn serve(&self) -> Host<'_> {
        Host::start(self, "serve")
    }

    /// Starts a host that is expected to give up.
    pub(crate) fn serve_in_vain(&self) -> Said {
        self.run(&Host::arguments("serve"))
    }

    /// Everything that hosts wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Everything that hosts wrote to standard output and standard error.
    pub(crate) fn output(&self) -> String {
        let starts = self.starts.load(Ordering::Relaxed);
        (0..starts).map(|start| fs::read_to_string(self.path(&format!("stdout-{start}"))).unwrap()).collect::<String>()
            + &self.log()
    }

    pub(crate) fn log_lines(&self, part: &str) -> usize {
        self.log().lines().filter(|line| line.contains(part)).count()
    }

    fn next_start(&self) -> u32 {
        self.starts.fetch_add(1, Ordering::Relaxed)
    }
}

/// Runs a command to its end.
pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
