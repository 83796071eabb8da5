//! Plugins that are written for drafts of WASI: what they reach is what the contract leads to.

use hookbox_core::attempt::{Call, Executed, LogLevel, Outcome};
use hookbox_core::effects::{Effects, KV_LIST_KEYS_MAX, KvWrite};
use hookbox_core::host_call::CallKind;
use hookbox_core::limits::PluginSettings;
use hookbox_core::secret::Secret;

use crate::world::{World, call, output, plugin};

/// One for each draft of `wasi:keyvalue`.
const BOTH: [&str; 2] = ["first", "second"];

async fn with(settings: PluginSettings, keys: &[(&str, &str)]) -> World {
    let world = World::empty();
    world.sandbox.activate(&world.prepare("drafts", settings).await);
    let writes = keys.iter().map(|(key, value)| set(key, value)).collect();
    world.kv.apply(&plugin("drafts"), &Effects { writes, ..Effects::default() }).unwrap();
    world
}

fn set(key: &str, value: &str) -> KvWrite {
    KvWrite::Set { key: key.into(), value: value.into(), ttl: None }
}

fn to_drafts(handler: &str, data: &str) -> Call {
    let mut call = call(handler, data);
    call.target.plugin = plugin("drafts");
    call
}

async fn run(world: &World, handler: &str, data: &str) -> Executed {
    world.execute(to_drafts(handler, data)).await
}

/// Answers of a script, one on a line.
async fn script(world: &World, handler: &str, steps: &[&str]) -> (Vec<String>, Effects) {
    let executed = run(world, handler, &steps.join("\n")).await;
    (output(&executed).lines().map(str::to_owned).collect(), executed.effects)
}

#[tokio::test]
async fn keys_are_the_plugins_own_in_the_attempts_transaction() {
    let world = with(PluginSettings::default(), &[("a", "1"), ("n", "40")]).await;
    for draft in BOTH {
        let steps =
            ["get a", "set a 2", "get a", "exists a", "exists b", "increment n 2", "delete a", "get a", "delete b"];
        let (answers, effects) = script(&world, draft, &steps).await;
        assert_eq!(answers, ["1", "()", "2", "true", "false", "42", "()", "-", "()"], "{draft}");
        let added = KvWrite::Add { key: "n".into(), delta: 2 };
        assert_eq!(effects.writes, [KvWrite::Delete { key: "a".into() }, added]);
        let reads: Vec<&str> = effects.reads.iter().map(|read| read.key.as_str()).collect();
        assert_eq!(reads, ["a", "b", "n"], "an increment is a read, so that its sum is the one that is committed");
    }
}

#[tokio::test]
async fn there_is_no_store_but_the_plugins_own() {
    let world = with(PluginSettings::default(), &[]).await;
    for draft in BOTH {
        let (answers, _) = script(&world, draft, &["open ", "open default", "open other", "open mischief"]).await;
        assert_eq!(answers, ["()", "()", "Error::NoSuchStore", "Error::NoSuchStore"], "{draft}");
    }
}

