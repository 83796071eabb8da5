//! How sled syncs its log.
//!
//! After each write of its log sled calls `sync_file_range`, and from then on takes the bytes for safe. They are not: the
//! call leaves them in the disk's own cache, and says nothing of the file's size and blocks. A sync of ours after each
//! flush covers what hookbox acknowledges. It does not cover what sled itself builds on: within one large group it
//! takes a segment for written, frees those that it replaces, and writes over them, all before that sync. A power
//! cut in between may leave the newer bytes without the older ones, and with neither the old rows nor the new.
//!
//! So in a process with this crate `sync_file_range` is `fdatasync` of the whole file: a symbol of the program
//! comes before one of the C library. Where there is no `sync_file_range`, sled calls `fsync` itself.

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_uint};
    use std::fs::File;
    use std::mem::ManuallyDrop;
    use std::os::fd::FromRawFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    static CALLED: AtomicBool = AtomicBool::new(false);

    /// Returns 0 once everything that was written to the file is on disk, or -1 with the error in `errno`.
    ///
    /// # Safety
    /// As in `sync_file_range(2)`: `fd` is open.
    #[expect(unsafe_code, reason = "it takes the place of a function of the C library")]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn sync_file_range(fd: c_int, _offset: i64, _bytes: i64, _flags: c_uint) -> c_int {
        CALLED.store(true, Ordering::Relaxed);
        // SAFETY: the caller has `fd` open for as long as this call lasts, and it is not closed here.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        if file.sync_data().is_ok() { 0 } else { -1 }
    }

    pub(super) fn is_ours() -> bool {
        CALLED.load(Ordering::Relaxed)
    }
}

/// Whether sled syncs as it is told here. To be asked after a flush that had something to write.
pub(super) fn is_ours() -> bool {
    #[cfg(target_os = "linux")]
    return linux::is_ours();
    #[cfg(not(target_os = "linux"))]
    return true;
}
