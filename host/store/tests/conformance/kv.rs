//! The plugins' own keys.

use hookbox_core::effects::{KvScan, KvWrite};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::{Changes, KvPage, Recorded, Retention};
use tokio::task::JoinSet;

use crate::world::{NOW, World, add, bytes, changes, delete, later, plugin_name, read, set, success, writes};

conformance! {
    a_key_reads_back,
    the_version_of_a_key_grows,
    a_key_is_of_one_plugin,
    a_deleted_key_is_gone,
    a_read_that_still_holds_is_no_conflict,
    a_read_that_was_overtaken_is_a_conflict,
    a_missing_key_that_came_is_a_conflict,
    a_key_that_was_written_anew_has_another_version,
    a_listing_that_still_holds_is_no_conflict,
    a_listing_that_was_overtaken_is_a_conflict,
    additions_merge,
    an_addition_to_what_is_no_number_is_refused,
    a_key_expires,
    an_expired_key_is_pruned,
    an_addition_keeps_the_end_of_a_key,
    a_list_goes_on_where_it_stopped,
    a_prefix_bounds_a_list,
    special_keys_keep_their_place,
    bytes_in_use_are_counted,
    a_full_plugin_is_refused_more,
    an_overfull_plugin_may_still_give_up_keys,
}

fn page(prefix: &str, after: Option<&str>, limit: usize) -> KvPage {
    KvPage { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit }
}

async fn list(world: &World, plugin: &str, page: KvPage) -> Vec<String> {
    list_at(world, plugin, page, NOW).await
}

async fn list_at(world: &World, plugin: &str, page: KvPage, now: Timestamp) -> Vec<String> {
    world.kv_list(&plugin_name(plugin), page, now).await.unwrap()
}

async fn used(world: &World, plugin: &str) -> u64 {
    world.kv_used(&plugin_name(plugin)).await.unwrap()
}

async fn done(world: &World, changes: Changes) {
    assert_eq!(world.commit("w/on-event", changes).await, Recorded::Done);
}

async fn version(world: &World, key: &str) -> Option<u64> {
    world.kv_get(&plugin_name("a"), key, NOW).await.unwrap().map(|entry| entry.version)
}

async fn a_key_reads_back(world: &mut World) {
    assert_eq!(world.value("a", "k").await, None);
    done(world, writes("a", [set("k", "1"), set("empty", "")])).await;
    world.pause();
    assert_eq!(world.value("a", "k").await, Some(b"1".to_vec()));
    assert_eq!(world.value("a", "empty").await, Some(Vec::new()));
}

async fn the_version_of_a_key_grows(world: &mut World) {
    let mut last = 0;
    for write in [set("k", "1"), set("k", "1"), set("k", "2"), add("k", 1)] {
        done(world, writes("a", [write])).await;
        world.pause();
        let next = version(world, "k").await.unwrap();
        assert!(next > last);
        last = next;
    }
}

async fn a_key_is_of_one_plugin(world: &mut World) {
    done(world, writes("a", [set("k", "a's"), set("b\0k", "a's")])).await;
    done(world, writes("ab", [set("k", "ab's"), set("l", "ab's")])).await;
    world.pause();
    assert_eq!(world.value("a", "k").await, Some(b"a's".to_vec()));
    assert_eq!(world.value("ab", "k").await, Some(b"ab's".to_vec()));
    assert_eq!(world.value("a", "l").await, None);
    assert_eq!(list(world, "a", page("", None, 9)).await, ["b\0k", "k"]);
    assert_eq!(list(world, "ab", page("", None, 9)).await, ["k", "l"]);
    assert_eq!((used(world, "a").await, used(world, "ab").await), (10, 10));
}

async fn a_deleted_key_is_gone(world: &mut World) {
    done(world, writes("a", [set("k", "1"), set("l", "2")])).await;
    done(world, writes("a", [delete("k"), delete("never")])).await;
    world.pause();
    assert_eq!(world.value("a", "k").await, None);
    assert_eq!(list(world, "a", page("", None, 9)).await, ["l"]);
    assert_eq!(used(world, "a").await, 2);
}

async fn a_read_that_still_holds_is_no_conflict(world: &mut World) {
    done(world, writes("a", [set("k", "1")])).await;
    let reads = vec![read("k", version(world, "k").await), read("missing", None)];
    done(world, writes("a", [set("other", "1")])).await;
    done(world, Changes { reads, ..writes("a", [set("k", "2")]) }).await;
}

async fn a_read_that_was_overtaken_is_a_conflict(world: &mut World) {
    done(world, writes("a", [set("k", "1")])).await;
    let reads = vec![read("k", version(world, "k").await)];
    for overtaking in [set("k", "1"), add("k", 0), delete("k")] {
        done(world, writes("a", [overtaking])).await;
        let late = Changes { reads: reads.clone(), ..changes("a") };
        assert_eq!(world.commit("w/on-event", late).await, Recorded::Conflict);
    }
}

async fn a_missing_key_that_came_is_a_conflict(world: &mut World) {
    done(world, writes("a", [set("k", "1")])).await;
    let late = Changes { reads: vec![read("k", None)], ..changes("a") };
    assert_eq!(world.commit("w/on-event", late).await, Recorded::Conflict);
}

