use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

type Taking = Pin<Box<dyn Future<Output = Slot>>>;

fn target(name: &str) -> HandlerRef {
    let (plugin, handler) = name.split_once('/').unwrap_or((name, "work"));
    HandlerRef { plugin: plugin.parse().unwrap(), handler: handler.parse().unwrap() }
}

fn taking(slots: &Slots, name: &str, siblings: Siblings) -> Taking {
    let (slots, target) = (slots.clone(), target(name));
    Box::pin(async move { slots.take(&target, siblings).await })
}

fn poll(taking: &mut Taking) -> Option<Slot> {
    match taking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(slot) => Some(slot),
        Poll::Pending => None,
    }
}

/// As many as it can have at once.
fn take_all(slots: &Slots, name: &str, siblings: Siblings) -> Vec<Slot> {
    std::iter::from_fn(|| poll(&mut taking(slots, name, siblings))).collect()
}

fn take(slots: &Slots, name: &str) -> Option<Slot> {
    poll(&mut taking(slots, name, Siblings::None))
}

#[test]
fn one_plugin_leaves_a_quarter_to_others() {
    let all = |slots| take_all(&Slots::new(slots), "busy", Siblings::None).len();
    assert_eq!([0, 1, 2, 3, 4, 5, 16].map(all), [1, 1, 1, 2, 3, 3, 12]);
}

#[test]
fn a_newcomer_finds_a_slot_beside_several_that_never_let_go() {
    for busy in 1..=8 {
        let slots = Slots::new(16);
        let names: Vec<_> = (0..busy).map(|n| format!("busy{n}")).collect();
        let mut held = Vec::new();
        loop {
            let more: Vec<_> = names.iter().filter_map(|name| take(&slots, name)).collect();
            if more.is_empty() {
                break;
            }
            held.extend(more);
        }
        assert!(held.len() >= 12, "{busy} take only {}", held.len());
        assert!(take(&slots, "good").is_some(), "beside {busy}");
    }
}

#[test]
fn beside_more_plugins_than_slots_everybody_has_a_turn() {
    let slots = Slots::new(16);
    let names: Vec<_> = (0..20).map(|n| format!("busy{n}")).collect();
    let mut held: VecDeque<_> = names.iter().filter_map(|name| take(&slots, name)).collect();
    assert_eq!(held.len(), 16);
    let mut queue: Vec<_> =
        names.iter().flat_map(|name| (0..50).map(|_| taking(&slots, name, Siblings::None))).collect();
    let mut good = taking(&slots, "good", Siblings::None);
    queue.iter_mut().for_each(|taking| assert!(poll(taking).is_none()));
    let mut ended = 0;
    while poll(&mut good).is_none() {
        drop(held.pop_front());
        ended += 1;
        let at = queue.iter_mut().position(|taking| poll(taking).map(|slot| held.push_back(slot)).is_some());
        at.into_iter().for_each(|at| drop(queue.remove(at)));
        assert!(ended <= 21, "the good one waits for more than a turn of each");
    }
}

#[test]
fn a_slot_that_is_given_back_goes_to_whoever_holds_the_fewest() {
    let slots = Slots::new(4);
    let mut many = take_all(&slots, "many", Siblings::None);
    let one = take(&slots, "one").unwrap();
    let (mut again, mut few) = (taking(&slots, "many", Siblings::None), taking(&slots, "few", Siblings::None));
    assert!(poll(&mut again).is_none() && poll(&mut few).is_none());
    many.pop();
    assert!(poll(&mut again).is_none());
    let _few = poll(&mut few).unwrap();
    drop(one);
    assert!(poll(&mut again).is_none(), "it has two, and the last is left");
}

#[test]
fn within_a_plugin_a_busy_handler_leaves_some_to_the_others() {
    let all = |slots| take_all(&Slots::new(slots), "plugin/busy", Siblings::Some).len();
    assert_eq!([1, 2, 3, 4, 5, 16].map(all), [1, 1, 1, 2, 2, 9]);
    let slots = Slots::new(16);
    let _busy = take_all(&slots, "plugin/busy", Siblings::Some);
    let _slow = take_all(&slots, "plugin/slow", Siblings::Some);
    assert!(poll(&mut taking(&slots, "plugin/calm", Siblings::Some)).is_some());
    assert!(take(&slots, "other").is_some());
}

#[test]
fn the_handler_that_holds_the_fewest_is_next_however_many_wait_before_it() {
    let slots = Slots::new(1);
    let first = take(&slots, "plugin/busy").unwrap();
    let mut busy: Vec<_> = (0..50).map(|_| taking(&slots, "plugin/busy", Siblings::Some)).collect();
    assert!(busy.iter_mut().all(|taking| poll(taking).is_none()));
    let mut calm = taking(&slots, "plugin/calm", Siblings::Some);
    assert!(poll(&mut calm).is_none());
    drop(first);
    let second = poll(&mut busy[0]).unwrap();
    drop(second);
    assert!(poll(&mut busy[1]).is_none());
    assert!(poll(&mut calm).is_some());
}

#[test]
fn who_gives_up_takes_no_slot_and_holds_nobody_back() {
    let slots = Slots::new(1);
    let held = take(&slots, "a").unwrap();
    let mut gone = taking(&slots, "b", Siblings::None);
    let mut given = taking(&slots, "c", Siblings::None);
    let mut last = taking(&slots, "d", Siblings::None);
    assert!(poll(&mut gone).is_none() && poll(&mut given).is_none() && poll(&mut last).is_none());
    drop(gone);
    drop(held);
    // It was given to `c`, which is gone before it looks.
    drop(given);
    let slot = poll(&mut last).unwrap();
    drop(slot);
    let shared = slots.locked();
    assert_eq!((shared.free, shared.plugins.len()), (1, 0));
}
