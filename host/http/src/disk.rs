//! How full the disk of a folder is.

use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What whoever is not root may still write.
    pub free_bytes: u64,
    pub size_bytes: u64,
}

impl Disk {
    /// Nothing where the system does not tell.
    pub fn of(folder: &Path) -> Option<Disk> {
        let told = rustix::fs::statvfs(folder).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Some(Disk { free_bytes: bytes(told.f_bavail), size_bytes: bytes(told.f_blocks) })
    }

    /// Of the whole, 0 to 100.
    pub fn free_percent(&self) -> f64 {
        if self.size_bytes == 0 { 100.0 } else { self.free_bytes as f64 * 100.0 / self.size_bytes as f64 }
    }
}
