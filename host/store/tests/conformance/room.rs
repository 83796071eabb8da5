//! How many runs may wait: what attempts and schedules make is bounded, and what waits drains.

use hookbox_core::queue::Room;
use hookbox_core::run::{Run, RunEvent, RunStatus};
use hookbox_core::schedule::{Overlap, Rules, Verdict};
use hookbox_core::time::Timestamp;
use hookbox_store::types::{Changes, Firing, Recorded};

use crate::schedules::{every_minute, firing, row, verdicts};
use crate::world::{World, changes, ended, event, job, later, set, success, writes};

conformance! {
    several_runs_of_an_attempt_find_the_queue_full_and_one_does_not,
    the_share_of_one_handler_is_no_room_of_another,
    runs_that_are_made_at_the_same_time_find_the_same_room,
    a_full_queue_of_runs_that_make_more_drains,
    a_schedule_that_lets_its_runs_overlap_is_held_to_the_room,
    a_schedule_fires_into_a_full_queue_while_none_of_its_runs_is_alive,
}

const GENERATIONS: [&str; 3] = ["a/first", "a/second", "a/third"];

async fn waiting(world: &World, target: &str, runs: usize) {
    for _ in 0..runs {
        world.accept_new(event(&[target])).await;
    }
}

fn making(targets: &[&str], room: u64) -> Changes {
    let jobs = targets.iter().map(|target| job(target)).collect();
    Changes { jobs, room: Room(room), ..changes("a") }
}

async fn several_runs_of_an_attempt_find_the_queue_full_and_one_does_not(world: &mut World) {
    let run = world.leased("a/on-event").await;
    waiting(world, "b/on-event", 4).await;
    let before = world.counts();
    let several = Changes { writes: vec![set("k", "new")], ..making(&["a/work", "a/work"], 4) };
    assert_eq!(world.record(success(&run, Some(several.clone()))).await.unwrap(), Recorded::QueueFull);
    world.pause();
    assert_eq!((world.counts(), world.value("a", "k").await), (before, None));
    assert_eq!(world.run(run.id).await.unwrap(), run, "the lease holds");
    assert!(world.run(several.jobs[0].run.id).await.is_err());
    // It takes the place of the run that makes it.
    assert_eq!(world.record(success(&run, Some(making(&["a/work"], 4)))).await.unwrap(), Recorded::Done);
    assert_eq!(world.counts().pending, 5);
    let run = world.leased("a/on-event").await;
    let more = Changes { writes: vec![set("k", "new")], ..making(&["a/work", "a/work"], 6) };
    assert_eq!(world.record(success(&run, Some(more))).await.unwrap(), Recorded::Done, "five wait, and six may");
    assert_eq!(world.value("a", "k").await, Some(b"new".to_vec()));
}

async fn the_share_of_one_handler_is_no_room_of_another(world: &mut World) {
    let run = world.leased("a/on-event").await;
    waiting(world, "a/slow", 6).await;
    world.pause();
    assert_eq!((world.waiting_of(&crate::world::handler("a/slow")), world.counts().pending), (6, 6));
    for several in [["a/slow", "a/slow"], ["a/quick", "a/slow"]] {
        let recorded = world.record(success(&run, Some(making(&several, 8)))).await.unwrap();
        assert_eq!(recorded, Recorded::QueueFull, "{several:?}");
    }
    assert_eq!(world.record(success(&run, Some(making(&["a/quick"; 2], 8)))).await.unwrap(), Recorded::Done);
}

