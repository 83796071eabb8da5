//! The one wasmtime engine: what guests may be made of, the pool they live in,
//! and the ticking that interrupts them.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hookbox_core::limits::{INSTANCES_MAX, MEMORY_BYTES_MAX, TABLE_ELEMENTS_OF_ONE_MAX, TABLES_MAX};
use tracing::warn;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::SandboxError;

/// Every guest yields its thread this often. With 10 ms, six spinning guests on two threads pushed good calls to a
/// p99 of 604 ms; with 1 ms it is 7 ms, at no measurable cost.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Linear memories of one component: QuickJS has 3, and its adapter one more.
pub(crate) const MEMORIES_MAX: u32 = 4;
/// What wasmtime keeps for an instance beside its memory; Python needs over 1 MiB.
const INSTANCE_BYTES_MAX: usize = 4 << 20;
/// Memory and tables of a slot up to this are cleaned by writing them, not by giving their pages back: giving back
/// costs a page fault for each page that is used again and, with every thread that runs guests, an interrupt of all the
/// others. That was two thirds of the time of a short run. It is also what an idle slot keeps resident at most.
const RESIDENT_BYTES: usize = 512 << 10;
const TABLE_RESIDENT_BYTES: usize = 16 << 10;
/// What host functions need of a stack on top of what the guest has.
const HOST_STACK_BYTES: usize = 1536 << 10;

/// An engine with a pool for so many guests at once, or without one where the address space is too small. Each guest
/// has a stack of so many bytes.
pub(crate) fn engine(guests: u32, stack_bytes: usize) -> Result<Engine, SandboxError> {
    let engine = match Engine::new(config(stack_bytes).allocation_strategy(pool(guests))) {
        Ok(engine) => engine,
        Err(error) => {
            warn!(guests, "no pool for {guests} guests, each is allocated when it starts (slower): {error:#}");
            Engine::new(config(stack_bytes).allocation_strategy(InstanceAllocationStrategy::OnDemand))
                .map_err(|error| SandboxError::Broken(format!("wasmtime does not start: {error:#}")))?
        }
    };
    tick(&engine).map_err(|error| SandboxError::Broken(format!("no thread for the epoch: {error}")))?;
    Ok(engine)
}

fn config(stack_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(stack_bytes)
        .async_stack_size(stack_bytes + HOST_STACK_BYTES)
        // What no plugin needs and an attacker might use. Threads are not even compiled in.
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        // Its heap would be a memory of the pool that no limit counts.
        .gc_support(false);
    config
}

fn pool(guests: u32) -> InstanceAllocationStrategy {
    let (instances, tables) = (count(INSTANCES_MAX), count(TABLES_MAX));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(guests)
        .total_core_instances(guests.saturating_mul(instances))
        .total_memories(guests.saturating_mul(MEMORIES_MAX))
        .total_tables(guests.saturating_mul(tables))
        .total_stacks(guests)
        .total_gc_heaps(guests)
        .max_core_instances_per_component(instances)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(tables)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_OF_ONE_MAX)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(TABLE_RESIDENT_BYTES)
        .max_memory_size(usize::try_from(MEMORY_BYTES_MAX).unwrap_or(usize::MAX));
    InstanceAllocationStrategy::Pooling(pool)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// One thread for the engine; it ends when nothing holds the engine any longer.
fn tick(engine: &Engine) -> io::Result<JoinHandle<()>> {
    let weak = engine.weak();
    thread::Builder::new().name("hookbox-tick".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })
}

#[cfg(test)]
mod tests {
    use hookbox_core::limits::STACK_BYTES;

    use super::*;

    #[test]
    fn a_pool_that_the_address_space_cannot_hold_is_done_without() {
        assert!(Engine::new(config(STACK_BYTES).allocation_strategy(pool(100_000))).is_err());
        assert!(engine(100_000, STACK_BYTES).is_ok());
    }

    #[test]
    fn the_ticking_ends_with_the_engine() {
        let engine = Engine::new(&config(STACK_BYTES)).unwrap();
        let ticking = tick(&engine).unwrap();
        drop(engine);
        ticking.join().unwrap();
    }
}
