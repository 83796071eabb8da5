use hookbox_core::gate::Gate;
use hookbox_core::id::{EventId, JobId};
use hookbox_core::run::{Lease, RunPolicy, Work};

use super::*;

fn handler(name: &str) -> HandlerRef {
    format!("p/{name}").parse().unwrap()
}

fn id(n: u128) -> RunId {
    RunId::new(Timestamp(1), n)
}

fn run(n: u128, target: &str, state: RunState) -> Run {
    Run {
        id: id(n),
        target: handler(target),
        work: Work::Event(EventId::new(Timestamp(1), n)),
        parent: None,
        idempotency_key: String::new(),
        created: Timestamp(1),
        hops: 0,
        gate: None,
        sequence: u64::try_from(n).unwrap(),
        expires: None,
        unique: None,
        own: RunPolicy::default(),
        replayed: None,
        schedule: None,
        made_by: None,
        state,
        attempts_begun: 0,
        drains: 0,
        attempts: vec![],
        revoked: vec![],
    }
}

fn pending(n: u128, target: &str, due: u64) -> Run {
    run(n, target, RunState::Pending { due: Timestamp(due) })
}

fn lease(boot: u64) -> Lease {
    Lease { boot: BootId(boot), attempt: 1, drains: 0, at: Timestamp(1) }
}

fn leased(run: &Run, boot: u64) -> Run {
    Run { state: RunState::Leased { lease: lease(boot) }, attempts_begun: 1, ..run.clone() }
}

fn ended(run: &Run) -> Run {
    Run { state: RunState::Succeeded { at: Timestamp(1) }, ..run.clone() }
}

fn keyed(run: Run, order: Order) -> Run {
    Run { gate: Some(Gate::new("customer", order)), ..run }
}

fn of_job(run: Run) -> Run {
    Run { work: Work::Job(JobId::new(Timestamp(1), 7)), ..run }
}

fn put(index: &mut Index, run: &Run) -> bool {
    index.apply(Delta::of(run, waits_of(index, run.id), Monotonic(1000)))
}

/// How a run waits that is pending, as its row would tell.
fn waits_of(index: &Index, run: RunId) -> Option<Waits> {
    let waits = |due: Timestamp, place: Timestamp, run: RunId| (run, Waits { due, place });
    let open = index.queues.iter().flat_map(|queue| &queue.open).map(|due| waits(due.at, due.at, due.run()));
    let lanes = || index.gates.gated.values().flat_map(|gated| gated.lanes());
    let by_due = lanes().flat_map(|lane| &lane.by_due).map(|(due, run)| waits(*due, *due, *run));
    let in_order = lanes().flat_map(|lane| &lane.in_order);
    let in_order = in_order.map(|one| waits(one.due, one.place, one.run));
    in_order.chain(open).chain(by_due).find(|(other, _)| *other == run).map(|(_, waits)| waits)
}

fn claimable(name: &str) -> Claimable {
    Claimable { at_most: usize::MAX, ..Claimable::new(handler(name)) }
}

fn taking(kind: WorkKind) -> [Claimable; 1] {
    [Claimable { takes: Some(kind), ..claimable("a") }]
}

fn claim(handlers: &[Claimable], now: u64, limit: usize) -> Claim {
    let (now, until) = (Timestamp(now), Monotonic(1));
    Claim { handlers: handlers.into(), limit, per_plugin_max: usize::MAX, boot: BootId(1), now, until }
}

fn due(index: &mut Index, handlers: &[Claimable], now: u64, limit: usize) -> Vec<RunId> {
    index.due(&claim(handlers, now, limit), &HashSet::new(), &HashMap::new())
}

#[test]
fn handlers_take_turns() {
    let mut index = Index::default();
    for n in 0..10 {
        put(&mut index, &pending(n, "busy", 1));
    }
    put(&mut index, &pending(10, "calm", 1));
    let found = due(&mut index, &[claimable("busy"), claimable("calm")], 5, 5);
    assert_eq!(found.len(), 5);
    assert!(found.contains(&id(10)));
}

