//! One attempt's view of its keys, and what it leaves to be committed.

use std::sync::Arc;

use async_trait::async_trait;
use hookbox_core::effects::{Effects, KV_LIST_KEYS_MAX, KvEntry, KvRead, KvScan, KvWrite};
use hookbox_core::limits::PluginSettings;
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_sandbox::{KvUnavailable, PluginKv};

use crate::world::{World, call, output, plugin};

fn set(key: &str, value: &str) -> KvWrite {
    KvWrite::Set { key: key.into(), value: value.into(), ttl: None }
}

fn add(key: &str, delta: i64) -> KvWrite {
    KvWrite::Add { key: key.into(), delta }
}

fn delete(key: &str) -> KvWrite {
    KvWrite::Delete { key: key.into() }
}

/// With these keys committed.
async fn world(keys: &[(&str, &str)]) -> World {
    let world = World::with(PluginSettings::default()).await;
    let writes = keys.iter().map(|(key, value)| set(key, value)).collect();
    world.kv.apply(&plugin("mischief"), &Effects { writes, ..Effects::default() }).unwrap();
    world
}

/// Runs a script of calls, one on a line; returns their answers and the effects.
async fn script(world: &World, steps: &[&str]) -> (Vec<String>, Effects) {
    let executed = world.run("kv-ops", &steps.join("\n")).await;
    (output(&executed).lines().map(str::to_owned).collect(), executed.effects)
}

fn reads(effects: &Effects) -> Vec<(&str, bool)> {
    effects.reads.iter().map(|read| (read.key.as_str(), read.version.is_some())).collect()
}

#[tokio::test]
async fn reads_see_own_writes_and_are_not_recorded_as_reads() {
    let world = world(&[("a", "old")]).await;
    let (answers, effects) = script(&world, &["set a new", "get a", "set a newer", "get a", "delete a", "get a"]).await;
    assert_eq!(answers, ["()", "new", "()", "newer", "true", "-"]);
    assert!(reads(&effects).is_empty());
    assert_eq!(effects.writes, [delete("a")]);
}

#[tokio::test]
async fn a_key_that_was_read_is_recorded_once_with_its_version() {
    let world = world(&[("a", "1")]).await;
    let (answers, effects) = script(&world, &["get a", "get a", "get b", "set a 2", "get a"]).await;
    assert_eq!(answers, ["1", "1", "-", "()", "2"]);
    let a = KvRead { key: "a".into(), version: Some(1) };
    assert_eq!(effects.reads, [a, KvRead { key: "b".into(), version: None }]);
    assert_eq!(effects.writes, [set("a", "2")]);
}

#[tokio::test]
async fn add_merges_and_reads_nothing() {
    let world = world(&[("n", "40")]).await;
    let (_, effects) = script(&world, &["add n 1", "add n 1", "add m -3"]).await;
    assert!(reads(&effects).is_empty());
    assert_eq!(effects.writes, [add("m", -3), add("n", 2)]);
}

#[tokio::test]
async fn a_sum_that_is_told_is_a_read() {
    let world = world(&[("n", "40"), ("m", "1")]).await;
    let (answers, effects) = script(&world, &["add n 2", "get n", "increment m 5", "increment m 5"]).await;
    assert_eq!(answers, ["()", "42", "6", "11"]);
    assert_eq!(reads(&effects), [("m", true), ("n", true)]);
    assert_eq!(effects.writes, [add("m", 10), add("n", 2)]);
}

#[tokio::test]
async fn writes_of_one_key_become_one() {
    let world = world(&[("d", "1"), ("e", "1")]).await;
    let steps = [
        "set a 1",
        "add a 2",
        "add b 1",
        "set b x",
        "delete d",
        "add d 7",
        "delete e",
        "set e 2",
        "set-ttl f 5",
        "add f 1",
    ];
    let (_, effects) = script(&world, &steps).await;
    let kept = KvWrite::Set { key: "f".into(), value: "6".into(), ttl: Some(Millis(60_000)) };
    assert_eq!(effects.writes, [set("a", "3"), set("b", "x"), set("d", "7"), set("e", "2"), kept]);
}

