//! Looking for runs by what they say, and the searches that are kept.

use hookbox_core::attempt::{Attempt, Outcome, Output};
use hookbox_core::id::RunId;
use hookbox_core::name::ProviderName;
use hookbox_core::plugin::Digest;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{RunEvent, RunStatus};
use hookbox_store::StoreError;
use hookbox_store::types::{Excluded, Order, PageRequest, RunFilter, Search};

use crate::world::{World, attempt, bytes, ended, event, failed, job, later, plugin_name};

conformance! {
    runs_are_found_by_what_they_say,
    a_search_that_reads_much_goes_on_where_it_stopped,
    of_several_texts_or_states_any_may_be_so,
    the_oldest_come_first_where_that_is_asked_for,
    searches_are_kept_by_their_names,
    no_more_searches_are_kept_than_are_shown,
}

/// One that has returned these bytes, on a version whose digest begins with `ab`.
async fn returned(world: &World, payload: &[u8], data: &[u8]) -> RunId {
    let mut new = event(&["a/work"]);
    new.event.data = payload.to_vec();
    world.accept_new(new).await;
    let run = world.claim_some(&["a/work"], 1, crate::world::NOW).await.remove(0);
    let output = Output { content_type: "text/plain".to_owned(), data: data.to_vec() };
    let done = Attempt {
        outcome: Outcome::Completed { output: Some(output) },
        version: Some(Digest([0xab; 32])),
        ..attempt(&run)
    };
    world.record(ended(&run, RunEvent::Succeeded { attempt: done }, None)).await.unwrap();
    run.id
}

