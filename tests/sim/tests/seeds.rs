//! Simulates many seeds. `HOOKBOX_SIM_SEEDS` says how many (200 unless set);
//! `HOOKBOX_SIM_SEED` names one, which is replayed with all that happens in it.

#![expect(clippy::panic, reason = "a test that cannot go on stops")]

use std::sync::atomic::{AtomicU64, Ordering};

use hookbox_sim::{Report, Shape, Tally, simulate};

const SEEDS: u64 = 200;

#[expect(clippy::disallowed_methods, reason = "a seed to be replayed is named from outside")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, got {text}")))
}

/// Simulates on all cores; what a seed does follows from the seed alone. Stops at the first that goes wrong.
fn many(test: &str, shape: Shape) -> Tally {
    if let Some(seed) = asked("HOOKBOX_SIM_SEED") {
        let report = simulate(seed, shape, true);
        eprintln!("{report:#?}");
        return held(test, seed, &report).unwrap_or_else(|broken| panic!("{broken}"));
    }
    let (seeds, next) = (asked("HOOKBOX_SIM_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = || {
        let mut sum = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds {
                return Ok(sum);
            }
            match held(test, seed, &simulate(seed, shape, false)) {
                Ok(tally) => sum = sum.plus(tally),
                Err(broken) => {
                    next.store(seeds, Ordering::SeqCst);
                    return Err(broken);
                }
            }
        }
    };
    let sums: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let ended = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.map(|sum| sum.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))).collect()
    });
    let sums: Result<Vec<Tally>, String> = sums.into_iter().collect();
    let sums = sums.unwrap_or_else(|broken| panic!("{broken}"));
    sums.into_iter().fold(Tally::default(), Tally::plus)
}

fn held(test: &str, seed: u64, report: &Report) -> Result<Tally, String> {
    match &report.broken {
        None => Ok(report.tally),
        Some(broken) => Err(format!(
            "seed {seed}: {broken}\nto see all of it: HOOKBOX_SIM_SEED={seed} cargo test -p hookbox-sim --test seeds {test}"
        )),
    }
}

#[test]
fn everything_ends_once_whatever_fails() {
    let tally = many("everything_ends_once_whatever_fails", Shape::Whole);
    eprintln!("{tally:#?}");
    if asked("HOOKBOX_SIM_SEED").is_none() {
        assert_eq!(tally.never(), Vec::<&str>::new(), "of all that should have happened, this has not");
    }
}

#[test]
fn attempts_that_succeed_did_so_one_after_the_other() {
    let tally = many("attempts_that_succeed_did_so_one_after_the_other", Shape::Transactions);
    eprintln!("{tally:#?}");
    if asked("HOOKBOX_SIM_SEED").is_none() {
        assert!(tally.succeeded > 0 && tally.conflicts > 0, "{tally:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_simulation() {
    for shape in [Shape::Whole, Shape::Transactions] {
        for seed in 0..20 {
            assert_eq!(simulate(seed, shape, false), simulate(seed, shape, false), "seed {seed}");
        }
    }
    assert_ne!(simulate(1, Shape::Whole, false).hash, simulate(2, Shape::Whole, false).hash);
}