async fn runs_that_are_made_at_the_same_time_find_the_same_room(world: &mut World) {
    waiting(world, "a/on-event", 20).await;
    let runs = world.claim_some(&["a/on-event"], 20, later(0)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for run in runs {
        let store = world.store.clone();
        tasks.spawn(async move { store.record(success(&run, Some(making(&["a/work"; 5], 12)))).await.unwrap() });
    }
    let recorded = tasks.join_all().await;
    // Nine wait for the one handler at most, and five more of the attempt that found eight.
    let done = recorded.iter().filter(|recorded| **recorded == Recorded::Done).count();
    assert_eq!((done, world.counts().pending), (2, 10), "{recorded:?}");
}

/// Ends the attempt: with three of the next generation, or none after the last. Puts it back where there is no room.
async fn end(world: &World, run: &Run, rooms: [u64; 2], now: Timestamp) {
    let generation = GENERATIONS.iter().position(|target| crate::world::handler(target) == run.target).unwrap();
    let next = GENERATIONS.get(generation + 1).map(|next| making(&[next, next, next], rooms[generation]));
    if world.record(success(run, next)).await.unwrap() == Recorded::QueueFull {
        let back = RunEvent::Drained { at: now };
        assert_eq!(world.record(ended(run, back, None)).await.unwrap(), Recorded::Done);
    }
}

/// Whether a queue that is full of the first generation is ever empty. However it goes, no more wait than may.
async fn drains(world: &World, rooms: [u64; 2]) -> bool {
    let before = world.counts().succeeded;
    waiting(world, GENERATIONS[0], 40).await;
    for round in 1..200 {
        // The oldest first: the generation that makes most.
        let now = later(round);
        let runs = world.claim_some(&GENERATIONS, 5, now).await;
        for run in &runs {
            end(world, run, rooms, later(round + 1)).await;
        }
        // Beside what the last attempt made, those that were claimed and put back.
        let pending = world.counts().pending;
        assert!(pending <= rooms[1] + 3 + 5, "{pending} wait");
        if runs.is_empty() {
            assert_eq!(world.counts().succeeded - before, 40 + 40 * 3 + 40 * 9);
            return true;
        }
    }
    false
}

async fn a_full_queue_of_runs_that_make_more_drains(world: &mut World) {
    assert!(drains(world, [50, 60]).await, "each generation has more room than the one before");
    assert!(!drains(world, [50, 50]).await, "without that, they wait for one another");
}

async fn overlapping(world: &World) {
    let rules = Rules { overlap: Overlap::Allow, ..Rules::default() };
    let schedule = hookbox_core::schedule::Schedule { rules, ..every_minute("a") };
    world.declare_schedules(vec![schedule, every_minute("b")], later(0)).await.unwrap();
}

async fn fire(world: &World, name: &str, minute: u64, room: u64) -> Verdict {
    let firing = firing(&row(&*world.store, name).await, later(minute * 60_000)).unwrap();
    verdicts(&world.fire(Firing { room: Room(room), ..firing }).await.unwrap()).remove(0)
}

async fn a_schedule_that_lets_its_runs_overlap_is_held_to_the_room(world: &mut World) {
    overlapping(world).await;
    for minute in 1..=3 {
        assert!(matches!(fire(world, "a", minute, 4).await, Verdict::Fired { .. }), "{minute}");
    }
    world.pause();
    for minute in 4..=9 {
        assert_eq!(fire(world, "a", minute, 4).await, Verdict::Dropped, "three of one handler are its share of four");
    }
    assert_eq!((world.counts().pending, row(&*world.store, "a").await.counts.dropped), (3, 6));
    let run = world.claim_some(&["a/tick"], 1, later(600_000)).await.remove(0);
    assert_eq!(run.status(), RunStatus::Leased);
    assert!(matches!(fire(world, "a", 10, 4).await, Verdict::Fired { .. }), "there is room again");
}

async fn a_schedule_fires_into_a_full_queue_while_none_of_its_runs_is_alive(world: &mut World) {
    overlapping(world).await;
    waiting(world, "a/tick", 3).await;
    for name in ["a", "b"] {
        assert!(matches!(fire(world, name, 1, 3).await, Verdict::Fired { .. }), "{name}");
    }
    assert_eq!(fire(world, "a", 2, 3).await, Verdict::Dropped);
    assert_eq!(fire(world, "b", 2, 3).await, Verdict::OverlapSkipped);
}

#[test]
fn effects_without_runs_are_no_matter_of_room() {
    crate::world::on_memory(|world| {
        Box::pin(async {
            waiting(world, "b/on-event", 3).await;
            let full = Changes { room: Room(0), ..writes("a", [set("k", "v")]) };
            assert_eq!(world.commit("a/on-event", full).await, Recorded::Done);
        })
    });
}
