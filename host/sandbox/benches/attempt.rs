//! What one attempt costs: instantiate, call and drop. `cargo bench -p hookbox-sandbox`

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark may fail, and prints")]

#[path = "../tests/sandbox/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use hookbox_core::limits::PluginSettings;
use tokio::time::Instant;

use world::World;

const ATTEMPTS: usize = 5000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::with(PluginSettings::default()).await;
    let mut costs = Vec::with_capacity(ATTEMPTS);
    for _ in 0..ATTEMPTS {
        let began = Instant::now();
        world.run("ok", "").await;
        costs.push(began.elapsed());
    }
    costs.sort_unstable();
    let at = |part: f64| costs[(ATTEMPTS as f64 * part) as usize];
    println!("one attempt: median {:?}, p99 {:?}", at(0.5), at(0.99));
}