#[test]
fn a_weight_is_a_longer_turn_and_not_the_only_one() {
    let mut index = Index::default();
    for n in 0..40 {
        put(&mut index, &pending(n, if n % 2 == 0 { "high" } else { "low" }, 1));
    }
    let handlers = [Claimable { weight: 4, ..claimable("high") }, Claimable { weight: 1, ..claimable("low") }];
    let found = due(&mut index, &handlers, 5, 10);
    let high = found.iter().filter(|found| (0..40).step_by(2).any(|n| id(n) == **found)).count();
    assert_eq!((high, found.len()), (8, 10));
}

#[test]
fn only_what_is_due_and_can_run_is_found() {
    let mut index = Index::default();
    put(&mut index, &pending(1, "a", 10));
    put(&mut index, &pending(2, "gone", 1));
    assert_eq!(due(&mut index, &[claimable("a")], 9, 10), []);
    assert_eq!(index.next_due(&[claimable("a")]), Some(Timestamp(10)));
    assert_eq!(due(&mut index, &[claimable("a")], 10, 10), [id(1)]);
}

#[test]
fn a_lease_is_lost_by_another_boot_or_by_time() {
    let mut index = Index::default();
    for (n, boot, until) in [(1, 1, 100), (2, 2, 100), (3, 2, 10)] {
        index.apply(Delta::of(&leased(&pending(n, "a", 1), boot), None, Monotonic(until)));
    }
    assert_eq!(index.lost(BootId(2), Monotonic(50), 10), [id(1), id(3)]);
    assert!(!index.renew(id(3), Lease { attempt: 2, ..lease(2) }, Monotonic(90)));
    assert!(index.renew(id(3), lease(2), Monotonic(90)));
    assert_eq!(index.lost(BootId(2), Monotonic(50), 10), [id(1)]);
    put(&mut index, &ended(&pending(1, "a", 1)));
    assert_eq!((index.leased_count(), index.pending_count()), (2, 0));
}

#[test]
fn a_handler_has_as_many_leases_as_it_may_have_and_wakes_whoever_waits_for_one() {
    let mut index = Index::default();
    let (one, two) = (pending(1, "a", 1), pending(2, "a", 1));
    put(&mut index, &one);
    put(&mut index, &two);
    let single = [Claimable { concurrency: Some(1), ..claimable("a") }];
    assert_eq!(due(&mut index, &single, 5, 10), [id(1)]);
    put(&mut index, &leased(&one, 1));
    assert_eq!(index.next_due(&single), None);
    assert_eq!(due(&mut index, &single, 5, 10), []);
    assert!(put(&mut index, &ended(&one)));
    assert_eq!(due(&mut index, &single, 5, 10), [id(2)]);
    let others = HashMap::from([(&single[0].handler, 1)]);
    assert_eq!(index.due(&claim(&single, 5, 10), &HashSet::new(), &others), []);
}

#[test]
fn events_and_jobs_of_one_handler_wait_apart_and_have_its_leases_together() {
    let mut index = Index::default();
    let (one, two) = (pending(1, "a", 3), of_job(pending(2, "a", 1)));
    let keyed = [keyed(pending(3, "a", 9), Order::Accepted), of_job(keyed(pending(4, "a", 9), Order::Accepted))];
    for run in keyed.iter().chain([&one, &two]) {
        put(&mut index, run);
    }
    let (events, jobs) = (taking(WorkKind::Event), taking(WorkKind::Job));
    assert_eq!(due(&mut index, &events, 9, 10), [id(1), id(3)]);
    assert_eq!(due(&mut index, &jobs, 9, 10), [id(2), id(4)], "the event with the same key does not keep it waiting");
    assert_eq!(due(&mut index, &[claimable("a")], 9, 2), [id(2), id(1)]);
    assert_eq!((index.next_due(&events), index.next_due(&jobs)), (Some(Timestamp(3)), Some(Timestamp(1))));
    assert_eq!((index.pending_of(&handler("a")), index.waiting().len()), (4, 2));
    assert_eq!(index.open_of(&handler("a"), Some(WorkKind::Job), 9), [id(2), id(4)]);
    assert_eq!(index.open_of(&handler("a"), None, 9).len(), 4);

    // An attempt of the old kind counts, too.
    put(&mut index, &leased(&one, 1));
    let single = [Claimable { concurrency: Some(1), ..jobs[0].clone() }];
    assert_eq!((due(&mut index, &single, 9, 10), index.next_due(&single)), (vec![], None));
    assert!(put(&mut index, &ended(&one)), "whoever waits is told");
    assert_eq!(due(&mut index, &single, 9, 10), [id(2)]);
}