#[tokio::test]
async fn a_long_listing_comes_in_pages() {
    let names: Vec<String> = (0..2500).map(|n| format!("k{n:05}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let world = with(PluginSettings::default(), &pairs).await;
    for draft in BOTH {
        let (answers, effects) = script(&world, draft, &["set k00500x y", "delete k00999", "list"]).await;
        let found: Vec<&str> = answers[2].split(" | ").flat_map(|page| page.split(',')).collect();
        let mut expected: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "k00999").collect();
        expected.insert(501, "k00500x");
        assert_eq!(found, expected, "{draft}");
        assert!(effects.scans.len() >= 3 && effects.scans.iter().all(|scan| scan.keys.len() <= KV_LIST_KEYS_MAX));
    }
    let steps = ["list-from 1", "list-from 0", "list-from none", "list-from 1", "list-from 2", "list-from 9"];
    let (answers, _) = script(&world, "first", &steps).await;
    for unknown in [0, 5] {
        assert!(answers[unknown].contains("none that this attempt was given"), "{answers:?}");
    }
    // From the beginning twice, and from the ends of those two pages.
    assert_eq!(answers[1..5], ["1000"; 4]);
    let (answers, _) = script(&world, "first", &["list-from 0", "list-from 1", "list-from 2"]).await;
    assert_eq!(answers, ["1000", "1000", "500"]);
}

#[tokio::test]
async fn limits_are_those_of_the_contract() {
    let world = with(PluginSettings { kv_bytes: 100, ..PluginSettings::default() }, &[("a", "x")]).await;
    for draft in BOTH {
        let long = format!("get {}", "k".repeat(129));
        let (answers, effects) = script(&world, draft, &["set-many 3 40", "increment a 1", &long]).await;
        assert!(answers[0].contains("at most 100"), "{draft}: {answers:?}");
        assert!(answers[1].contains("no number"), "{draft}: {answers:?}");
        assert!(answers[2].contains("must be 1 to 128"), "{draft}: {answers:?}");
        assert_eq!(effects.writes.len(), 2, "a batch that breaks off keeps what it has done: {answers:?}");
    }
}

#[tokio::test]
async fn batches_are_bounded_and_answer_for_every_key() {
    let world = with(PluginSettings::default(), &[("a", "1")]).await;
    for draft in BOTH {
        let steps = ["get-many 1000", "get-many 1001", "set-many 1001 1", "delete-many 1001", "delete-many 1000"];
        let (answers, effects) = script(&world, draft, &steps).await;
        assert_eq!((answers[0].as_str(), answers[4].as_str()), ("1000", "()"), "{draft}");
        assert!(answers[1..4].iter().all(|answer| answer.contains("at most 1000")), "{draft}: {answers:?}");
        assert!(effects.writes.is_empty(), "{:?}", effects.writes);
        let (answers, effects) = script(&world, draft, &["set-many 9 60000", "get-many 9", "get-two a b"]).await;
        assert_eq!((answers[0].as_str(), answers[1].as_str(), effects.writes.len()), ("()", "9", 9), "{draft}");
        let expected = if draft == "first" { "[Some((a, [49])), None]" } else { "[(a, Some([49])), (b, None)]" };
        assert_eq!(answers[2], expected);
    }
}

#[tokio::test]
async fn a_batch_answers_with_no_more_than_a_call_may_give() {
    let large = "x".repeat(65_000);
    let names: Vec<String> = (0..17).map(|n| format!("k{n:05}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), large.as_str())).collect();
    let world = with(PluginSettings::default(), &pairs).await;
    for draft in BOTH {
        let (answers, _) = script(&world, draft, &["get-many 16", "get-many 17"]).await;
        assert_eq!(answers[0], "16", "{draft}");
        assert!(answers[1].contains("ask for fewer keys"), "{draft}: {answers:?}");
    }
}

#[tokio::test]
async fn the_first_draft_knows_no_numbers_below_zero() {
    let world = with(PluginSettings::default(), &[("n", "-5")]).await;
    let steps = ["increment n 2", "get n", &format!("increment m {}", u64::MAX), "increment n 9"];
    let (answers, _) = script(&world, "first", &steps).await;
    assert!(answers[0].contains("below zero") && answers[2].contains("is more than"), "{answers:?}");
    assert_eq!((answers[1].as_str(), answers[3].as_str()), ("-5", "4"));
    assert_eq!(script(&world, "second", &["increment n 2", "increment n -2"]).await.0, ["-3", "-5"]);
}

#[tokio::test]
async fn a_swap_fails_where_another_value_is_there_and_then_has_seen_it() {
    let world = with(PluginSettings::default(), &[("a", "1")]).await;
    let steps = ["look-at a", "set a 2", "swap 3", "current", "swap 3", "get a", "look-at new", "current", "swap x"];
    let (answers, effects) = script(&world, "second", &steps).await;
    assert_eq!(answers, ["()", "()", "another value", "2", "swapped", "3", "()", "-", "swapped"]);
    assert_eq!(effects.writes, [set("a", "3"), set("new", "x")]);
}

#[tokio::test]
async fn handles_are_bounded_and_given_back() {
    let world = with(PluginSettings::default(), &[]).await;
    for draft in BOTH {
        let (answers, _) = script(&world, draft, &["hoard 255", "hoard 300", "hoard 255"]).await;
        assert_eq!((answers[0].as_str(), answers[2].as_str()), ("255", "255"), "{draft}");
        assert!(answers[1].contains("more than 256 handles"), "{draft}: {answers:?}");
    }
}

#[tokio::test]
async fn what_one_attempt_reads_and_writes_is_bounded_together() {
    let large = "x".repeat(99);
    let mut settings = PluginSettings::default();
    settings.limits.kv_data_bytes = 400;
    let world = with(settings, &[("a", &large), ("k00000", &large), ("k00001", &large), ("k00002", &large)]).await;
    for draft in BOTH {
        for steps in [["get a", "get-many 3"], ["set-many 2 99", "set-many 2 99"], ["get-many 3", "exists a"]] {
            let (answers, _) = script(&world, draft, &steps).await;
            assert!(!answers[0].contains("kv_data") && answers[1].contains("limits.kv_data"), "{draft}: {answers:?}");
        }
    }
}

/// A swap keeps the value that it has seen.
#[tokio::test]
async fn what_swaps_have_seen_is_bounded_too() {
    let large = "x".repeat(99);
    let mut settings = PluginSettings::default();
    settings.limits.kv_data_bytes = 350;
    let world = with(settings, &[("a", &large)]).await;
    let (answers, _) = script(&world, "second", &["look-at a", "look-at a", "look-at a"]).await;
    assert_eq!((answers[0].as_str(), answers[1].as_str()), ("()", "()"));
    assert!(answers[2].contains("limits.kv_data"), "{answers:?}");
}

#[tokio::test]
async fn config_is_what_hooks_yaml_gives_and_no_secret() {
    let mut settings = PluginSettings::default();
    settings.config.insert("channel".into(), "#dev".into());
    settings.secrets.insert("token".into(), std::sync::Arc::new(Secret::new("hunter2").unwrap()));
    let world = with(settings, &[]).await;
    let all = r##"Ok([("channel", "#dev")])"##;
    let told = output(&run(&world, "config", "token").await);
    assert_eq!(told, format!(r##"Ok(Some("#dev")) {all} Ok(None) {all}"##));
}

#[tokio::test]
async fn lines_of_the_draft_are_lines_of_the_log() {
    let world = with(PluginSettings::default(), &[]).await;
    let log = run(&world, "logs", "").await.log;
    let levels: Vec<LogLevel> = log.lines.iter().map(|line| line.level).collect();
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    assert_eq!(levels, [Trace, Debug, Info, Warn, Error, Error, Info]);
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(log.lines[0].fields, [field("context", "here")]);
    assert_eq!(log.lines[5].fields, [field("context", "here"), field("level", "critical")]);
    assert_eq!((log.lines[6].message.as_str(), log.lines[6].fields.len()), ("without context", 0));
}

#[tokio::test]
async fn describe_may_use_none_of_them() {
    let world = World::empty();
    for (guest, call) in [
        ("calls-wasi-keyvalue", "keyvalue.open"),
        ("calls-wasi-config", "config.get"),
        ("calls-wasi-logging", "logging.log"),
    ] {
        let bytes = hookbox_tests::guest(&format!("liar/{guest}")).into();
        let rejection = world.sandbox.prepare(&plugin(guest), bytes, PluginSettings::default()).await.unwrap_err();
        assert_eq!(rejection.code(), "describe-trapped", "{rejection}");
        assert!(rejection.to_string().contains(&format!("describe() called {call}")), "{rejection}");
    }
}

#[tokio::test]
async fn another_version_is_refused_with_those_that_are_served() {
    let world = World::empty();
    for (import, known) in [
        ("wasi:keyvalue/store@0.2.0", "wasi:keyvalue/store@0.2.0-draft, wasi:keyvalue/atomics@0.2.0-draft,"),
        ("wasi:keyvalue/watcher@0.2.0-draft", "wasi:keyvalue/batch@0.2.0-draft2"),
        ("wasi:config/runtime@0.2.0-draft", "wasi:config/store@0.2.0-draft, wasi:config/store@0.2.0-rc.1"),
        ("wasi:logging/logging", "it is served as wasi:logging/logging@0.1.0-draft"),
    ] {
        let bytes = wat::parse_str(format!("(component (import {import:?} (instance)))")).unwrap().into();
        let refused = world.sandbox.prepare(&plugin("drafts"), bytes, PluginSettings::default()).await.unwrap_err();
        assert_eq!(refused.code(), "unserved-import", "{refused}");
        assert!(refused.to_string().contains(known), "{refused}");
    }
}

#[tokio::test]
async fn calls_without_end_end_the_guest() {
    let mut settings = PluginSettings::default();
    settings.limits.calls = 1000;
    let world = with(settings, &[]).await;
    let executed = run(&world, "calls", "").await;
    let Outcome::Trapped { message } = &executed.outcome else { panic!("{:?}", executed.outcome) };
    assert!(message.contains("config.get: more than 1000 calls of hookbox in one attempt"), "{message}");
    assert_eq!(executed.cost.calls.of(CallKind::Config).number, 1000);
}
