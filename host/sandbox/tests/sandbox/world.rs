//! A sandbox in a temporary folder, and calls of the guest `mischief`.

use std::sync::Arc;

use hookbox_core::attempt::{Call, Executed, Input, Outcome};
use hookbox_core::clock::ManualClock;
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::{JobId, RunId};
use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_sandbox::{MemoryKv, Resolve, Sandbox, SandboxOptions, SystemResolver, Version};

pub(crate) const NOON: Timestamp = Timestamp(1_780_000_000_000);

/// Attempts at once.
pub(crate) const SLOTS: usize = 4;

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) kv: Arc<MemoryKv>,
    _folder: tempfile::TempDir,
}

impl World {
    /// An empty sandbox.
    pub(crate) fn empty() -> World {
        World::resolving(Arc::new(SystemResolver::default()))
    }

    /// An empty sandbox whose plugins find hosts so.
    pub(crate) fn resolving(resolver: Arc<dyn Resolve>) -> World {
        World::of(SLOTS, STACK_BYTES, resolver)
    }

    fn of(slots: usize, stack_bytes: usize, resolver: Arc<dyn Resolve>) -> World {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(SandboxOptions {
            cache: folder.path().join("cache"),
            slots,
            stack_bytes,
            clock: Arc::new(ManualClock::at(NOON)),
            resolver,
        });
        World { sandbox: sandbox.unwrap(), kv: Arc::default(), _folder: folder }
    }

    /// With `mischief` active.
    pub(crate) async fn with(settings: PluginSettings) -> World {
        let world = World::empty();
        world.sandbox.activate(&world.prepare("mischief", settings).await);
        world
    }

    /// With `mischief` active, and a stack of so many bytes for each guest.
    pub(crate) async fn with_stack(stack_bytes: usize) -> World {
        let world = World::of(SLOTS, stack_bytes, Arc::new(SystemResolver::default()));
        world.sandbox.activate(&world.prepare("mischief", PluginSettings::default()).await);
        world
    }

    /// With `mischief` active, and so many attempts at once.
    #[allow(dead_code, reason = "a benchmark wants more slots than the tests")]
    pub(crate) async fn with_slots(slots: usize, settings: PluginSettings) -> World {
        let world = World::of(slots, STACK_BYTES, Arc::new(SystemResolver::default()));
        world.sandbox.activate(&world.prepare("mischief", settings).await);
        world
    }

    pub(crate) async fn prepare(&self, name: &str, settings: PluginSettings) -> Arc<Version> {
        let bytes = hookbox_tests::guest(name).into();
        self.sandbox.prepare(&plugin(name), bytes, settings).await.unwrap()
    }

    pub(crate) async fn run(&self, handler: &str, data: &str) -> Executed {
        self.execute(call(handler, data)).await
    }

    pub(crate) async fn execute(&self, call: Call) -> Executed {
        self.sandbox.execute(call, self.kv.clone()).await.unwrap()
    }

    /// The text that a handler returns.
    pub(crate) async fn answer(&self, handler: &str, data: &str) -> String {
        output(&self.run(handler, data).await)
    }

    /// A call that works, after one that did not.
    pub(crate) async fn assert_serves(&self) {
        assert_eq!(self.answer("ok", "").await, "[]");
    }
}

pub(crate) fn output(executed: &Executed) -> String {
    match &executed.outcome {
        Outcome::Completed { output: Some(output) } => String::from_utf8(output.data.clone()).unwrap(),
        other => panic!("{other:?} {:?}", executed.log),
    }
}

pub(crate) fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

pub(crate) fn call(handler: &str, data: &str) -> Call {
    let job = Job {
        id: JobId::new(NOON, 2),
        origin: JobOrigin::Operator,
        scheduled_at: NOON,
        content_type: "text/plain".into(),
        data: data.into(),
        hops: 0,
        trace: None,
    };
    Call {
        target: HandlerRef { plugin: plugin("mischief"), handler: HandlerName::parse(handler).unwrap() },
        run: RunId::new(NOON, 1),
        attempt: 1,
        attempts_max: 5,
        timeout: Millis(20_000),
        started: NOON,
        idempotency_key: "key".into(),
        hops: 0,
        input: Input::Job(Arc::new(job)),
        version: None,
        trace: None,
    }
}
