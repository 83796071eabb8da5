//! A body from a file, as it is.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use hookbox_core::config::BODY_BYTES_MAX;

use crate::project::Mistakes;

/// The bytes of a file, or of the standard input where it is `-`.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    let source: Box<dyn Read> = match file.as_os_str().as_bytes() {
        b"-" => Box::new(std::io::stdin().lock()),
        _ => Box::new(fs::File::open(file).map_err(|error| cannot(file, &error))?),
    };
    let mut bytes = Vec::new();
    source.take(BODY_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| cannot(file, &error))?;
    if bytes.len() as u64 > BODY_BYTES_MAX {
        return Err(Mistakes(vec![format!("{}: a body has {BODY_BYTES_MAX} bytes at most", file.display())]).into());
    }
    Ok(bytes)
}

fn cannot(file: &Path, error: &std::io::Error) -> Mistakes {
    Mistakes(vec![format!("cannot read {}: {error}", file.display())])
}
