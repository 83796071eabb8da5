//! Where plugins run.

use anyhow::{Context, Result};

/// Plugins run at this nice value: taking webhooks in comes first.
const NICENESS: i32 = 19;

/// Yields after every tick of the sandbox, looks for new work at each turn, and gives way to everybody else.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("guests")
        .global_queue_interval(1)
        .event_interval(1)
        .on_thread_start(|| {
            // The niceness is the calling thread's own on Linux. Without it guests only run a little too eagerly.
            let _ = rustix::process::nice(NICENESS);
        })
        .enable_all()
        .build()
        .context("the runtime for plugins does not start")
}
