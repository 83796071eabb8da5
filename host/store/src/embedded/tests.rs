//! A disk that fails, and works again.

use hookbox_core::attempt::{Attempt, Outcome};
use hookbox_core::clock::Monotonic;
use hookbox_core::effects::KvWrite;
use hookbox_core::event::{Event, Source};
use hookbox_core::id::{EventId, RunId};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName};
use hookbox_core::queue::Room;
use hookbox_core::run::{BootId, Run, RunEvent, RunStatus};
use hookbox_core::time::Timestamp;
use tempfile::TempDir;

use super::faults::{Fault, Step};
use super::*;
use crate::types::{Accepted, Changes, Claim, DedupeMark, NewEvent, NewRun, Record, Recorded, Rescue};
use crate::{Store, doctor};

const NOW: Timestamp = Timestamp(1_750_000_000_000);

struct World {
    store: SledStore,
    faults: Faults,
    folder: TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::default();
    let store = SledStore::open_with(folder.path(), faults.clone()).unwrap();
    World { store, faults, folder }
}

fn target() -> HandlerRef {
    HandlerRef { plugin: PluginName::parse("a").unwrap(), handler: HandlerName::parse("on-event").unwrap() }
}

/// An event with one run; large enough for chunks.
fn event(number: u8) -> NewEvent {
    NewEvent {
        event: Event {
            id: EventId::new(NOW, u128::from(number)),
            source: Source::Provider(ProviderName::parse("shop").unwrap()),
            namespace: "shop".to_owned(),
            event_type: "x".to_owned(),
            subject: None,
            time: NOW,
            content_type: "text/plain".to_owned(),
            data: vec![number; 100_000],
            attributes: vec![],
            hops: 0,
        },
        dedupe: vec![DedupeMark { hash: [number; 32], until: Timestamp(u64::MAX) }],
        fingerprint: [0; 16],
        runs: vec![NewRun {
            id: run_id(number),
            target: target(),
            dead: None,
            made_by: None,
            terms: Default::default(),
        }],
    }
}

fn run_id(number: u8) -> RunId {
    RunId::new(NOW, u128::from(number))
}

impl World {
    async fn accept(&self, number: u8) -> Result<Accepted, StoreError> {
        self.store.accept(event(number)).await
    }

    async fn claim(&self) -> Result<Vec<Run>, StoreError> {
        let handlers = [crate::types::Claimable::new(target())].into();
        let claim =
            Claim { handlers, limit: 9, per_plugin_max: usize::MAX, boot: BootId(1), now: NOW, until: Monotonic(1000) };
        self.store.claim(claim).await
    }

    async fn record(&self, run: &Run) -> Result<Recorded, StoreError> {
        let attempt = Attempt {
            number: 1,
            started: NOW,
            finished: NOW,
            outcome: Outcome::Completed { output: None },
            log: Default::default(),
            cost: Default::default(),
            requests: Default::default(),
            denied: Vec::new(),
            version: None,
        };
        let changes = Changes {
            plugin: target().plugin,
            reads: vec![],
            scans: vec![],
            writes: vec![KvWrite::Add { key: "counted".to_owned(), delta: 1 }],
            kv_bytes_max: 1 << 20,
            room: Room(1_000_000),
            jobs: vec![],
            events: vec![],
        };
        let (event, lease) = (RunEvent::Succeeded { attempt }, run.lease().unwrap());
        self.store.record(Record { run: run.id, lease, event, changes: Some(changes), now: NOW }).await
    }

    async fn rescue(&self, monotonic: u64) -> Vec<Run> {
        let rescue = Rescue {
            boot: BootId(1),
            now: NOW,
            monotonic: Monotonic(monotonic),
            limit: 9,
            attempts_max: Default::default(),
        };
        self.store.rescue(rescue).await.unwrap()
    }

    async fn counted(&self) -> Option<Vec<u8>> {
        let entry = self.store.kv_get(&target().plugin, "counted", NOW).await.unwrap();
        entry.map(|entry| entry.value)
    }

    async fn until_available(&self) {
        self.store.backend().state.until_available().await;
        assert_eq!(self.faults.left(), 0, "everything has gone wrong");
    }

    /// What is there after a start, and that all of it fits together.
    fn close(self) -> Vec<EventId> {
        drop(self.store);
        let store = SledStore::open(self.folder.path()).unwrap();
        let report = doctor::check(&store).unwrap();
        assert_eq!(report.faults, Vec::<String>::new());
        let there = |number: &u8| doctor::has(&store, &event(*number).event.id.to_string()).unwrap();
        (0..9).filter(there).map(|number| event(number).event.id).collect()
    }
}

fn is_unavailable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

