//! The attacks, one file for each side from which they come.

mod cpu;
mod describe;
mod doors;
mod forged;
mod host_memory;
mod keys;
mod kv_data;
mod logs;
mod memory;
mod queues;
mod results;
mod running;

use crate::guest::Guest;

pub(crate) fn all() -> Vec<Guest> {
    let mut all = running::guests();
    all.extend(memory::guests());
    all.extend(forged::guests());
    all.extend(host_memory::guests());
    all.extend(logs::guests());
    all.extend(keys::guests());
    all.extend(kv_data::guests());
    all.extend(queues::guests());
    all.extend(results::guests());
    all.extend(cpu::guests());
    all.extend(describe::guests());
    all.extend(doors::guests());
    all
}
