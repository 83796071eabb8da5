//! `hookbox backup`, `restore` and `migrate`: what a host has stored, kept in one file, put back, and written anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hookbox_core::clock::Clock;
use hookbox_store::backup::{self, Backup, Contents, Folder};
use hookbox_store::embedded::{self, Rewrite, SledStore};
use hookbox_store::{Store, doctor, owner};
use serde_json::{Value, json};

use crate::args::{BackupArgs, MigrateArgs, RestoreArgs};
use crate::client::Client;
use crate::clock::SystemClock;
use crate::inspect::{self, Print};
use crate::project::{Mistakes, Project};

/// What goes along with the rows of a store.
pub(crate) fn folders(data: &Path, plugins: &Path) -> Vec<Folder> {
    vec![Folder { name: "versions", path: data.join("versions") }, Folder { name: "plugins", path: plugins.to_owned() }]
}

/// A file that is there whole in the end, or not at all. Only its owner may read it.
struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: File,
}

impl Draft {
    fn begin(path: &Path) -> Result<Draft> {
        if path.exists() {
            let told = format!("{} is there already: name a file that is not", path.display());
            return Err(Mistakes(vec![told]).into());
        }
        let name = path.file_name().context("a backup needs the name of a file")?.to_string_lossy().into_owned();
        let draft = path.with_file_name(format!(".{name}.draft"));
        // What somebody put there, or another backup writes, is not written over.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => anyhow::Error::from(Mistakes(vec![format!(
                "{} is there already: another backup writes it, or one was cut off; remove it, or name another file",
                draft.display()
            )])),
            _ => anyhow::Error::new(error).context(format!("cannot write {}", draft.display())),
        })?;
        Ok(Draft { path: path.to_owned(), draft, file })
    }

    /// Returns once it is on disk.
    fn finish(self) -> Result<()> {
        self.file.sync_all().and_then(|()| fs::rename(&self.draft, &self.path))?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(File::open(folder)?.sync_all()?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Renamed, it is gone.
        let _ = fs::remove_file(&self.draft);
    }
}

/// What is read is written, too.
struct Copying<'a, R> {
    from: R,
    to: &'a mut File,
}

impl<R: Read> Read for Copying<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        self.to.write_all(bytes.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}

/// Asks a running host. What came is whole, or there is no file.
pub(crate) fn back_up(args: &BackupArgs, client: &Client, print: Print) -> Result<()> {
    let mut draft = Draft::begin(&args.file)?;
    let from = client.download("backup")?;
    let read = backup::check(Copying { from: io::BufReader::with_capacity(1 << 20, from), to: &mut draft.file });
    let contents = read.context("the host's log says why it broke off")?;
    draft.finish()?;
    match print {
        Print::Json => inspect::json(&told(&args.file, &contents)),
        Print::Tables => {
            say!("{}", in_words(&args.file, &contents));
            say!(
                "hooks.yaml and secrets are not in it: keep them yourself. It holds payloads: keep it as you keep them."
            );
            Ok(())
        }
    }
}

pub(crate) fn restore(args: &RestoreArgs, print: Print) -> Result<()> {
    let shown = args.file.display();
    if args.check {
        let file = File::open(&args.file).with_context(|| format!("cannot open {shown}"))?;
        let contents =
            backup::check(io::BufReader::new(file)).with_context(|| format!("{shown} cannot be restored"))?;
        return match print {
            Print::Json => inspect::json(&told(&args.file, &contents)),
            Print::Tables => {
                say!("{}", in_words(&args.file, &contents));
                Ok(())
            }
        };
    }
    let project = Project::read(&args.project)?;
    let (data, plugins) = (&project.data, &project.plugins);
    let restored = embedded::restore(&args.file, data, plugins).with_context(|| format!("{shown} is not restored"))?;
    let report = &restored.report;
    if print == Print::Json {
        let mut answer = told(&args.file, &restored.contents);
        answer["events"] = json!(report.events);
        answer["live_runs"] = json!(report.live_runs);
        answer["ended_runs"] = json!(report.ended_runs);
        answer["plugins"] = json!(restored.plugins);
        answer["plugins_kept"] = json!(restored.kept);
        return inspect::json(&answer);
    }
    say!(
        "{} is restored into {}: {} events, {} live and {} ended runs, {} schedules, {} plugins, {} keys",
        shown,
        data.display(),
        report.events,
        report.live_runs,
        report.ended_runs,
        report.schedules,
        report.plugins,
        report.kv_keys
    );
    if !restored.plugins.is_empty() {
        say!("put into {}: {}", plugins.display(), restored.plugins.join(", "));
    }
    for name in &restored.kept {
        say!("{} was there with other bytes, and stays", plugins.join(name).display());
    }
    say!("Stop the host that it came from before you start this one: both would run what waited.");
    Ok(())
}

