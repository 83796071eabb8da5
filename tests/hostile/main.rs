//! Guests that attack, each in its own way, let loose in one sandbox one after the other. Each must end as the table
//! says, the honest plugin beside it must go on working, and in the end the process must hold what it held before.
//!
//! A new attack is one more entry in a file of `attacks/`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod arena;
mod attacks;
mod component;
mod guest;
mod mutations;
#[path = "../e2e/random.rs"]
mod random;

use std::collections::BTreeSet;

use arena::{Arena, Held, SLOTS};

/// Growth of the process over all guests, once each of them was there: what the allocator and the pool keep.
const GROWTH_KIB_MAX: u64 = 32 << 10;
/// Images of memories that slots of the pool keep for their next guest: 4 for each slot and for the one that describes.
const IMAGES_MAX: usize = 4 * (SLOTS + 1);

/// One worker and one thread for compiling, so that none comes and goes.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap()
}

#[test]
fn every_guest_ends_as_it_must_and_leaves_nothing_behind() {
    runtime().block_on(async {
        let arena = Arena::open().await;
        let guests = attacks::all();
        let mut wrong = Vec::new();
        for guest in &guests {
            if let Err(how) = arena.face(guest).await {
                wrong.push(format!("{} must end with {:?}, but {how}", guest.name, guest.verdict));
            }
            arena.assert_serves(guest.name).await;
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), guests.len(), wrong.join("\n"));

        let before = Held::now();
        for guest in &guests {
            arena.face(guest).await.unwrap();
            arena.assert_serves(guest.name).await;
            let held = Held::now();
            let grown = held.resident_kib.saturating_sub(before.resident_kib);
            assert!(grown <= GROWTH_KIB_MAX, "{grown} KiB are not given back after {}", guest.name);
            assert!(held.threads <= before.threads, "{held:?} after {}, {before:?} before", guest.name);
            assert!(held.files <= before.files + IMAGES_MAX, "{held:?} after {}, {before:?} before", guest.name);
        }
        eprintln!("{} guests; before {before:?}, after {:?}", guests.len(), Held::now());
    });
}

/// The table of limits names the guest that proves each.
#[test]
fn the_guests_that_the_readme_names_are_there() {
    let readme = include_str!("../../README.md");
    let section = readme.split("### What stops a plugin").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| limit"));
    let guests = attacks::all();
    let mut proven = 0;
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in cell.split('`').skip(1).step_by(2) {
            assert!(guests.iter().any(|guest| guest.name == name), "{name} is no guest: {row}");
            proven += 1;
        }
    }
    assert!(proven >= 18, "{proven}");
}

#[test]
fn there_are_forty_attacks_and_each_has_its_own_name() {
    let guests = attacks::all();
    let names: BTreeSet<&str> = guests.iter().map(|guest| guest.name).collect();
    assert_eq!(names.len(), guests.len());
    assert!(names.len() >= 40, "{}", names.len());
}
