//! Components that were changed at random are given to the loader: each is refused with words or serves, none stops it
//! or takes it along.
//!
//! This is the fuzz target of the loader, which `tests/fuzz/run components` runs: no coverage guides it, but changes keep
//! to the form of a component where it matters, see [`mutated`].
//!
//! `HOOKBOX_MUTATIONS` says how many (1,000 unless set), or `HOOKBOX_MUTATIONS_SECONDS` for how long;
//! `HOOKBOX_MUTATIONS_SEED` names another seed, and `HOOKBOX_MUTATIONS_FROM` the number to begin with. Each component is
//! kept in a file before it is tried, for one that takes the process along.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hookbox_core::limits::PluginSettings;
use hookbox_core::plugin::{Handler, Trigger};
use hookbox_core::time::Millis;
use hookbox_sandbox::{Rejection, SandboxError};
use tokio::time::{Instant, timeout};

use crate::arena::{self, Arena};
use crate::attacks;
use crate::guest::guest;
use crate::random::{Chance, Random};
use crate::sections;

const MUTATIONS: u64 = 1000;
const SEED: u64 = 1;
/// The longest that one may take: `describe` has a second, and compiling these takes milliseconds.
const HANG: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "how many, and for how long, is said from outside")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, got {text}")))
}

#[test]
fn mutated_components_are_refused_or_serve() {
    let seed = asked("HOOKBOX_MUTATIONS_SEED").unwrap_or(SEED);
    let until = asked("HOOKBOX_MUTATIONS_SECONDS").map(Duration::from_secs);
    let most = if until.is_some() { u64::MAX } else { asked("HOOKBOX_MUTATIONS").unwrap_or(MUTATIONS) };
    let from = asked("HOOKBOX_MUTATIONS_FROM").unwrap_or(0);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutated-component.wasm");
    eprintln!("HOOKBOX_MUTATIONS_SEED={seed}; the one that is tried is kept in {}", file.display());
    crate::runtime().block_on(async {
        let arena = Arena::open().await;
        let seeds = seeds();
        let began = Instant::now();
        let (mut tried, mut served) = (0, 0);
        while tried < most && until.is_none_or(|until| began.elapsed() < until) {
            let number = from + tried;
            let bytes = mutated(&seeds, &mut Random::new(seed, number));
            fs::write(&file, &bytes).unwrap();
            let how = format!("HOOKBOX_MUTATIONS_SEED={seed} HOOKBOX_MUTATIONS_FROM={number} HOOKBOX_MUTATIONS=1");
            served += u64::from(load(&arena, bytes, &how).await);
            tried += 1;
            if tried % 100 == 0 {
                arena.assert_serves(&how).await;
            }
        }
        eprintln!("components: {tried} inputs, of which {served} serve");
        assert!(served > 0 || tried < 100, "no component is near enough to a good one");
    });
}

/// What is changed: small ones, so that many are tried, and one that a compiler made.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![guest("mutant").bytes(), hookbox_tests::sample("welcome")];
    seeds.extend(attacks::all().iter().step_by(7).map(|guest| guest.bytes()));
    seeds
}

/// Whether it serves. A fault of the host's is none that a file may bring about.
async fn load(arena: &Arena, bytes: Vec<u8>, how: &str) -> bool {
    let settings = PluginSettings { cpu: Millis(50), ..PluginSettings::default() };
    let name = arena::plugin("mutant");
    let prepared = timeout(HANG, arena.sandbox.prepare(&name, bytes.into(), settings)).await;
    match prepared.unwrap_or_else(|_| panic!("{how}: it hangs")) {
        Ok(version) => {
            arena.sandbox.activate(&version);
            let called = timeout(HANG, arena.run(&name, Millis(500))).await;
            let called = called.unwrap_or_else(|_| panic!("{how}: its call hangs"));
            // A change of what it says of itself may have given its handler another name, or other work.
            let takes_jobs = |handler: &Handler| !matches!(handler.trigger, Trigger::Events(_));
            let named = |handler: &&Handler| handler.name.as_str() == "job";
            let has_it = version.info.handlers.iter().find(named).is_some_and(takes_jobs);
            match called {
                Ok(_) => assert!(has_it, "{how}: a handler ran that it does not have"),
                Err(SandboxError::NoSuchHandler { .. }) if !has_it => {}
                Err(error) => panic!("{how}: {error:?}"),
            }
            arena.sandbox.deactivate(&name);
            true
        }
        Err(Rejection::HostBroken(words)) => panic!("{how}: {words}"),
        Err(refused) => {
            assert!(refused.to_string().len() < 64 << 10, "{how}: {refused}");
            false
        }
    }
}

/// A few changes of one of them: bits, bytes, numbers that are lengths or places, parts that are cut out, repeated or
/// taken from another; and of whole sections, whose lengths are right, so that what is behind them is read, too.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    // Most of what the compiler made is code of the same kinds: it is taken seldom.
    let first = if random.percent(10) == Chance::Hit { 2 } else { 1 };
    let mut bytes = match random.percent(50) {
        Chance::Hit => seeds[first - 1].clone(),
        Chance::Miss => seeds[2 + random.below(seeds.len() - 2)].clone(),
    };
    for _ in 0..=random.below(2) {
        match random.percent(25) {
            Chance::Hit => change_sections(&mut bytes, seeds, random),
            Chance::Miss => change_bytes(&mut bytes, seeds, random),
        }
    }
    bytes
}

fn change_bytes(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    // What is behind the head; without it everything is refused at once.
    if bytes.len() <= sections::HEAD {
        return;
    }
    let at = sections::HEAD + random.below(bytes.len() - sections::HEAD);
    let some = 1 + random.below(16);
    let end = (at + some).min(bytes.len());
    match random.below(7) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x40][random.below(6)],
        2 => bytes[at] = bytes[at].wrapping_add(1),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        5 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let part = other[from..(from + some).min(other.len())].to_vec();
            bytes.splice(at..end, part);
        }
        _ => bytes.truncate(at.max(9)),
    }
}

/// One section is left out, is there twice, comes before another, or is taken from another component.
fn change_sections(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let of = sections::of(bytes);
    if of.is_empty() {
        return;
    }
    let (one, other) = (of[random.below(of.len())].clone(), of[random.below(of.len())].clone());
    match random.below(4) {
        0 => drop(bytes.drain(one)),
        1 => {
            let part = bytes[one].to_vec();
            bytes.splice(other.start..other.start, part);
        }
        2 => {
            let (early, late) = if one.start < other.start { (one, other) } else { (other, one) };
            let part = bytes[late.clone()].to_vec();
            bytes.drain(late);
            bytes.splice(early.start..early.start, part);
        }
        _ => {
            let from = &seeds[random.below(seeds.len())];
            let theirs = sections::of(from);
            let part = from[theirs[random.below(theirs.len())].clone()].to_vec();
            bytes.splice(one, part);
        }
    }
}