async fn found(world: &World, filter: &RunFilter) -> Vec<RunId> {
    let (mut before, mut all) = (None, Vec::new());
    loop {
        let page = world.runs(PageRequest { before, limit: 10 }, filter.clone()).await.unwrap();
        all.extend(page.runs.iter().map(|run| run.id));
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

async fn runs_are_found_by_what_they_say(world: &mut World) {
    let short = returned(world, b"{\"name\":\"Ada\"}", b"Hello, Ada").await;
    // Its detail is kept apart, and so is its payload.
    let long = [bytes(9000, 1), b"needle".to_vec()].concat();
    let long = returned(world, &long, &long).await;
    let asked = world.enqueue(job("b/work")).await.unwrap();
    let run = world.claim_some(&["b/work"], 1, crate::world::NOW).await.remove(0);
    let event = RunEvent::FailedForGood { attempt: failed(&run), cause: DeadCause::Permanent };
    world.record(ended(&run, event, None)).await.unwrap();
    world.pause();
    let (any, none) = (RunFilter::default(), Excluded::default());
    let not = |not: Excluded| RunFilter { not, ..RunFilter::default() };
    let text = |text: &str| vec![text.to_owned()];
    let shop = || vec![ProviderName::parse("shop").unwrap()];
    for (filter, expected) in [
        (RunFilter { result: text("hello, ADA"), ..any.clone() }, vec![short]),
        (RunFilter { result: text("needle"), ..any.clone() }, vec![long]),
        (RunFilter { payload: text("NEEDLE"), ..any.clone() }, vec![long]),
        (RunFilter { payload: text("\"ada\""), ..any.clone() }, vec![short]),
        (RunFilter { payload: text("nobody says this"), ..any.clone() }, vec![]),
        (RunFilter { version: text("sha256:abab"), ..any.clone() }, vec![long, short]),
        (RunFilter { version: text("abab"), ..any.clone() }, vec![long, short]),
        (RunFilter { version: text("ac"), ..any.clone() }, vec![]),
        (RunFilter { provider: shop(), ..any.clone() }, vec![long, short]),
        (RunFilter { provider: vec![ProviderName::parse("bank").unwrap()], ..any.clone() }, vec![]),
        (not(Excluded { provider: shop(), ..none.clone() }), vec![asked]),
        (not(Excluded { result: text("needle"), ..none.clone() }), vec![asked, short]),
        (not(Excluded { payload: text("needle"), ..none.clone() }), vec![asked, short]),
        (not(Excluded { error: text("unreach"), ..none.clone() }), vec![long, short]),
        (not(Excluded { version: text("ab"), ..none.clone() }), vec![asked]),
        (not(Excluded { status: vec![RunStatus::Succeeded], ..none.clone() }), vec![asked]),
        (not(Excluded { plugin: vec![plugin_name("a")], ..none.clone() }), vec![asked]),
        (not(Excluded { plugin: vec![plugin_name("a")], error: text("unreach"), ..none.clone() }), vec![]),
        (RunFilter { result: text("hello"), ..not(Excluded { payload: text("ada"), ..none.clone() }) }, vec![]),
    ] {
        let mut expected = expected;
        expected.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(found(world, &filter).await, expected, "{filter:?}");
    }
}

async fn a_search_that_reads_much_goes_on_where_it_stopped(world: &mut World) {
    let oldest = returned(world, b"needle", b"").await;
    for _ in 0..40 {
        returned(world, &bytes(100_000, 1), b"").await;
    }
    world.pause();
    let filter = RunFilter { payload: vec!["needle".to_owned()], ..RunFilter::default() };
    let first = world.runs(PageRequest { before: None, limit: 10 }, filter.clone()).await.unwrap();
    assert!(first.runs.is_empty() && first.next.is_some_and(|next| next > oldest), "{:?}", first.next);
    assert_eq!(found(world, &filter).await, [oldest]);
}

async fn of_several_texts_or_states_any_may_be_so(world: &mut World) {
    let ada = returned(world, b"ada", b"hello").await;
    let bob = returned(world, b"bob", b"hello").await;
    let eve = returned(world, b"eve", b"goodbye").await;
    let waiting = world.enqueue(job("b/work")).await.unwrap();
    world.pause();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let any = RunFilter::default();
    let not = |not: Excluded| RunFilter { not, ..RunFilter::default() };
    let both = [RunStatus::Pending, RunStatus::Succeeded].to_vec();
    for (filter, mut expected) in [
        (RunFilter { payload: texts(&["ada", "eve", "nobody"]), ..any.clone() }, vec![ada, eve]),
        (RunFilter { payload: texts(&["ada", "eve"]), result: texts(&["hello"]), ..any.clone() }, vec![ada]),
        (RunFilter { status: both.clone(), ..any.clone() }, vec![ada, bob, eve, waiting]),
        (RunFilter { status: vec![RunStatus::Dead, RunStatus::Cancelled], ..any.clone() }, vec![]),
        (RunFilter { plugin: vec![plugin_name("a"), plugin_name("c")], ..any.clone() }, vec![ada, bob, eve]),
        (not(Excluded { payload: texts(&["ada", "eve"]), ..Excluded::default() }), vec![bob, waiting]),
        (not(Excluded { status: both, ..Excluded::default() }), vec![]),
    ] {
        expected.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(found(world, &filter).await, expected, "{filter:?}");
    }
}

async fn the_oldest_come_first_where_that_is_asked_for(world: &mut World) {
    let mut made = Vec::new();
    for number in 0..7 {
        let new = crate::world::event_at(later(number * 10), &["a/work"]);
        made.push(new.runs[0].id);
        world.accept_new(new).await;
    }
    // Some have ended, and lie elsewhere.
    for run in world.claim_some(&["a/work"], 3, later(100)).await {
        world.record(crate::world::success(&run, None)).await.unwrap();
    }
    world.pause();
    let oldest = RunFilter { order: Order::OldestFirst, ..RunFilter::default() };
    assert_eq!(found(world, &oldest).await, made);
    let mut walked = Vec::new();
    let mut before = None;
    loop {
        let page = world.runs(PageRequest { before, limit: 2 }, oldest.clone()).await.unwrap();
        walked.extend(page.runs.iter().map(|run| run.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(walked, made);
    let within = RunFilter { since: Some(later(20)), until: Some(later(50)), ..oldest };
    assert_eq!(found(world, &within).await, made[2..5]);
    let never = RunFilter { since: Some(later(50)), until: Some(later(20)), ..within };
    assert_eq!(found(world, &never).await, []);
}

fn search(name: &str, query: &str) -> Search {
    Search { name: name.to_owned(), query: query.to_owned() }
}

async fn searches_are_kept_by_their_names(world: &mut World) {
    world.keep_search(search("failed payments", "state=dead")).await.unwrap();
    world.keep_search(search("a", "error=timeout")).await.unwrap();
    world.keep_search(search("failed payments", "state=dead&plugin=payments")).await.unwrap();
    world.pause();
    let kept = [search("a", "error=timeout"), search("failed payments", "state=dead&plugin=payments")];
    assert_eq!(world.searches().await.unwrap(), kept);
    assert!(world.drop_search("a").await.unwrap());
    assert!(!world.drop_search("a").await.unwrap());
    world.pause();
    assert_eq!(world.searches().await.unwrap(), kept[1..]);
}

async fn no_more_searches_are_kept_than_are_shown(world: &mut World) {
    for number in 0..100 {
        world.keep_search(search(&format!("search {number}"), "")).await.unwrap();
    }
    let refused = world.keep_search(search("one more", "")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    world.keep_search(search("search 7", "state=dead")).await.unwrap();
    assert_eq!(world.searches().await.unwrap().len(), 100);
}