/// Of a host that is stopped.
pub(crate) async fn migrate(args: &MigrateArgs, print: Print) -> Result<()> {
    let project = Project::read(&args.project)?;
    let rewritten = rewrite(args, &project, print).await;
    let given = owner::hand_over(&project.data);
    let migrated = rewritten?;
    given?;
    let old: u64 = migrated.iter().map(|kind| kind.old).sum();
    if print == Print::Json {
        let kinds = migrated
            .iter()
            .map(|kind| json!({ "kind": kind.kind, "rows": kind.rows, "old": kind.old, "form": kind.form }));
        let kinds = kinds.collect::<Vec<_>>();
        return inspect::json(&json!({ "written": !args.dry_run, "old": old, "kinds": kinds }));
    }
    for kind in &migrated {
        say!("{}: {} of {} have an older form than {}", kind.kind, kind.old, kind.rows, kind.form);
    }
    match (old, args.dry_run) {
        (0, _) => say!("Everything has the newest form."),
        (old, true) => say!("{old} rows would be written anew."),
        (old, false) => say!("{old} rows were written anew. Releases before this one may not read them."),
    }
    Ok(())
}

/// What root makes by it, it has still to give to the folder's owner, also where it fails.
async fn rewrite(args: &MigrateArgs, project: &Project, print: Print) -> Result<Vec<embedded::Migrated>> {
    let data = &project.data;
    let open = || doctor::open(data).with_context(|| format!("cannot open {}", data.display()));
    // Opened once before anything is written, so that a damaged store is told from one that is not there.
    let store = open()?;
    if let (Some(file), false) = (&args.backup, args.dry_run) {
        let contents = keep(&store, &folders(data, &project.plugins), file).await?;
        if print == Print::Tables {
            say!("{}", in_words(file, &contents));
        }
    }
    drop(store);
    let rewrite = if args.dry_run { Rewrite::Count } else { Rewrite::Write };
    embedded::migrate(data, rewrite).with_context(|| format!("cannot migrate {}", data.display()))
}

async fn keep(store: &SledStore, folders: &[Folder], file: &Path) -> Result<Contents> {
    let mut draft = Draft::begin(file)?;
    let snapshot = store.snapshot().await?;
    let now = SystemClock::new().now();
    let mut backup = Backup::begin(snapshot, folders.to_vec(), env!("CARGO_PKG_VERSION"), now)?;
    while let Some(bytes) = backup.next().await? {
        draft.file.write_all(&bytes).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let written = File::open(&draft.draft).context("the backup is gone")?;
    let contents = backup::check(io::BufReader::new(written))?;
    draft.finish()?;
    Ok(contents)
}

fn told(file: &Path, contents: &Contents) -> Value {
    json!({
        "file": file,
        "made": contents.head.time().to_string(),
        "release": contents.head.release,
        "bytes": contents.bytes,
        "rows": contents.rows,
        "files": contents.files,
    })
}

fn in_words(file: &Path, contents: &Contents) -> String {
    format!(
        "{}: a whole backup of {}, {} bytes, {} rows, {} files of plugins, by hookbox {}",
        file.display(),
        contents.head.time(),
        contents.bytes,
        contents.rows,
        contents.files,
        contents.head.release
    )
}
