//! How long good calls take beside six guests that spin, on two threads, each good call after the other.
//! `cargo bench -p hookbox-sandbox --bench fairness`

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark may fail, and prints")]

#[path = "../tests/sandbox/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::sync::Arc;

use hookbox_core::limits::PluginSettings;
use hookbox_core::time::Millis;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Duration, Instant};

use world::{World, call, output};

const SPINNING: usize = 6;
const CALLS: usize = 2000;
const HOUR: Millis = Millis(3_600_000);

/// As the host has it for its guests.
fn guests() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).global_queue_interval(1).event_interval(1).enable_all().build().unwrap()
}

fn main() {
    let runtime = guests();
    runtime.block_on(async {
        let settings = PluginSettings { cpu: HOUR, ..PluginSettings::default() };
        let world = Arc::new(World::with_slots(SPINNING + 2, settings).await);
        show("alone", calls(&world).await);
        let spinning: Vec<_> = (0..SPINNING)
            .map(|_| {
                let world = Arc::clone(&world);
                let mut spin = call("loops", "");
                spin.timeout = HOUR;
                tokio::spawn(async move { world.execute(spin).await })
            })
            .collect();
        // Each has begun.
        tokio::time::sleep(Duration::from_millis(200)).await;
        show(&format!("beside {SPINNING} that spin"), calls(&world).await);
        assert!(spinning.iter().all(|spin| !spin.is_finished()));
        spinning.iter().for_each(|spin| spin.abort());
    });
}

async fn calls(world: &Arc<World>) -> Vec<Duration> {
    let mut costs = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let (began, world) = (Instant::now(), Arc::clone(world));
        // As the host does it: a task of its own for each attempt.
        let executed = tokio::spawn(async move { world.run("ok", "").await }).await.unwrap();
        costs.push(began.elapsed());
        assert_eq!(output(&executed), "[]");
    }
    costs
}

fn show(where_to: &str, mut costs: Vec<Duration>) {
    costs.sort_unstable();
    let at = |part: f64| costs[(CALLS as f64 * part) as usize];
    println!("a good call {where_to}: median {:?}, p99 {:?}, worst {:?}", at(0.5), at(0.99), costs[CALLS - 1]);
}
