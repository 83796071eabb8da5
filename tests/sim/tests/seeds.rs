//! Simulates many seeds. `HOOKBOX_SIM_SEEDS` says how many (200 unless set);
//! `HOOKBOX_SIM_SEED` names one, which is replayed with all that happens in it.

use std::sync::atomic::{AtomicU64, Ordering};

use hookbox_sim::{Report, Shape, Tally, simulate};

const SEEDS: u64 = 200;

#[expect(clippy::disallowed_methods, reason = "a seed to be replayed is named from outside")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, got {text}")))
}

/// Simulates on all cores; what a seed does follows from the seed alone.
fn many(test: &str, shape: Shape) -> Tally {
    if let Some(seed) = asked("HOOKBOX_SIM_SEED") {
        let report = simulate(seed, shape, true);
        eprintln!("{report:#?}");
        hold(test, seed, &report);
        return report.tally;
    }
    let (seeds, next) = (asked("HOOKBOX_SIM_SEEDS").unwrap_or(SEEDS), AtomicU64::new(0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = || {
        let mut sum = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds {
                return sum;
            }
            let report = simulate(seed, shape, false);
            hold(test, seed, &report);
            sum = sum.plus(report.tally);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let sums = workers.into_iter().map(|worker| worker.join().unwrap());
        sums.fold(Tally::default(), Tally::plus)
    })
}

fn hold(test: &str, seed: u64, report: &Report) {
    let Some(broken) = &report.broken else { return };
    panic!(
        "seed {seed}: {broken}\nto see all of it: HOOKBOX_SIM_SEED={seed} cargo test -p hookbox-sim --test seeds {test}"
    );
}

#[test]
fn everything_ends_once_whatever_fails() {
    let tally = many("everything_ends_once_whatever_fails", Shape::Whole);
    eprintln!("{tally:#?}");
    assert_eq!(tally.never(), Vec::<&str>::new(), "of all that should have happened, this has not");
}

#[test]
fn attempts_that_succeed_did_so_one_after_the_other() {
    let tally = many("attempts_that_succeed_did_so_one_after_the_other", Shape::Transactions);
    eprintln!("{tally:#?}");
    assert!(tally.succeeded > 0 && tally.conflicts > 0, "{tally:?}");
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
