//! What a store does whose disk is slow or broken.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, RwLock};
use std::task::{Context, Poll, Waker};

use hookbox_core::event::Source;
use hookbox_core::name::ProviderName;
use tokio::sync::mpsc;

use hookbox_core::policy::Terms;

use super::*;
use crate::keys;
use crate::overlay::{Order, Read, Visit};

const NOW: Timestamp = Timestamp(1_750_000_000_000);

/// Applies what it is told, and then does as its test says.
struct Disk {
    tree: Arc<Rows>,
    /// Keys that the last group wrote or removed, without the counters.
    written: Mutex<usize>,
    state: State,
    queue: mpsc::Sender<Change>,
}

#[derive(Default)]
struct Rows(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Read for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.read().unwrap().get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let rows = self.0.read().unwrap();
        let mut found: Vec<_> = rows.range(from.to_vec()..to.to_vec()).collect();
        if order == Order::Descending {
            found.reverse();
        }
        for (key, value) in found {
            if visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Backend for Disk {
    fn tree(&self) -> Result<Arc<dyn Read>, StoreError> {
        Ok(self.tree.clone())
    }

    fn state(&self) -> &State {
        &self.state
    }

    async fn submit(&self, change: Change) -> Result<(), StoreError> {
        self.queue.send(change).await.map_err(|_| StoreError::Unavailable("gone".to_owned()))
    }
}

type Queue = mpsc::Receiver<Change>;

fn store() -> (Ledgered<Disk>, Queue) {
    let tree = Arc::new(Rows::default());
    let state = State::load(&*tree).unwrap();
    let (queue, changes) = mpsc::channel(16);
    (Ledgered::over(Arc::new(Disk { tree, written: Mutex::default(), state, queue })), changes)
}

/// Runs what is queued as one group; `sync` is called when its rows are in the tree.
fn run_group(store: &Ledgered<Disk>, changes: &mut Queue, sync: impl FnOnce() -> Result<(), StoreError>) -> Grouped {
    let disk = store.backend();
    disk.state.run_group(
        &*disk.tree,
        |_| changes.try_recv().ok(),
        |changed| {
            *locked(&disk.written) = changed.keys().filter(|key| *key != keys::COUNTS).count();
            for (key, value) in changed {
                let mut rows = disk.tree.0.write().unwrap();
                match value {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(&key),
                };
            }
            sync()
        },
    )
}

fn poll<T>(future: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn event(number: u128) -> NewEvent {
    NewEvent {
        event: Event {
            id: EventId::new(NOW, number),
            source: Source::Provider(ProviderName::parse("shop").unwrap()),
            namespace: "shop".to_owned(),
            event_type: "x".to_owned(),
            subject: None,
            time: NOW,
            content_type: "text/plain".to_owned(),
            data: vec![],
            attributes: vec![],
            hops: 0,
        },
        dedupe: vec![],
        fingerprint: [0; 16],
        runs: vec![],
    }
}

#[test]
fn nothing_is_answered_before_the_sync() {
    let (store, mut changes) = store();
    let id = EventId::new(NOW, 1);
    let mut accept = pin!(store.accept(event(1)));
    assert!(poll(accept.as_mut()).is_pending());
    let mut read = pin!(store.event(id));
    let mut early = None;
    run_group(&store, &mut changes, || {
        assert!(poll(accept.as_mut()).is_pending());
        // The row is in the tree, and the reader waits all the same.
        assert!(store.backend().tree.get(&keys::event(id))?.is_some());
        early = Some(poll(read.as_mut()));
        assert_eq!(store.counts().events, 0);
        Ok(())
    });
    assert!(early.unwrap().is_pending());
    assert!(matches!(poll(read.as_mut()), Poll::Ready(Ok(_))));
    assert!(matches!(poll(accept.as_mut()), Poll::Ready(Ok(Accepted::New(_)))));
    assert_eq!(store.counts().events, 1);
}

#[test]
fn a_reader_waits_for_nothing_while_nothing_is_written() {
    let (store, mut changes) = store();
    assert!(matches!(
        poll(pin!(store.event(EventId::new(NOW, 1))).as_mut()),
        Poll::Ready(Err(StoreError::NotFound(_)))
    ));
    let mut accept = pin!(store.accept(event(1)));
    assert!(poll(accept.as_mut()).is_pending());
    run_group(&store, &mut changes, || Ok(()));
    assert!(matches!(poll(pin!(store.event(EventId::new(NOW, 1))).as_mut()), Poll::Ready(Ok(_))));
}

#[test]
fn after_a_failed_sync_nothing_is_taken_or_shown() {
    let (store, mut changes) = store();
    let mut first = pin!(store.accept(event(1)));
    let mut second = pin!(store.accept(event(2)));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    run_group(&store, &mut changes, || Err(StoreError::Unavailable("the disk is full".to_owned())));
    for accept in [first, second] {
        let mut accept = accept;
        assert!(matches!(poll(accept.as_mut()), Poll::Ready(Err(StoreError::Unavailable(_)))));
    }
    assert!(store.failure().unwrap().contains("the disk is full"));
    assert_eq!(store.counts().events, 0);

    let mut later = pin!(store.accept(event(3)));
    let Poll::Ready(Err(error)) = poll(later.as_mut()) else { panic!("it is refused at once") };
    assert!(error.to_string().contains("the disk is full"));
    let read = poll(pin!(store.event(EventId::new(NOW, 1))).as_mut());
    assert!(matches!(read, Poll::Ready(Err(StoreError::Unavailable(_)))));
}

#[test]
fn a_change_that_is_queued_when_the_disk_fails_is_refused() {
    let (store, mut changes) = store();
    let mut first = pin!(store.accept(event(1)));
    assert!(poll(first.as_mut()).is_pending());
    run_group(&store, &mut changes, || Err(StoreError::Unavailable("the disk is full".to_owned())));
    store.backend().state.recovered();
    let mut queued = pin!(store.accept(event(2)));
    assert!(poll(queued.as_mut()).is_pending());
    store.backend().state.fail(&StoreError::Unavailable("again".to_owned()));
    assert_eq!(run_group(&store, &mut changes, || panic!("nothing is written")), Grouped::Failed);
    let Poll::Ready(Err(error)) = poll(queued.as_mut()) else { panic!("it is refused") };
    assert!(error.to_string().contains("again"));
}

#[test]
fn what_a_failed_group_showed_is_not_told_once_the_store_is_back() {
    let (store, mut changes) = store();
    let mut accept = pin!(store.accept(event(1)));
    assert!(poll(accept.as_mut()).is_pending());
    let mut read = pin!(store.event(EventId::new(NOW, 1)));
    run_group(&store, &mut changes, || {
        assert!(poll(read.as_mut()).is_pending());
        Err(StoreError::Unavailable("the disk is full".to_owned()))
    });
    store.backend().state.recovered();
    assert!(store.failure().is_none());
    assert!(matches!(poll(read.as_mut()), Poll::Ready(Err(StoreError::Unavailable(_)))));
}

#[test]
fn a_claim_hands_out_nothing_of_its_own_group() {
    let (store, mut changes) = store();
    let target: HandlerRef = HandlerRef {
        plugin: PluginName::parse("a").unwrap(),
        handler: hookbox_core::name::HandlerName::parse("on-event").unwrap(),
    };
    let run =
        NewRun { id: RunId::new(NOW, 9), target: target.clone(), dead: None, made_by: None, terms: Terms::default() };
    let mut accept = pin!(store.accept(NewEvent { runs: vec![run], ..event(1) }));
    let claim = || Claim {
        handlers: [Claimable::new(target.clone())].into(),
        limit: 9,
        per_plugin_max: usize::MAX,
        boot: BootId(1),
        now: NOW,
        until: Monotonic(1),
    };
    let mut early = pin!(store.claim(claim()));
    assert!(poll(accept.as_mut()).is_pending() && poll(early.as_mut()).is_pending());
    run_group(&store, &mut changes, || Ok(()));
    let Poll::Ready(Ok(none)) = poll(early.as_mut()) else { panic!("it is answered") };
    assert_eq!(none, []);
    let mut late = pin!(store.claim(claim()));
    assert!(poll(late.as_mut()).is_pending());
    run_group(&store, &mut changes, || Ok(()));
    let Poll::Ready(Ok(claimed)) = poll(late.as_mut()) else { panic!("it is answered") };
    assert_eq!(claimed.len(), 1);
}

/// What a small event with one handler costs: three keys to accept, one to claim, two to record.
#[test]
fn an_event_costs_six_keys() {
    let (store, mut changes) = store();
    let target = HandlerRef {
        plugin: PluginName::parse("a").unwrap(),
        handler: hookbox_core::name::HandlerName::parse("on-event").unwrap(),
    };
    let run =
        NewRun { id: RunId::new(NOW, 9), target: target.clone(), dead: None, made_by: None, terms: Terms::default() };
    let mark = crate::types::DedupeMark { hash: [1; 32], until: Timestamp(u64::MAX) };
    let mut accept = pin!(store.accept(NewEvent { runs: vec![run], dedupe: vec![mark], ..event(1) }));
    assert!(poll(accept.as_mut()).is_pending());
    run_group(&store, &mut changes, || Ok(()));
    assert_eq!(*locked(&store.backend().written), 3);

    let handlers = [Claimable::new(target)].into();
    let mut claim = pin!(store.claim(Claim {
        handlers,
        limit: 9,
        per_plugin_max: usize::MAX,
        boot: BootId(1),
        now: NOW,
        until: Monotonic(1)
    }));
    assert!(poll(claim.as_mut()).is_pending());
    run_group(&store, &mut changes, || Ok(()));
    assert_eq!(*locked(&store.backend().written), 1);
    let Poll::Ready(Ok(claimed)) = poll(claim.as_mut()) else { panic!("it is answered") };

    let (run, lease) = (claimed[0].id, claimed[0].lease().unwrap());
    let attempt = hookbox_core::attempt::Attempt {
        number: 1,
        started: NOW,
        finished: NOW,
        outcome: hookbox_core::attempt::Outcome::Completed { output: None },
        log: Default::default(),
        cost: Default::default(),
        requests: Default::default(),
        denied: Vec::new(),
        version: None,
    };
    let event = hookbox_core::run::RunEvent::Succeeded { attempt };
    let mut record = pin!(store.record(Record { run, lease, event, changes: None, now: NOW }));
    assert!(poll(record.as_mut()).is_pending());
    run_group(&store, &mut changes, || Ok(()));
    assert_eq!(*locked(&store.backend().written), 2);
}
