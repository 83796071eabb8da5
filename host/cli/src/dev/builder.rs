//! Builds every plugin at the start, and each one again when its source is saved.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Result;
use hookbox_core::name::PluginName;
use notify::{RecursiveMode, Watcher};

use super::build;

/// Saves that come within this are one: an editor writes several times.
const SETTLE: Duration = Duration::from_millis(200);
/// Notifications that wait; a lost one is one of many.
const NOTIFICATIONS_MAX: usize = 1024;

/// Builds all plugins that are sources. One that does not build is told and left out: the others run.
pub(crate) fn build_all(plugins: &Path) -> Result<()> {
    let names = build::sources(plugins)?;
    if names.is_empty() {
        eprintln!("There are no plugins in {} yet: make one with `hookbox new NAME`", plugins.display());
        return Ok(());
    }
    build::ensure_target()?;
    for (number, name) in (1..).zip(&names) {
        eprintln!("Building plugin {name} ({number} of {})", names.len());
        if let Err(error) = build::build(plugins, name) {
            eprintln!("  {error:#}");
        }
    }
    Ok(())
}

/// Ends when the folder cannot be watched.
pub(crate) fn watch(plugins: &Path) {
    let (told, changes) = sync_channel(NOTIFICATIONS_MAX);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is no change.
        if let Some(event) = event.ok().filter(|event| !event.kind.is_access()) {
            let _ = told.try_send(event.paths);
        }
    });
    let watched = watcher.and_then(|mut watcher| watcher.watch(plugins, RecursiveMode::Recursive).map(|()| watcher));
    let _watcher = match watched {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "{} cannot be watched: run `hookbox build` after a change", plugins.display());
            return;
        }
    };
    let root = plugins.canonicalize().unwrap_or_else(|_| plugins.to_owned());
    let mut changed = BTreeSet::new();
    loop {
        match changes.recv_timeout(SETTLE) {
            Ok(paths) => changed.extend(paths.iter().filter_map(|path| plugin_of(&root, path))),
            Err(RecvTimeoutError::Timeout) => {
                for name in std::mem::take(&mut changed) {
                    rebuild(plugins, &name);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn rebuild(plugins: &Path, name: &PluginName) {
    if !plugins.join(name.as_str()).join("Cargo.toml").is_file() {
        return;
    }
    eprintln!("Plugin {name} was saved: building it");
    match build::build(plugins, name) {
        Ok(file) => eprintln!("  {} is built", file.display()),
        Err(error) => eprintln!("  {error:#}"),
    }
}

/// The plugin whose source a path belongs to; nothing for components, drafts and build folders.
fn plugin_of(root: &Path, path: &Path) -> Option<PluginName> {
    let path = path.strip_prefix(root).ok().or_else(|| path.is_relative().then_some(path))?;
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    let name = PluginName::parse(parts.next()?).ok()?;
    let inside = parts.next()?;
    let built = inside == "target" || inside == "Cargo.lock";
    // Editors keep their own files beside the source.
    let edited = |part: &str| part.starts_with('.') || part.ends_with('~');
    (!built && !edited(inside) && !parts.any(edited)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_source_belongs_to_its_plugin() {
        let root = Path::new("/p/plugins");
        let of = |path: &str| plugin_of(root, Path::new(path)).map(|name| name.to_string());
        assert_eq!(of("/p/plugins/welcome/src/lib.rs").as_deref(), Some("welcome"));
        assert_eq!(of("/p/plugins/welcome/Cargo.toml").as_deref(), Some("welcome"));
        for other in [
            "/p/plugins/welcome.wasm",
            "/p/plugins/.x.draft",
            "/p/plugins/welcome/target/a",
            "/p/plugins/welcome",
            "/p/plugins/welcome/src/.lib.rs.swp",
            "/p/plugins/welcome/src/lib.rs~",
            "/p/plugins/welcome/.git/index",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
