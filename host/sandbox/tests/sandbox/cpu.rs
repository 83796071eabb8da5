//! CPU time is what an attempt computes, be it in the guest or in the host for it, and not what it waits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hookbox_core::attempt::{Executed, Outcome};
use hookbox_core::effects::KvEntry;
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_sandbox::{KvUnavailable, PluginKv};
use rustix::time::{ClockId, clock_gettime};

use crate::world::{World, call, output};

const BUDGET: Millis = Millis(100);

/// A store of which each read is like this.
enum Reads {
    /// Computes so long, and answers at once.
    Compute(Duration),
    /// Computes so long, and never answers.
    ComputeAndHang(Duration),
    Wait(Duration),
}

fn computes(span: Duration) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
    };
    let end = now() + span;
    while now() < end {}
}

#[async_trait]
impl PluginKv for Reads {
    async fn get(&self, _: &PluginName, _: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        match self {
            Reads::Compute(span) => computes(*span),
            Reads::ComputeAndHang(span) => {
                computes(*span);
                std::future::pending().await
            }
            Reads::Wait(span) => tokio::time::sleep(*span).await,
        }
        Ok(None)
    }

    async fn list(&self, _: &PluginName, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, KvUnavailable> {
        Err(KvUnavailable("closed".into()))
    }

    async fn used_bytes(&self, _: &PluginName) -> Result<u64, KvUnavailable> {
        Err(KvUnavailable("closed".into()))
    }
}

/// Reads so many keys from it.
async fn read(keys: usize, reads: Reads) -> Executed {
    let world = World::with(PluginSettings { cpu: BUDGET, ..PluginSettings::default() }).await;
    let script: Vec<String> = (0..keys).map(|key| format!("get k{key}")).collect();
    let executed = world.sandbox.execute(call("kv-ops", &script.join("\n")), Arc::new(reads)).await.unwrap();
    world.assert_serves().await;
    executed
}

/// Each read is one tick at most to a guest that only looks at the clock between two of them.
#[tokio::test]
async fn what_the_host_computes_for_a_guest_is_the_guests() {
    let executed = read(20, Reads::Compute(Duration::from_millis(30))).await;
    assert_eq!(executed.outcome, Outcome::CpuExhausted { limit: BUDGET });
    assert!(executed.cost.cpu_us >= 100_000, "{:?}", executed.cost);
}

#[tokio::test]
async fn a_guest_that_never_comes_back_from_its_host_is_stopped_too() {
    let executed = read(1, Reads::ComputeAndHang(Duration::from_millis(110))).await;
    assert_eq!(executed.outcome, Outcome::CpuExhausted { limit: BUDGET });
}

/// Each wait is longer than a tick: 300 ticks go by.
#[tokio::test]
async fn three_hundred_waits_are_no_cpu_time() {
    let executed = read(300, Reads::Wait(Duration::from_millis(2))).await;
    assert_eq!(output(&executed).lines().count(), 300);
}

#[tokio::test]
async fn what_an_attempt_cost_is_the_same_measure() {
    let executed = read(2, Reads::Compute(Duration::from_millis(20))).await;
    output(&executed);
    assert!(executed.cost.cpu_us >= 40_000, "{:?}", executed.cost);
}
