//! What the sandbox adds to wasmtime: instantiate, call and drop of the same component through both, turn and turn about in
//! one process. `cargo bench -p hookbox-sandbox --bench overhead`
//!
//! Bare is an engine of the same settings, with a pool, an empty WASI, and imports of hookbox that trap: the handler that
//! is called uses none. It has no limits but the engine's.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark may fail, and prints")]

#[path = "../src/engine.rs"]
#[expect(unused_imports, reason = "its tests are not compiled here")]
mod engine;
#[path = "../tests/sandbox/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::time::Duration;

use hookbox_core::limits::{PluginSettings, STACK_BYTES};
use hookbox_sandbox::SandboxError;
use tokio::time::Instant;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as ErrorCode, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use world::World;

const TURNS: usize = 20;
const CALLS: usize = 500;
/// More ticks than there will be.
const NEVER: u64 = u64::MAX / 2;

mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "plugin", exports: { default: async } });
}

use bindings::PluginPre;
use bindings::hookbox::plugin::types::{Invocation, Job, Outcome};

struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoRequests,
    table: ResourceTable,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

struct NoRequests;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), ErrorCode>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, ErrorCode>> + Send> {
        Box::new(async { Err(ErrorCode::HttpRequestDenied) })
    }
}

type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), ErrorCode>> + Send>);

struct Bare {
    engine: Engine,
    pre: PluginPre<Guest>,
}

impl Bare {
    fn new() -> Bare {
        let engine = engine::engine(u32::try_from(world::SLOTS).unwrap(), STACK_BYTES).unwrap_or_else(broken);
        let component = Component::from_binary(&engine, &hookbox_tests::guest("mischief")).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        trap_hookbox(&mut linker, &component);
        let pre = PluginPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Bare { engine, pre }
    }

    async fn run(&self) {
        let guest = Guest {
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, guest);
        store.set_epoch_deadline(NEVER);
        let plugin = self.pre.instantiate_async(&mut store).await.unwrap();
        let invocation = Invocation {
            handler: "ok".into(),
            run_id: "run".into(),
            attempt: 1,
            max_attempts: 5,
            deadline: 0,
            idempotency_key: "key".into(),
        };
        let job = Job {
            id: "job".into(),
            scheduled_at: 0,
            data_content_type: "text/plain".into(),
            data: Vec::new(),
            attributes: Vec::new(),
        };
        let answer = plugin.hookbox_plugin_guest().call_run_job(&mut store, &invocation, &job).await.unwrap();
        assert!(matches!(answer, Ok(Outcome::Completed(Some(_)))));
    }
}

/// The imports of hookbox. (Wasmtime's own way to trap what is unknown looks for each name to the letter, and hides a WASI of
/// another patch release by doing so.)
fn trap_hookbox(linker: &mut Linker<Guest>, component: &Component) {
    let engine = linker.engine().clone();
    for (name, item) in component.component_type().imports(&engine).filter(|(name, _)| name.starts_with("hookbox:")) {
        let ComponentItem::ComponentInstance(item) = item.ty else { continue };
        let mut instance = linker.instance(name).unwrap();
        for (function, item) in item.exports(&engine) {
            if let ComponentItem::ComponentFunc(_) = item.ty {
                instance.func_new(function, |_, _, _, _| Err(wasmtime::Error::msg("not there"))).unwrap();
            }
        }
    }
}

fn broken(error: SandboxError) -> Engine {
    panic!("{error}")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (bare, world) = (Bare::new(), World::with(PluginSettings::default()).await);
    let (mut costs_bare, mut costs_ours) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        for _ in 0..CALLS {
            let began = Instant::now();
            bare.run().await;
            costs_bare.push(began.elapsed());
        }
        for _ in 0..CALLS {
            let began = Instant::now();
            world.run("ok", "").await;
            costs_ours.push(began.elapsed());
        }
    }
    let ((bare, bare_p99), (ours, ours_p99)) = (figures(costs_bare), figures(costs_ours));
    println!("bare wasmtime: median {bare:?}, p99 {bare_p99:?}");
    println!("the sandbox:   median {ours:?}, p99 {ours_p99:?}");
    println!("ratio of the medians: {:.2} (mark: 1.5)", ours.as_secs_f64() / bare.as_secs_f64());
}

/// Median and 99th percentile.
fn figures(mut costs: Vec<Duration>) -> (Duration, Duration) {
    costs.sort_unstable();
    (costs[costs.len() / 2], costs[costs.len() * 99 / 100])
}