#[test]
fn an_event_and_a_job_with_one_key_are_executed_one_at_a_time() {
    for order in [Order::Accepted, Order::Due] {
        let mut index = Index::default();
        let event = keyed(pending(1, "a", 3), order);
        let job = of_job(keyed(pending(2, "a", 1), order));
        let (events, jobs, both) = (taking(WorkKind::Event), taking(WorkKind::Job), [claimable("a")]);
        put(&mut index, &event);
        put(&mut index, &job);
        for (first, later, of_later) in [(&event, &job, &jobs), (&job, &event, &events)] {
            put(&mut index, &leased(first, 1));
            assert_eq!((due(&mut index, of_later, 9, 10), index.next_due(of_later)), (vec![], None), "{order:?}");
            // It waits for its next attempt: as long as it is not executed, the other may be.
            let again = Run { state: RunState::Pending { due: Timestamp(50) }, attempts_begun: 1, ..first.clone() };
            assert!(put(&mut index, &again), "whoever waits is told");
            assert_eq!(due(&mut index, of_later, 9, 10), [later.id], "{order:?}");
            put(&mut index, first);
        }

        // Both may begin, and one only does: in one claim, in two of one group, and where the other is gone.
        assert_eq!(due(&mut index, &both, 9, 10), [job.id], "{order:?}");
        let moved = HashSet::from([event.id]);
        assert_eq!(index.due(&claim(&jobs, 9, 10), &moved, &HashMap::new()), [], "{order:?}");
        assert!(put(&mut index, &ended(&event)), "whoever was passed over is told");
        assert_eq!(due(&mut index, &both, 9, 10), [job.id], "{order:?}");
        put(&mut index, &leased(&job, 1));
        put(&mut index, &ended(&job));
        assert!(index.gates.is_empty() && index.queues.iter().all(|queue| queue.open.is_empty()));
    }
}

#[test]
fn runs_with_a_key_are_handed_out_one_at_a_time() {
    let mut index = Index::default();
    let runs: Vec<Run> = (1..=3).map(|n| keyed(pending(n, "a", 1), Order::Due)).collect();
    runs.iter().for_each(|run| _ = put(&mut index, run));
    put(&mut index, &pending(9, "a", 1));
    let all = [claimable("a")];
    assert_eq!(due(&mut index, &all, 5, 10), [id(1), id(9)]);
    put(&mut index, &leased(&runs[0], 1));
    assert_eq!(due(&mut index, &all, 5, 10), [id(9)]);
    // It waits for its next attempt: another goes on.
    assert!(put(&mut index, &Run { state: RunState::Pending { due: Timestamp(50) }, ..runs[0].clone() }));
    assert_eq!(due(&mut index, &all, 5, 10), [id(2), id(9)]);
}

#[test]
fn in_order_later_runs_wait_for_the_next_attempt_of_an_earlier_one() {
    let mut index = Index::default();
    let runs: Vec<Run> = (1..=3).map(|n| keyed(pending(n, "a", 10), Order::Accepted)).collect();
    runs.iter().rev().for_each(|run| _ = put(&mut index, run));
    let all = [claimable("a")];
    assert_eq!(due(&mut index, &all, 20, 10), [id(1)]);
    put(&mut index, &leased(&runs[0], 1));
    assert_eq!(index.next_due(&all), None);
    let again = Run { state: RunState::Pending { due: Timestamp(50) }, attempts_begun: 1, ..runs[0].clone() };
    put(&mut index, &again);
    assert_eq!(due(&mut index, &all, 20, 10), []);
    assert_eq!(index.next_due(&all), Some(Timestamp(50)));
    assert!(put(&mut index, &ended(&again)));
    assert_eq!(due(&mut index, &all, 20, 10), [id(2)]);
    put(&mut index, &ended(&runs[1]));
    put(&mut index, &ended(&runs[2]));
    assert!(index.gates.is_empty() && index.queues[0].open.is_empty());
}

