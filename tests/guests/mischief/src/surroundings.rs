//! What a guest can learn that it was not handed.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::time::Duration;

use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::{insecure, insecure_seed, random};

use crate::hookbox::plugin::{config, kv};
use crate::{race, requests};

/// Reads a clock so often, and random numbers once.
pub(crate) fn look(times: u64) -> String {
    let mut last = 0;
    for _ in 0..times {
        let now = monotonic_clock::now();
        assert!(now >= last, "a monotonic clock ran backwards");
        last = now;
    }
    format!("{} {}", random::get_random_u64(), random::get_random_bytes(7).len())
}

/// Everything that may be another time in another run, and after that what the requests brought.
pub(crate) fn tell(told: &str) -> String {
    let (before, wall) = (monotonic_clock::now(), wall_clock::now());
    std::thread::sleep(Duration::from_millis(1));
    let slept = monotonic_clock::now() - before;
    let hashed = HashMap::<u8, u8>::new().hasher().hash_one(7);
    let numbers = (random::get_random_u64(), random::get_random_bytes(9), insecure::get_insecure_random_u64());
    let kept = (kv::increment("runs", 1), kv::get("greeting"), kv::set("seen", b"x", None), kv::list("", None));
    let asked = (config::get("channel"), config::get_secret("token"));
    let answered = match told.strip_prefix("race\n") {
        Some(told) => race::run(told),
        None => requests::run(told),
    };
    format!(
        "{before} {wall:?} {slept} {hashed} {numbers:?} {:?} {:?} {kept:?} {asked:?}\n{answered}",
        insecure::get_insecure_random_bytes(5),
        insecure_seed::insecure_seed(),
    )
}