async fn a_key_that_was_written_anew_has_another_version(world: &mut World) {
    done(world, writes("a", [set("k", "1")])).await;
    let reads = vec![read("k", version(world, "k").await)];
    done(world, writes("a", [delete("k")])).await;
    world.pause();
    done(world, writes("a", [set("k", "1")])).await;
    let late = Changes { reads, ..changes("a") };
    assert_eq!(world.commit("w/on-event", late).await, Recorded::Conflict);
}

fn scan(prefix: &str, after: Option<&str>, limit: usize, keys: &[&str]) -> KvScan {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    KvScan { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit, keys }
}

async fn a_listing_that_still_holds_is_no_conflict(world: &mut World) {
    done(world, writes("a", [set("p1", ""), set("p2", ""), set("p3", "")])).await;
    let scans = vec![
        scan("p", None, 2, &["p1", "p2"]),
        scan("p", Some("p2"), 2, &["p3"]),
        scan("q", None, 2, &[]),
        scan("p", Some("q"), 2, &[]),
    ];
    done(world, writes("a", [set("p3", "changed"), set("o", "")])).await;
    done(world, Changes { scans, ..changes("a") }).await;
}

async fn a_listing_that_was_overtaken_is_a_conflict(world: &mut World) {
    done(world, writes("a", [set("p1", ""), set("p3", "")])).await;
    let seen = || Changes { scans: vec![scan("p", None, 9, &["p1", "p3"])], ..changes("a") };
    done(world, seen()).await;
    done(world, writes("a", [set("p2", "")])).await;
    assert_eq!(world.commit("w/on-event", seen()).await, Recorded::Conflict);
    done(world, writes("a", [delete("p2")])).await;
    done(world, seen()).await;
    done(world, writes("a", [delete("p3")])).await;
    assert_eq!(world.commit("w/on-event", seen()).await, Recorded::Conflict);
}

async fn additions_merge(world: &mut World) {
    let mut runs = Vec::new();
    for _ in 0..50 {
        runs.push(world.leased("w/on-event").await);
    }
    let mut tasks = JoinSet::new();
    for (n, run) in (1i64..).zip(runs) {
        let store = world.store.clone();
        let sum = writes("a", [add("sum", n), add("less", -n)]);
        tasks.spawn(async move { store.record(success(&run, Some(sum))).await.unwrap() });
    }
    assert!(tasks.join_all().await.iter().all(|one| *one == Recorded::Done));
    world.pause();
    assert_eq!(world.value("a", "sum").await, Some(b"1275".to_vec()));
    assert_eq!(world.value("a", "less").await, Some(b"-1275".to_vec()));
}

async fn an_addition_to_what_is_no_number_is_refused(world: &mut World) {
    done(world, writes("a", [set("text", "x"), set("binary", [255]), set("most", i64::MAX.to_string())])).await;
    for write in [add("text", 1), add("binary", 1), add("most", 1)] {
        let refused = world.commit("w/on-event", writes("a", [write])).await;
        assert!(matches!(refused, Recorded::Refused(_)), "{refused:?}");
    }
    done(world, writes("a", [add("most", -1)])).await;
}

fn short_lived(key: &str, ms: u64) -> KvWrite {
    KvWrite::Set { key: key.to_owned(), value: bytes(5000, 1), ttl: Some(Millis(ms)) }
}

async fn a_key_expires(world: &mut World) {
    // The record is made 5 ms after NOW.
    done(world, writes("a", [short_lived("k", 100), set("l", "")])).await;
    world.pause();
    let plugin = plugin_name("a");
    assert!(world.kv_get(&plugin, "k", later(104)).await.unwrap().is_some());
    assert_eq!(world.kv_get(&plugin, "k", later(105)).await.unwrap(), None);
    assert_eq!(list_at(world, "a", page("", None, 1), later(104)).await, ["k"]);
    assert_eq!(list_at(world, "a", page("", None, 1), later(105)).await, ["l"]);
    let run = world.leased("w/on-event").await;
    let mut record = success(&run, Some(Changes { reads: vec![read("k", None)], ..writes("a", [add("k", 1)]) }));
    record.now = later(105);
    assert_eq!(world.record(record).await.unwrap(), Recorded::Done);
    assert_eq!(world.value("a", "k").await, Some(b"1".to_vec()));
    assert_eq!(used(world, "a").await, 3);
}

async fn an_expired_key_is_pruned(world: &mut World) {
    done(world, writes("a", [short_lived("b\0k", 100), short_lived("m", 200), set("l", "")])).await;
    done(world, writes("ab", [short_lived("k", 100)])).await;
    world.pause();
    assert_eq!(world.prune(later(104), Retention::default()).await.unwrap().kv_keys, 0);
    assert_eq!(world.prune(later(105), Retention::default()).await.unwrap().kv_keys, 2);
    world.pause();
    assert_eq!((used(world, "a").await, used(world, "ab").await), (5002, 0));
    assert_eq!(list(world, "a", page("", None, 9)).await, ["l", "m"]);
    assert_eq!(world.prune(later(105), Retention::default()).await.unwrap().kv_keys, 0);
}

