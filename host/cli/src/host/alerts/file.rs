//! The book of alerts on disk: one file, written as a whole.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookbox_core::alert::Book;
use serde::{Deserialize, Serialize};

const NAME: &str = "alerts.json";
const DRAFT: &str = ".alerts.json.draft";
const VERSION: u32 = 1;
const BYTES_MAX: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    book: Book,
}

/// An empty one where there is no file.
pub(super) fn read(data: &Path) -> Result<Book> {
    let path = data.join(NAME);
    let shown = path.display();
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Book::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        Ok(metadata) => ensure!(metadata.len() <= BYTES_MAX, "{shown} is too large"),
    }
    let text = fs::read(&path).with_context(|| format!("cannot read {shown}"))?;
    let kept: Kept = serde_json::from_slice(&text).with_context(|| format!("{shown} does not read"))?;
    ensure!(kept.version == VERSION, "{shown} is of another release");
    Ok(kept.book)
}

/// Returns once it is on disk.
pub(super) fn write(data: &Path, book: &Book) -> Result<()> {
    let (path, draft) = (data.join(NAME), data.join(DRAFT));
    let text = serde_json::to_vec(&Kept { version: VERSION, book: book.clone() })?;
    let mut to = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    to.write_all(&text)?;
    to.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(data)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hookbox_core::alert::{Condition, Judged, Rule, Terms};
    use hookbox_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_book_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), Book::default());
        let mut book = Book::default();
        let condition = Condition { rule: Rule::DiskLow, about: String::new(), text: "5% is free".into() };
        let judged = Judged { wrong: vec![condition], ..Judged::default() };
        book.step(judged, &Terms { usual: vec!["ops".into()], ..Terms::default() }, Timestamp(1_000));
        write(folder.path(), &book).unwrap();
        assert_eq!(read(folder.path()).unwrap(), book);
        fs::write(folder.path().join(NAME), "{\"version\":2,\"book\":{}}").unwrap();
        assert!(read(folder.path()).is_err());
    }
}