#[tokio::test]
async fn what_is_no_number_cannot_be_added_to() {
    let world = world(&[("a", "x")]).await;
    let steps = ["increment a 1", "get a", "add a 1", "set b y", "add b 1", "increment b 1"];
    let (answers, effects) = script(&world, &steps).await;
    let wrong = "Error::WrongType";
    assert_eq!(answers, [wrong, "x", wrong, "()", wrong, wrong]);
    assert_eq!(effects.writes, [set("b", "y")]);
}

#[tokio::test]
async fn a_sum_out_of_range_is_refused() {
    let world = world(&[]).await;
    let (answers, _) = script(&world, &[&format!("add n {}", i64::MAX), "add n 1", "increment n 1"]).await;
    assert!(answers[1].contains("64-bit") && answers[2].contains("64-bit"), "{answers:?}");
}

#[tokio::test]
async fn compare_and_swap_writes_only_what_it_expected() {
    let world = world(&[("a", "1")]).await;
    let steps = ["swap a 2 3", "swap a 1 2", "swap a 2 3", "swap new - 1", "swap a 3 -", "get a"];
    let (answers, effects) = script(&world, &steps).await;
    assert_eq!(answers, ["false", "true", "true", "true", "true", "-"]);
    assert_eq!(reads(&effects), [("a", true), ("new", false)]);
    assert_eq!(effects.writes, [delete("a"), set("new", "1")]);
}

#[tokio::test]
async fn deleting_tells_whether_the_key_was_there_and_writes_only_then() {
    let world = world(&[("a", "1")]).await;
    let (answers, effects) = script(&world, &["delete a", "delete a", "delete b", "add c 1", "delete c"]).await;
    assert_eq!(answers, ["true", "false", "false", "()", "true"]);
    assert_eq!(effects.writes, [delete("a"), delete("c")]);
}

#[tokio::test]
async fn a_listing_has_own_writes_in_order_and_is_recorded() {
    let world = world(&[("u/1", "x"), ("u/3", "x"), ("v/1", "x")]).await;
    let (answers, effects) = script(&world, &["set u/2 y", "add u/4 1", "delete u/3", "set w/1 z", "list u/"]).await;
    assert_eq!(answers[4], "u/1,u/2,u/4");
    let keys = vec!["u/1".to_owned(), "u/3".to_owned()];
    assert_eq!(effects.scans, [KvScan { prefix: "u/".into(), after: None, limit: KV_LIST_KEYS_MAX, keys }]);
}