async fn an_addition_keeps_the_end_of_a_key(world: &mut World) {
    let counter = KvWrite::Set { key: "n".to_owned(), value: b"1".to_vec(), ttl: Some(Millis(100)) };
    done(world, writes("a", [counter])).await;
    done(world, writes("a", [add("n", 1)])).await;
    let plugin = plugin_name("a");
    assert_eq!(world.kv_get(&plugin, "n", later(104)).await.unwrap().unwrap().value, b"2");
    assert_eq!(world.kv_get(&plugin, "n", later(105)).await.unwrap(), None);
}

async fn a_list_goes_on_where_it_stopped(world: &mut World) {
    let keys: Vec<String> = (0..300).map(|n| format!("key-{n:03}")).collect();
    let sets: Vec<KvWrite> = keys.iter().map(|key| set(key, bytes(20, 1))).collect();
    done(world, writes("a", sets)).await;
    world.pause();
    for limit in [1, 7, 299, 300, 1000] {
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let found = list(world, "a", page("key-", after.as_deref(), limit)).await;
            assert!(found.len() <= limit);
            let Some(last) = found.last() else { break };
            after = Some(last.clone());
            seen.extend(found);
        }
        assert_eq!(seen, keys);
    }
    assert_eq!(list(world, "a", page("key-", None, 0)).await, Vec::<String>::new());
}

async fn a_prefix_bounds_a_list(world: &mut World) {
    let all = ["", "a", "a/", "a/1", "a0", "b", "ÿ", "ÿz", "\u{10ffff}", "\u{10ffff}x"];
    done(world, writes("a", all.map(|key| set(key, "")))).await;
    world.pause();
    assert_eq!(list(world, "a", page("", None, 99)).await, all);
    assert_eq!(list(world, "a", page("a", None, 99)).await, ["a", "a/", "a/1", "a0"]);
    assert_eq!(list(world, "a", page("a/", None, 99)).await, ["a/", "a/1"]);
    assert_eq!(list(world, "a", page("ÿ", None, 99)).await, ["ÿ", "ÿz"]);
    assert_eq!(list(world, "a", page("\u{10ffff}", None, 99)).await, ["\u{10ffff}", "\u{10ffff}x"]);
    assert_eq!(list(world, "a", page("c", None, 99)).await, Vec::<String>::new());
    // A cursor before the prefix or beyond it.
    assert_eq!(list(world, "a", page("a/", Some(""), 99)).await, ["a/", "a/1"]);
    assert_eq!(list(world, "a", page("a/", Some("b"), 99)).await, Vec::<String>::new());
}

async fn special_keys_keep_their_place(world: &mut World) {
    let longest = "k".repeat(128);
    let keys = ["\0", "\0\0", "\u{1}", "\n", " ", "%", "a\0b", "é", longest.as_str()];
    for key in keys {
        done(world, writes("a", [set(key, bytes(9000, key.len() as u8))])).await;
    }
    world.pause();
    for key in keys {
        assert_eq!(world.value("a", key).await, Some(bytes(9000, key.len() as u8)), "{key:?}");
    }
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(list(world, "a", page("", None, 99)).await, sorted);
}

async fn bytes_in_use_are_counted(world: &mut World) {
    done(world, writes("a", [set("abc", bytes(100, 0)), set("n", "9")])).await;
    assert_eq!(used(world, "a").await, 105);
    done(world, writes("a", [set("abc", bytes(9000, 0)), add("n", 1)])).await;
    world.pause();
    assert_eq!(used(world, "a").await, 9006);
    done(world, writes("a", [delete("abc"), delete("n")])).await;
    world.pause();
    assert_eq!(used(world, "a").await, 0);
}

async fn a_full_plugin_is_refused_more(world: &mut World) {
    let limited = |writes: Vec<KvWrite>| Changes { kv_bytes_max: 100, ..crate::world::writes("a", writes) };
    done(world, limited(vec![set("k", bytes(99, 0))])).await;
    let refused = world.commit("w/on-event", limited(vec![set("l", "")])).await;
    assert!(matches!(&refused, Recorded::Refused(why) if why.contains("plugins.a.grants.kv")), "{refused:?}");
    world.pause();
    assert_eq!((used(world, "a").await, world.value("a", "l").await), (100, None));
    // What is given up in the same attempt makes room.
    done(world, limited(vec![set("l", bytes(99, 0)), delete("k")])).await;
}

async fn an_overfull_plugin_may_still_give_up_keys(world: &mut World) {
    done(world, writes("a", [set("k", bytes(100, 0)), set("l", bytes(100, 0))])).await;
    let limited = |write| Changes { kv_bytes_max: 50, ..writes("a", [write]) };
    done(world, limited(delete("k"))).await;
    done(world, limited(set("l", bytes(100, 1)))).await;
    let refused = world.commit("w/on-event", limited(set("l", bytes(101, 1)))).await;
    assert!(matches!(refused, Recorded::Refused(_)));
}