#[test]
fn in_order_one_that_was_put_off_keeps_nobody_waiting_before_its_time() {
    let mut index = Index::default();
    let tomorrow = keyed(pending(1, "a", 100), Order::Accepted);
    let today: Vec<Run> = (2..=3).map(|n| keyed(pending(n, "a", 10), Order::Accepted)).collect();
    let all = [claimable("a")];
    put(&mut index, &tomorrow);
    today.iter().rev().for_each(|run| _ = put(&mut index, run));
    assert_eq!(index.next_due(&all), Some(Timestamp(10)));
    assert_eq!(due(&mut index, &all, 200, 10), [id(2)]);
    put(&mut index, &leased(&today[0], 1));
    // It backs off beyond the time of the one that was put off: it was the first, and is.
    let again = Run { state: RunState::Pending { due: Timestamp(150) }, attempts_begun: 1, ..today[0].clone() };
    put(&mut index, &again);
    assert_eq!((due(&mut index, &all, 140, 10), index.next_due(&all)), (vec![], Some(Timestamp(150))));
    // Put back by a host that stopped: nothing was counted, and it has begun all the same.
    put(&mut index, &leased(&again, 1));
    let back = Run { state: RunState::Pending { due: Timestamp(160) }, attempts_begun: 0, drains: 1, ..again };
    put(&mut index, &back);
    assert_eq!(due(&mut index, &all, 160, 10), [id(2)]);
    put(&mut index, &ended(&back));
    assert_eq!(due(&mut index, &all, 160, 10), [id(3)]);
    put(&mut index, &ended(&today[1]));
    assert_eq!(due(&mut index, &all, 99, 10), []);
    assert_eq!(due(&mut index, &all, 160, 10), [id(1)]);
}

#[test]
fn what_was_not_begun_in_time_is_found() {
    let mut index = Index::default();
    let late = Run { expires: Some(Timestamp(7)), ..keyed(pending(1, "a", 1), Order::Accepted) };
    put(&mut index, &late);
    assert_eq!(index.expired(Timestamp(6), 10), []);
    assert_eq!(index.expired(Timestamp(7), 10), [id(1)]);
    put(&mut index, &ended(&late));
    assert_eq!(index.expired(Timestamp(7), 10), []);
}

#[test]
fn an_index_that_is_loaded_is_as_one_that_grew() {
    let waiting = |handler, due| WaitingForTime { plugin: "p", handler, kind: WorkKind::Event, due };
    let runs = [
        pending(1, "a", 9),
        pending(2, "b", 1),
        pending(3, "a", 4),
        keyed(pending(4, "a", 2), Order::Due),
        keyed(pending(5, "a", 1), Order::Due),
        Run { expires: Some(Timestamp(7)), ..pending(6, "b", 3) },
        leased(&pending(7, "b", 1), 1),
    ];
    let (mut grown, mut loading) = (Index::default(), Loading::default());
    for run in &runs {
        grown.apply(Delta::of(run, None, Monotonic(0)));
        match (&run.state, run.target.handler.as_str()) {
            (RunState::Pending { due }, name) if run.gate.is_none() && run.expires.is_none() => {
                assert!(loading.put_waiting(run.id, waiting(name, *due)));
            }
            _ => loading.put(run),
        }
    }
    assert!(!loading.put_waiting(id(8), waiting("No Name", Timestamp(1))));
    assert_eq!(format!("{:?}", loading.done().queues), format!("{:?}", grown.queues));
    let mut loading = Loading::default();
    runs.iter().for_each(|run| loading.put(run));
    let mut loaded = loading.done();
    assert_eq!(format!("{:?}", loaded.queues), format!("{:?}", grown.queues));
    assert_eq!((loaded.pending_count(), loaded.leased_count()), (6, 1));
    let all = [claimable("a"), claimable("b")];
    assert_eq!(due(&mut loaded, &all, 9, 10), due(&mut grown, &all, 9, 10));
}