#[tokio::test]
async fn a_long_listing_comes_in_pages_without_gap_or_repetition() {
    let names: Vec<String> = (0..2500).map(|n| format!("k{n:05}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let world = world(&pairs).await;
    let (answers, effects) = script(&world, &["delete k00999", "set k00500x y", "set k02499x y", "list k"]).await;
    let keys: Vec<&str> = answers[3].split(" | ").flat_map(|page| page.split(',')).filter(|k| !k.is_empty()).collect();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "k00999").collect();
    expected.extend(["k00500x", "k02499x"]);
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert!(effects.scans.len() >= 3 && effects.scans.iter().all(|scan| scan.keys.len() <= KV_LIST_KEYS_MAX));
}

#[tokio::test]
async fn keys_values_and_their_number_are_bounded() {
    let world = world(&[]).await;
    let long = "k".repeat(129);
    let steps = ["set-large a 65536", "set-large a 65537", "get ", &format!("get {long}"), &format!("list {long}")];
    let (answers, _) = script(&world, &steps).await;
    assert_eq!(answers[0], "()");
    assert!(answers[1..].iter().all(|answer| answer.contains("LimitExceeded")), "{answers:?}");
    let (answers, effects) = script(&world, &["set-many 10000", "set-many 10001", "get k00001", "get other"]).await;
    assert_eq!((answers[0].as_str(), answers[2].as_str()), ("None", "1"));
    assert!(answers[1].contains("at most 10000 keys") && answers[3].contains("at most 10000 keys"), "{answers:?}");
    assert_eq!(effects.writes.len(), 10_000);
}

#[tokio::test]
async fn a_plugin_keeps_within_its_quota() {
    let world = World::with(PluginSettings { kv_bytes: 100, ..PluginSettings::default() }).await;
    let writes = vec![set("a", &"x".repeat(59))];
    world.kv.apply(&plugin("mischief"), &Effects { writes, ..Effects::default() }).unwrap();
    let steps =
        ["set-large b 40", "set-large b 39", "set-large b 30", "set-large c 9", "add c 1", "delete a", "set-large c 9"];
    let (answers, effects) = script(&world, &steps).await;
    assert!(answers[0].contains("would be 101 bytes, at most 100"), "{answers:?}");
    assert_eq!((answers[1].as_str(), answers[2].as_str()), ("()", "()"));
    assert_eq!(
        answers[3],
        "Error::LimitExceeded(\"the plugin's keys and values would be 101 bytes, at most 100 (grants.kv)\")"
    );
    assert_eq!((answers[5].as_str(), answers[6].as_str()), ("true", "()"));
    assert_eq!(effects.writes.len(), 3);
}

#[tokio::test]
async fn committed_effects_are_what_the_next_attempt_reads() {
    let world = world(&[("n", "1")]).await;
    let (_, effects) = script(&world, &["add n 2", "set a x"]).await;
    world.kv.apply(&plugin("mischief"), &effects).unwrap();
    assert_eq!(script(&world, &["get n", "get a"]).await.0, ["3", "x"]);
    let wrong = Effects { writes: vec![set("b", "y"), add("a", 1)], ..Effects::default() };
    assert!(world.kv.apply(&plugin("mischief"), &wrong).is_err());
    assert_eq!(script(&world, &["get b"]).await.0, ["-"]);
}

#[tokio::test]
async fn what_one_attempt_reads_and_writes_is_bounded_together() {
    let mut settings = PluginSettings::default();
    settings.limits.kv_data_bytes = 200;
    let world = World::with(settings).await;
    let writes = vec![set("a", &"x".repeat(99)), set("b", &"x".repeat(69))];
    world.kv.apply(&plugin("mischief"), &Effects { writes, ..Effects::default() }).unwrap();
    let (answers, effects) = script(&world, &["get a", "get a", "set-large c 39", "get b", "get a", "list "]).await;
    assert_eq!((answers[0].len(), answers[1].len(), answers[2].as_str()), (99, 99, "()"));
    assert!(answers[3..].iter().all(|answer| answer.contains("limits.kv_data")), "{answers:?}");
    assert_eq!(effects.writes.len(), 1);
}

struct Broken;

#[async_trait]
impl PluginKv for Broken {
    async fn get(&self, _: &PluginName, _: &str) -> Result<Option<KvEntry>, KvUnavailable> {
        Err(KvUnavailable("disk is on fire".into()))
    }

    async fn list(&self, _: &PluginName, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>, KvUnavailable> {
        Err(KvUnavailable("disk is on fire".into()))
    }

    async fn used_bytes(&self, _: &PluginName) -> Result<u64, KvUnavailable> {
        Err(KvUnavailable("disk is on fire".into()))
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_told_to_the_guest() {
    let world = World::with(PluginSettings::default()).await;
    let call = call("kv-ops", "get a\nlist a\nset a b\nadd a 1");
    let answers = output(&world.sandbox.execute(call, Arc::new(Broken)).await.unwrap());
    assert_eq!(
        answers.lines().filter(|line| line.contains("Unavailable(\"disk is on fire\")")).count(),
        4,
        "{answers}"
    );
}
