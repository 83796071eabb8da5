//! A plugin's file and its signature's, as they lie in the folder.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::trust::{SIGNATURE_BYTES_MAX, SIGNATURE_SUFFIX};
use rustix::fs::OFlags;

/// Two equal stamps: neither the plugin nor its signature was written in between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    pub(super) component: Stamp,
    signature: Option<Stamp>,
}

/// Two equal stamps: the file was not written in between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    /// Seconds and nanoseconds of the last change, permissions included; unlike the time of modification, nobody can
    /// set it.
    changed: (i64, i64),
    inode: u64,
    pub(super) regular: bool,
}

/// The bytes of a component, and of the signature beside it. Of what cannot be one, the signature is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    pub bytes: Arc<[u8]>,
    pub signature: Option<Arc<[u8]>>,
}

impl PluginFile {
    /// What lies at `path`; nothing where it is no file that is taken, or is being written.
    pub fn read(path: &Path) -> Option<PluginFile> {
        read(path, Stamps::of(path)?).ok().flatten()
    }

    /// The signature alone of the component at `path`.
    pub fn read_signature(path: &Path) -> Option<Arc<[u8]>> {
        let path = signature_of(path);
        signature(&path, stamp(&path)?)
    }
}

impl Stamps {
    fn of(path: &Path) -> Option<Stamps> {
        Some(Stamps { component: stamp(path)?, signature: stamp(&signature_of(path)) })
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Stamp {
        let changed = (found.ctime(), found.ctime_nsec());
        Stamp { bytes: found.len(), changed, inode: found.ino(), regular: found.is_file() }
    }
}

/// Files that could be plugins. A name that begins with a dot is one that somebody is still writing.
pub(super) fn list(dir: &Path) -> io::Result<BTreeMap<String, Stamps>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if !file.ends_with(".wasm") || file.starts_with('.') {
            continue;
        }
        // One that vanished since is seen as gone.
        if let Some(stamps) = Stamps::of(&entry.path()) {
            found.insert(file, stamps);
        }
    }
    Ok(found)
}

/// Nothing where one of the two was written meanwhile.
pub(super) fn read(path: &Path, stamps: Stamps) -> Result<Option<PluginFile>, String> {
    let stamp = stamps.component;
    if !stamp.regular {
        return Err("it must be a regular file, not a link, a folder or a device".to_owned());
    }
    if stamp.bytes > COMPONENT_BYTES_MAX {
        return Err(format!("it is {} bytes, at most {COMPONENT_BYTES_MAX}", stamp.bytes));
    }
    let bytes = contents(path, stamp).map_err(|error| format!("it cannot be read: {error}"))?;
    let signature = stamps.signature.map(|stamp| signature(&signature_of(path), stamp));
    Ok(match (bytes, signature) {
        (Some(bytes), None) => Some(PluginFile { bytes, signature: None }),
        (Some(bytes), Some(Some(signature))) => Some(PluginFile { bytes, signature: Some(signature) }),
        (None, _) | (_, Some(None)) => None,
    })
}

fn signature(path: &Path, stamp: Stamp) -> Option<Arc<[u8]>> {
    let none: Arc<[u8]> = Arc::new([]);
    match stamp.regular && stamp.bytes <= SIGNATURE_BYTES_MAX {
        true => contents(path, stamp).unwrap_or(Some(none)),
        false => Some(none),
    }
}

/// `a.wasm.minisig`
fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::symlink_metadata(path).ok().map(|found| Stamp::of(&found))
}

/// Nothing where the file was written meanwhile.
fn contents(path: &Path, stamp: Stamp) -> io::Result<Option<Arc<[u8]>>> {
    // The name may have become a link or a pipe since: neither is followed, nor waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = File::options().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.bytes).unwrap_or_default());
    (&mut file).take(stamp.bytes + 1).read_to_end(&mut bytes)?;
    let unchanged = Stamp::of(&file.metadata()?) == stamp && bytes.len() as u64 == stamp.bytes;
    Ok(unchanged.then(|| bytes.into()))
}
