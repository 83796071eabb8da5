//! One attempt: what goes in, what comes out, and the limits around it.

mod world;

use std::sync::Arc;

use hookbox_core::attempt::{Input, LogLevel, LogStream, OUTPUT_BYTES_MAX, Outcome};
use hookbox_core::effects::Effects;
use hookbox_core::event::{Event, JobOrigin, Source};
use hookbox_core::id::EventId;
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::{HandlerName, ProviderName, ScheduleName};
use hookbox_core::time::Millis;
use hookbox_sandbox::SandboxError;
use world::{NOON, World, call, output, plugin};

#[tokio::test]
async fn a_job_runs_and_its_output_comes_back() {
    let world = World::with(PluginSettings::default()).await;
    let executed = world.run("ok", "").await;
    assert_eq!(output(&executed), "[]");
    assert_eq!(executed.version, world.sandbox.active(&plugin("mischief")).unwrap().digest);
    assert!(executed.cost.memory_peak_bytes > 0 && executed.cost.wall_us > 0);
}
