//! What one attempt may use besides memory and CPU time.

use std::ops::RangeInclusive;

/// Elements of all tables of one guest together, 8 bytes each. Python, the largest, has about 50,000.
pub const TABLE_ELEMENTS: usize = 400_000;
/// Elements of one table: the pool reserves the room of each.
pub const TABLE_ELEMENTS_OF_ONE_MAX: usize = 100_000;
/// Tables of one component that the pool holds.
pub const TABLES_MAX: usize = 16;
/// Core instances of one component that the pool holds: Python loads more than 20.
pub const INSTANCES_MAX: usize = 40;
/// Log of one attempt, in bytes: what is over it is dropped and counted.
pub const LOG_BYTES: usize = 256 << 10;
/// The log is kept with the run, and shown as one page.
pub const LOG_BYTES_MAX: usize = 1 << 20;
/// Result of a run, in bytes: a larger one fails the attempt for good.
pub const RESULT_BYTES: usize = 256 << 10;
/// The result is kept with the run, in the commit of its success.
pub const RESULT_BYTES_MAX: usize = 1 << 20;
/// Jobs and events that one attempt may enqueue and emit.
pub const QUEUE_ITEMS: usize = 100;
/// What one attempt makes fits into the room that each generation of a full queue has of its own.
pub const QUEUE_ITEMS_MAX: usize = 500;
/// Data of those jobs and events together, in bytes: the host holds it until the attempt has ended.
pub const QUEUE_BYTES: usize = 8 << 20;
/// One commit writes it.
pub const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Keys and values that one attempt reads and writes, in bytes: the host holds them until it has ended. As much as a
/// plugin may keep where nothing else is granted.
pub const KV_DATA_BYTES: usize = 16 << 20;
/// One commit writes it.
pub const KV_DATA_BYTES_MAX: usize = 128 << 20;
/// What a guest may hand to the host in one call, or return, in bytes: the host has a copy of it.
pub const CALL_BYTES: usize = 1 << 20;
/// A value of the kv store with its key, and the lists around them, fit in.
pub const CALL_BYTES_MIN: usize = 128 << 10;
pub const CALL_BYTES_MAX: usize = 16 << 20;
/// Calls of hookbox in one attempt: far more than honest work makes.
pub const CALLS: usize = 1_000_000;
pub const CALLS_MAX: usize = 100_000_000;
/// Streams, pollables and the like that a guest holds at once: an entry of a table in the host each.
pub const RESOURCES: usize = 1024;
/// The runtimes of some languages hold a dozen before their first line.
pub const RESOURCES_MIN: usize = 64;
/// Some of them hold 32 KiB, the headers of requests.
pub const RESOURCES_MAX: usize = 8192;
/// Random bytes of one call: the host makes them at one go. A runtime that seeds itself asks for some thousand.
pub const RANDOM_BYTES: usize = 64 << 10;
/// A seed of the largest hash map's kind fits in.
pub const RANDOM_BYTES_MIN: usize = 64;
pub const RANDOM_BYTES_MAX: usize = 1 << 20;

/// Each has a default that honest work does not meet, and a most that the host can honour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of all tables together.
    pub table_elements: usize,
    /// Core instances that the component is made of.
    pub instances: usize,
    pub log_bytes: usize,
    pub result_bytes: usize,
    pub queue_items: usize,
    /// Of the data of all items together.
    pub queue_bytes: usize,
    /// Of keys and values that are read and written, together.
    pub kv_data_bytes: usize,
    pub call_bytes: usize,
    pub calls: usize,
    pub resources: usize,
    pub random_bytes: usize,
}

/// In what a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
}

/// One limit: its key in hooks.yaml, where it stands in [`Limits`], and what it may be.
pub struct Known<'l> {
    pub key: &'static str,
    pub unit: Unit,
    pub value: &'l mut usize,
    pub range: RangeInclusive<usize>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            table_elements: TABLE_ELEMENTS,
            instances: INSTANCES_MAX,
            log_bytes: LOG_BYTES,
            result_bytes: RESULT_BYTES,
            queue_items: QUEUE_ITEMS,
            queue_bytes: QUEUE_BYTES,
            kv_data_bytes: KV_DATA_BYTES,
            call_bytes: CALL_BYTES,
            calls: CALLS,
            resources: RESOURCES,
            random_bytes: RANDOM_BYTES,
        }
    }
}

impl Limits {
    /// All of them, in the order of the manual.
    pub fn each(&mut self) -> [Known<'_>; 11] {
        let count = |key, value, range| Known { key, unit: Unit::Count, value, range };
        let bytes = |key, value, range| Known { key, unit: Unit::Bytes, value, range };
        [
            count("table_elements", &mut self.table_elements, 0..=TABLES_MAX * TABLE_ELEMENTS_OF_ONE_MAX),
            count("instances", &mut self.instances, 1..=INSTANCES_MAX),
            bytes("log", &mut self.log_bytes, 0..=LOG_BYTES_MAX),
            bytes("result", &mut self.result_bytes, 0..=RESULT_BYTES_MAX),
            count("queue_items", &mut self.queue_items, 0..=QUEUE_ITEMS_MAX),
            bytes("queue_data", &mut self.queue_bytes, 0..=QUEUE_BYTES_MAX),
            bytes("kv_data", &mut self.kv_data_bytes, 0..=KV_DATA_BYTES_MAX),
            bytes("call", &mut self.call_bytes, CALL_BYTES_MIN..=CALL_BYTES_MAX),
            count("calls", &mut self.calls, 1..=CALLS_MAX),
            count("resources", &mut self.resources, RESOURCES_MIN..=RESOURCES_MAX),
            bytes("random", &mut self.random_bytes, RANDOM_BYTES_MIN..=RANDOM_BYTES_MAX),
        ]
    }

    /// The first that the host cannot honour, with what it may be.
    pub fn check(&self) -> Result<(), String> {
        let mut limits = self.clone();
        if let Some(Known { key, value, range, .. }) =
            limits.each().iter().find(|known| !known.range.contains(known.value))
        {
            return Err(format!("{key} must be {}..={}, is {value}", range.start(), range.end()));
        }
        if self.result_bytes > self.call_bytes {
            let (result, call) = (self.result_bytes, self.call_bytes);
            return Err(format!("result is {result} bytes and is returned in one call, which has {call}; change one"));
        }
        Ok(())
    }
}