#[tokio::test]
async fn a_disk_that_fails_for_a_moment_costs_nothing_that_was_acknowledged() {
    for step in [Step::Apply, Step::Sync, Step::Synced] {
        for fault in [Fault::Unavailable, Fault::Panic] {
            let world = world();
            world.accept(1).await.unwrap();
            world.faults.add(step, fault);
            assert!(is_unavailable(&world.accept(2).await), "{step:?}, {fault:?}");
            assert!(world.store.failure().is_some());
            assert!(is_unavailable(&world.accept(3).await), "nothing is taken meanwhile");
            assert!(is_unavailable(&world.store.event(event(1).event.id).await), "and nothing shown");

            world.until_available().await;
            assert_eq!(world.store.event(event(1).event.id).await.unwrap().event.data, event(1).event.data);
            // It may be there or not; sent again, it is.
            world.accept(2).await.unwrap();
            world.accept(4).await.unwrap();
            let three = [1, 2, 4].map(|number| event(number).event.id);
            assert_eq!(world.store.counts().events, 3);
            assert_eq!(world.close(), three, "{step:?}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn it_tries_until_the_folder_opens() {
    let world = world();
    world.accept(1).await.unwrap();
    world.faults.add(Step::Apply, Fault::Unavailable);
    for fault in [Fault::Unavailable, Fault::Panic, Fault::Unavailable] {
        world.faults.add(Step::Open, fault);
    }
    // Open, it may fail at once again.
    world.faults.add(Step::Sync, Fault::Unavailable);
    assert!(is_unavailable(&world.accept(2).await));
    world.store.backend().state.until_available().await;
    assert!(is_unavailable(&world.accept(3).await));
    world.until_available().await;
    world.accept(3).await.unwrap();
    let there = world.close();
    assert!(there.contains(&event(1).event.id) && there.contains(&event(3).event.id), "{there:?}");
}

#[tokio::test]
async fn a_folder_that_is_damaged_is_given_up() {
    let world = world();
    world.faults.add(Step::Apply, Fault::Unavailable);
    world.faults.add(Step::Open, Fault::Corrupt);
    let told = world.store.signals().failed.notified();
    assert!(is_unavailable(&world.accept(1).await));
    told.await;
    assert!(world.store.failure().unwrap().contains("damaged"));
    assert!(is_unavailable(&world.accept(1).await));
}

#[tokio::test]
async fn a_store_that_is_dropped_while_its_disk_fails_lets_go_of_the_folder() {
    let world = world();
    world.accept(1).await.unwrap();
    world.faults.add(Step::Sync, Fault::Unavailable);
    assert!(is_unavailable(&world.accept(2).await));
    assert!(world.close().contains(&event(1).event.id));
}

#[tokio::test]
async fn running_attempts_keep_their_leases() {
    for step in [Step::Apply, Step::Sync, Step::Synced] {
        let world = world();
        world.accept(1).await.unwrap();
        world.accept(2).await.unwrap();
        let claimed = world.claim().await.unwrap();
        assert_eq!(claimed.len(), 2);
        world.faults.add(step, Fault::Unavailable);
        assert!(is_unavailable(&world.record(&claimed[0]).await));
        let other = (claimed[1].id, claimed[1].lease().unwrap());
        let renewed = world.store.renew(&[other], Monotonic(2000)).await.unwrap();
        assert_eq!(renewed, [other], "they are renewed meanwhile");

        world.until_available().await;
        assert_eq!(world.rescue(999).await, [], "{step:?}");
        let again = world.record(&claimed[0]).await.unwrap();
        assert!(matches!(again, Recorded::Done | Recorded::Stale), "{again:?}");
        assert_eq!(world.store.run(claimed[0].id).await.unwrap().status(), RunStatus::Succeeded);
        assert_eq!(world.counted().await.unwrap(), b"1", "{step:?}: once, whatever was written");
        assert_eq!(world.rescue(1999).await, []);
        assert_eq!(world.rescue(2000).await.len(), 1, "nobody renews the other one");
        world.close();
    }
}

#[tokio::test]
async fn a_claim_that_nobody_was_told_of_is_no_attempt() {
    for step in [Step::Apply, Step::Sync, Step::Synced] {
        let world = world();
        world.accept(1).await.unwrap();
        world.faults.add(step, Fault::Unavailable);
        assert!(is_unavailable(&world.claim().await));
        world.until_available().await;
        let run = world.store.run(run_id(1)).await.unwrap();
        assert_eq!((run.status(), run.attempts_begun), (RunStatus::Pending, 0), "{step:?}");
        let claimed = world.claim().await.unwrap();
        assert_eq!((claimed.len(), claimed[0].attempts_begun), (1, 1));
        assert_eq!(world.record(&claimed[0]).await.unwrap(), Recorded::Done);
        world.close();
    }
}

#[tokio::test]
async fn versions_of_a_failed_group_are_not_given_again() {
    let world = world();
    world.accept(1).await.unwrap();
    let claimed = world.claim().await.unwrap();
    let before = world.store.counts().kv_writes;
    world.faults.add(Step::Apply, Fault::Unavailable);
    assert!(is_unavailable(&world.record(&claimed[0]).await));
    world.until_available().await;
    assert_eq!(world.counted().await, None);
    assert_eq!(world.store.counts().kv_writes, before + 1);
    assert_eq!(world.record(&claimed[0]).await.unwrap(), Recorded::Done);
    let entry = world.store.kv_get(&target().plugin, "counted", NOW).await.unwrap().unwrap();
    assert!(entry.version > before, "{} after {before}", entry.version);
    world.close();
}

#[tokio::test]
async fn a_snapshot_that_was_cut_off_is_no_damage() {
    let world = world();
    world.accept(1).await.unwrap();
    let draft = world.folder.path().join("snap.7FFFFFFFFFFFFFFF.generating");
    std::fs::write(&draft, b"a part").unwrap();
    assert_eq!(world.close(), [event(1).event.id]);
    assert!(!draft.exists());
}
