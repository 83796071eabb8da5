//! What this process holds of the machine.

use std::fs;
use std::time::Duration;

use tokio::time::sleep;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) resident_kib: u64,
    /// The most that was resident since [`Held::forget_the_peak`].
    pub(crate) peak_kib: u64,
    pub(crate) files: usize,
    pub(crate) threads: usize,
}

impl Held {
    pub(crate) fn now() -> Held {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let count = |folder: &str| fs::read_dir(folder).unwrap().count();
        Held {
            resident_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
            files: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
        }
    }

    /// From here on the peak counts anew.
    pub(crate) fn forget_the_peak() {
        fs::write("/proc/self/clear_refs", "5").unwrap();
    }

    /// As soon as it is so. What a guest leaves behind, such as a connection, may take a moment to go.
    pub(crate) async fn once(so: impl Fn(&Held) -> bool) -> Result<Held, Held> {
        for _ in 0..500 {
            let held = Held::now();
            if so(&held) {
                return Ok(held);
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(Held::now())
    }
}
