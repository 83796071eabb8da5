//! What may happen to a store.

use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Accept { keys: Vec<u8>, fingerprint: u8, targets: Vec<usize>, length: usize, wait: Wait },
    Enqueue { target: usize, unique: Option<u8>, length: usize, wait: Wait },
    Claim { target: usize, limit: usize, concurrency: Option<u32> },
    Record { pick: usize, end: End },
    Rescue { attempts_max: u32 },
    Abandon { target: usize },
    Replay { pick: usize, edited: bool },
    ReplayAll { picks: Vec<usize>, again: bool },
    Cancel { picks: Vec<usize> },
    Expire { limit: usize },
    Hold { target: usize, held: bool },
    Route { pick: usize, targets: Vec<usize> },
    Declare { schedules: Vec<(u8, u64)> },
    Fire { schedule: u8 },
    Prune { days: u64, max: u64 },
    Wait { minutes: u64 },
    Reopen,
}

/// What a run waits for besides its time.
#[derive(Debug, Clone, Default)]
pub(super) struct Wait {
    pub(super) gate: Option<(u8, bool)>,
    pub(super) unique: Option<u8>,
    /// Minutes.
    pub(super) expires: Option<u64>,
    pub(super) delay: u64,
}

fn wait() -> impl Strategy<Value = Wait> {
    let gate = prop::option::of((0u8..3, any::<bool>()));
    let parts = (gate, prop::option::weighted(0.3, 0u8..3), prop::option::weighted(0.3, 1u64..2000), 0u64..3);
    prop_oneof![
        1 => Just(Wait::default()),
        2 => parts.prop_map(|(gate, unique, expires, delay)| Wait { gate, unique, expires, delay }),
    ]
}

#[derive(Debug, Clone)]
pub(super) enum End {
    Success { writes: Vec<(u8, Write)>, stale: bool, quota: u64, emits: usize, jobs: usize },
    Retry { log: usize },
    Bury,
    Drain,
    Revoke,
}

#[derive(Debug, Clone)]
pub(super) enum Write {
    Set { length: usize, ttl: Option<u64> },
    Add(i64),
    Delete,
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..300, 2 => 4000usize..4200, 1 => 8000usize..40_000]
}

fn end() -> impl Strategy<Value = End> {
    let write = prop_oneof![
        3 => (length(), prop::option::of(0u64..100_000)).prop_map(|(length, ttl)| Write::Set { length, ttl }),
        2 => any::<i8>().prop_map(|delta| Write::Add(delta.into())),
        1 => Just(Write::Delete),
    ];
    let writes = prop::collection::vec((0u8..6, write), 0..5);
    prop_oneof![
        6 => (writes, prop::bool::weighted(0.2), prop_oneof![4 => Just(1u64 << 20), 1 => 0u64..9000], 0usize..3, 0usize..3)
            .prop_map(|(writes, stale, quota, emits, jobs)| End::Success { writes, stale, quota, emits, jobs }),
        2 => length().prop_map(|log| End::Retry { log }),
        1 => Just(End::Bury),
        1 => Just(End::Drain),
        1 => Just(End::Revoke),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (
            prop::collection::vec(0u8..8, 0..3),
            0u8..2,
            prop::collection::vec(0usize..3, 0..4),
            prop_oneof![3 => Just(5usize), 1 => length()],
            wait(),
        ).prop_map(|(keys, fingerprint, targets, length, wait)| Step::Accept { keys, fingerprint, targets, length, wait }),
        3 => (0usize..3, prop::option::of(0u8..3), length(), wait())
            .prop_map(|(target, unique, length, wait)| Step::Enqueue { target, unique, length, wait }),
        6 => (0usize..3, 0usize..5, prop::option::weighted(0.3, 1u32..3))
            .prop_map(|(target, limit, concurrency)| Step::Claim { target, limit, concurrency }),
        8 => (any::<prop::sample::Index>(), end()).prop_map(|(pick, end)| Step::Record { pick: pick.index(1000), end }),
        1 => (0u32..4).prop_map(|attempts_max| Step::Rescue { attempts_max }),
        1 => (0usize..3).prop_map(|target| Step::Abandon { target }),
        2 => (0usize..1000, any::<bool>()).prop_map(|(pick, edited)| Step::Replay { pick, edited }),
        1 => (picks(), any::<bool>()).prop_map(|(picks, again)| Step::ReplayAll { picks, again }),
        2 => picks().prop_map(|picks| Step::Cancel { picks }),
        1 => (0usize..5).prop_map(|limit| Step::Expire { limit }),
        1 => (0usize..3, any::<bool>()).prop_map(|(target, held)| Step::Hold { target, held }),
        2 => (0usize..1000, prop::collection::vec(0usize..3, 0..3))
            .prop_map(|(pick, targets)| Step::Route { pick, targets }),
        1 => prop::collection::vec((0u8..3, 1u64..4), 0..3).prop_map(|schedules| Step::Declare { schedules }),
        2 => (0u8..3).prop_map(|schedule| Step::Fire { schedule }),
        1 => (0u64..4, 0u64..6).prop_map(|(days, max)| Step::Prune { days, max }),
        2 => (1u64..1000).prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Reopen),
    ]
}

fn picks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0usize..1000, 0..6)
}
