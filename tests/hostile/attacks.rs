//! The attacks, one file for each side from which they come.

mod answers;
mod cpu;
mod describe;
mod doors;
mod drafts;
mod features;
mod forged;
mod headers;
mod host_memory;
mod keys;
mod kv_data;
mod logs;
mod memory;
mod queues;
mod requests;
mod results;
mod running;
mod secrets;

use crate::guest::Guest;

pub(crate) use secrets::CARRIED;

/// By the names of their files.
pub(crate) fn families() -> Vec<(&'static str, Vec<Guest>)> {
    vec![
        ("running", running::guests()),
        ("cpu", cpu::guests()),
        ("memory", memory::guests()),
        ("features", features::guests()),
        ("forged", forged::guests()),
        ("host_memory", host_memory::guests()),
        ("logs", logs::guests()),
        ("keys", keys::guests()),
        ("kv_data", kv_data::guests()),
        ("drafts", drafts::guests()),
        ("queues", queues::guests()),
        ("results", results::guests()),
        ("describe", describe::guests()),
        ("doors", doors::guests()),
        ("requests", requests::guests()),
        ("headers", headers::guests()),
        ("secrets", secrets::guests()),
        ("answers", answers::guests()),
    ]
}

pub(crate) fn all() -> Vec<Guest> {
    families().into_iter().flat_map(|(_, guests)| guests).collect()
}
