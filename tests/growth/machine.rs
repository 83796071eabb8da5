//! What this machine and its processes have done, as Linux counts it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Others are at work where they take more of the machine than this.
pub(crate) const BUSY: f64 = 0.15;
/// The longest wait for others to end.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(1);

/// CPU time, in seconds.
pub(crate) fn of_process(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    ticks(&stat, &[11, 12])
}

/// Of this process and of the children that it has waited for.
fn of_this() -> f64 {
    ticks(&std::fs::read_to_string("/proc/self/stat").unwrap(), &[11, 12, 13, 14])
}

/// Of all processes, and what the machine was not given.
fn of_all() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<u64> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(|field| field.parse().unwrap()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum::<u64>() as f64 / per_second()
}

/// The sum of some fields after the name, which ends with a bracket.
fn ticks(stat: &str, fields: &[usize]) -> f64 {
    let after: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let sum: u64 = fields.iter().map(|at| after.get(*at).unwrap().parse::<u64>().unwrap()).sum();
    sum as f64 / per_second()
}

fn per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

fn processors() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |processors| processors.get() as f64)
}

/// A line of `/proc/PID/status`, in MiB.
pub(crate) fn memory(id: u32, line: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let value = status.lines().find_map(|status| status.strip_prefix(line)).unwrap();
    value.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// What others take of the machine from its making on.
pub(crate) struct Others {
    began: Instant,
    all: f64,
    own: f64,
    host: Option<u32>,
}

impl Others {
    /// The CPU time of this process, its children and the host is not that of others.
    pub(crate) fn beside(host: Option<u32>) -> Others {
        Others { began: Instant::now(), all: of_all(), own: own(host), host }
    }

    /// As a part of the machine.
    pub(crate) fn share(&self) -> f64 {
        let spent = (of_all() - self.all) - (own(self.host) - self.own);
        (spent / self.began.elapsed().as_secs_f64() / processors()).max(0.0)
    }
}

fn own(host: Option<u32>) -> f64 {
    of_this() + host.map_or(0.0, of_process)
}

/// Nobody is waited for.
static BESIDE_OTHERS: AtomicBool = AtomicBool::new(false);

/// Measures at once, whatever others do.
pub(crate) fn measure_beside_others() {
    BESIDE_OTHERS.store(true, Ordering::Relaxed);
}

/// Returns once others are quiet, or when it has waited long enough.
pub(crate) fn wait_for_quiet(host: Option<u32>) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE && !BESIDE_OTHERS.load(Ordering::Relaxed) {
        let others = Others::beside(host);
        std::thread::sleep(LOOK);
        if others.share() < BUSY {
            return;
        }
    }
}
