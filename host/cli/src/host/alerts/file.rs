//! The book of alerts on disk: one file, written as a whole.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use hookbox_core::alert::Book;
use serde::{Deserialize, Serialize};

use crate::host::kept;

const NAME: &str = "alerts.json";
const VERSION: u32 = 1;
const BYTES_MAX: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    book: Book,
}

/// An empty one where there is no file.
pub(super) fn read(data: &Path) -> Result<Book> {
    let Some(text) = kept::read(data, NAME, BYTES_MAX)? else { return Ok(Book::default()) };
    let kept: Kept = serde_json::from_slice(&text).with_context(|| format!("{NAME} does not read"))?;
    ensure!(kept.version == VERSION, "{NAME} is of another release");
    Ok(kept.book)
}

/// Returns once it is on disk.
pub(super) fn write(data: &Path, book: &Book) -> Result<()> {
    kept::write(data, NAME, &serde_json::to_vec(&Kept { version: VERSION, book: book.clone() })?)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
