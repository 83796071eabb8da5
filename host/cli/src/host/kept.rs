//! Small files beside the store that are written as a whole: the new one is there, or the old one is.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

/// Nothing where there is no such file.
pub(super) fn read(data: &Path, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    let path = data.join(name);
    let shown = path.display();
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        Ok(metadata) => ensure!(metadata.len() <= bytes_max, "{shown} is too large"),
    }
    fs::read(&path).with_context(|| format!("cannot read {shown}")).map(Some)
}

/// Only its owner may read it. Returns once it is on disk.
pub(super) fn write(data: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    // A write that nobody waits for any more may still be under way.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, draft) = (data.join(name), data.join(format!(".{name}.draft")));
    let mut to = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    to.write_all(bytes)?;
    to.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(data)?.sync_all()?;
    Ok(())
}
