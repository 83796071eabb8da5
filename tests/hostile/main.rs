//! Guests that attack, each in its own way, let loose in one sandbox one after the other. Each must end as its entry says,
//! with words that say what to change where a limit or a grant is what stopped it. After each, the honest plugin beside it
//! must do its work within its usual time, and the process must hold what it held before.
//!
//! A new attack is one more entry in a file of `attacks/`. Which guest proves which limit is listed in [`limits`].

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod arena;
mod attacks;
mod component;
mod guest;
mod held;
mod http;
mod imports;
mod limits;
mod mutations;
mod names;
#[path = "../e2e/random.rs"]
mod random;
mod sections;
mod server;

use std::collections::BTreeSet;

use arena::{Arena, SLOTS};
use guest::{Guest, Verdict};
use held::Held;

/// Growth of the process over all guests, once each of them was there: what the allocator and the pool keep.
const GROWTH_KIB_MAX: u64 = 24 << 10;
/// What each further guest of a family may add to the process, and in how many turns of a family that is measured.
const SLOPE_KIB_MAX: i64 = 16;
const TURNS: usize = 3;
/// Measured so often before it counts: the allocator keeps what it likes once, a leak grows each time.
const SLOPES: usize = 5;
/// What the process may need beside what the limits of a guest allow: honest runs, the sandbox, these tests.
const BESIDE_KIB: u64 = 32 << 10;
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
        let families = attacks::families();
        let mut wrong = Vec::new();
        for guest in families.iter().flat_map(|(_, guests)| guests) {
            if let Err(how) = arena.face(guest).await {
                wrong.push(format!("{} must end with {:?}, but {how}", guest.name, guest.verdict));
            }
            arena.assert_serves(guest.name).await;
        }
        assert!(wrong.is_empty(), "{} guests:\n{}", wrong.len(), wrong.join("\n"));

        let before = Held::now();
        eprintln!("KiB: before, most and after; {} guests from {before:?}", attacks::all().len());
        for (family, guests) in &families {
            let begun = Held::now();
            let mut most = 0;
            for guest in guests {
                most = most.max(assert_gives_back(&arena, guest, before).await);
            }
            let ended = Held::now();
            let slope_kib = slope_kib(&arena, guests).await;
            eprintln!("{family}: {} {most} {}; {slope_kib} a guest", begun.resident_kib, ended.resident_kib);
            assert!(slope_kib <= SLOPE_KIB_MAX, "{family} leaves {slope_kib} KiB behind with each guest");
        }
        eprintln!("{:?}", Held::now());
    });
}

/// Once more, now that everything that stays has been there: the most that was resident meanwhile.
async fn assert_gives_back(arena: &Arena, guest: &Guest, before: Held) -> u64 {
    let name = guest.name;
    Held::forget_the_peak();
    let most = Held::now().resident_kib + guest.host_bytes_max() / 1024 + BESIDE_KIB;
    arena.face(guest).await.unwrap();
    arena.assert_serves(name).await;
    let peak_kib = Held::now().peak_kib;
    assert!(peak_kib <= most, "{peak_kib} KiB with {name}, at most {most}");
    let is_back = |held: &Held| {
        held.resident_kib <= before.resident_kib + GROWTH_KIB_MAX
            && held.threads <= before.threads
            && held.files <= before.files + IMAGES_MAX
    };
    if let Err(held) = Held::once(is_back).await {
        panic!("{name} leaves {held:?}, before all of them it was {before:?}");
    }
    peak_kib
}

/// By how much the process grows with each guest of a family, at the least.
async fn slope_kib(arena: &Arena, guests: &[Guest]) -> i64 {
    let faced = i64::try_from(TURNS * guests.len()).unwrap();
    let resident = || i64::try_from(Held::now().resident_kib).unwrap();
    let mut least = i64::MAX;
    for _ in 0..SLOPES {
        let begun = resident();
        for guest in std::iter::repeat_n(guests, TURNS).flatten() {
            arena.face(guest).await.unwrap();
        }
        least = least.min((resident() - begun) / faced);
        if least <= SLOPE_KIB_MAX {
            break;
        }
    }
    least
}

#[test]
fn there_are_forty_attacks_and_each_has_its_own_name() {
    let guests = attacks::all();
    let names: BTreeSet<&str> = guests.iter().map(|guest| guest.name).collect();
    assert_eq!(names.len(), guests.len());
    assert!(names.len() >= 40, "{}", names.len());
}

#[test]
fn every_verdict_says_in_which_words() {
    for guest in attacks::all() {
        let words = match guest.verdict {
            Verdict::Refused(_, words) | Verdict::Trapped(words) | Verdict::Says(words) => words,
            Verdict::Permanent(words) | Verdict::Retryable(words) => words,
            // Their words are the same for all: the limit that was reached.
            Verdict::CpuExhausted | Verdict::TimedOut | Verdict::OutOfMemory | Verdict::Completes => "limits",
        };
        assert!(!words.is_empty(), "{}", guest.name);
    }
}
