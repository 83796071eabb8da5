//! The rows of plugins and the routes that follow from them.

use hookbox_core::name::HandlerName;
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::time::Timestamp;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::{COMMANDS_MAX, CommandAnswer, PluginCommand, Wish};
use tokio::task::JoinSet;

use crate::world::{NOW, World, handler, plugin_name};

conformance! {
    a_plugin_and_its_routes_are_kept,
    a_row_is_exchanged_whole,
    a_large_row_is_kept,
    an_older_catalogue_stays_as_it_was,
    a_plugin_that_is_gone_loses_its_routes,
    a_plugin_that_has_come_back_keeps_its_routes,
    a_command_is_kept_until_it_is_answered,
    an_answer_is_for_one_command,
    commands_are_bounded,
    whoever_waits_for_the_catalogue_is_told,
}

fn plugin(name: &str, digest: u8, patterns: &[&str]) -> PluginRow {
    let handlers = patterns.iter().enumerate().map(|(n, pattern)| Handler {
        name: HandlerName::parse(&format!("on-{n}")).unwrap(),
        trigger: Trigger::Events(vec![Pattern::parse(pattern).unwrap()]),
        description: Some("takes what comes".to_owned()),
        policy: PolicyPatch::default(),
        filter: None,
    });
    let name = plugin_name(name);
    let info =
        PluginInfo { name: name.clone(), version: "1.0".to_owned(), description: None, handlers: handlers.collect() };
    let mut row = PluginRow::new(name);
    row.activated(Digest([digest; 32]), info, NOW);
    row
}

async fn a_plugin_and_its_routes_are_kept(world: &mut World) {
    let rows = [plugin("a", 1, &["shop/user.created"]), plugin("b", 2, &["shop/*"])];
    for row in rows.clone() {
        world.put_plugin(row).await.unwrap();
    }
    world.pause();
    let catalogue = world.catalogue();
    assert_eq!(catalogue.plugins().cloned().collect::<Vec<_>>(), rows);
    assert_eq!(catalogue.route("shop", "user.created"), [handler("a/on-0"), handler("b/on-0")]);
    assert!(catalogue.route("other", "user.created").is_empty());
}

async fn a_row_is_exchanged_whole(world: &mut World) {
    world.put_plugin(plugin("a", 1, &["shop/old"])).await.unwrap();
    world.put_plugin(plugin("a", 2, &["shop/new"])).await.unwrap();
    world.pause();
    let catalogue = world.catalogue();
    assert_eq!(catalogue.plugins().count(), 1);
    assert_eq!(catalogue.plugin(&plugin_name("a")).unwrap().active.as_ref().unwrap().digest, Digest([2; 32]));
    assert!(catalogue.route("shop", "old").is_empty());
    assert_eq!(catalogue.route("shop", "new"), [handler("a/on-0")]);
}

async fn a_large_row_is_kept(world: &mut World) {
    let patterns: Vec<String> = (0..200).map(|n| format!("shop/user.created.{n}")).collect();
    let large = plugin("a", 1, &patterns.iter().map(String::as_str).collect::<Vec<_>>());
    world.put_plugin(large.clone()).await.unwrap();
    world.pause();
    assert_eq!(world.catalogue().plugin(&large.name), Some(&large));
    world.put_plugin(plugin("a", 2, &["shop/x"])).await.unwrap();
    world.pause();
    assert_eq!(world.catalogue().plugin(&large.name), Some(&plugin("a", 2, &["shop/x"])));
}

async fn an_older_catalogue_stays_as_it_was(world: &mut World) {
    world.put_plugin(plugin("a", 1, &["shop/x"])).await.unwrap();
    let old = world.catalogue();
    world.put_plugin(plugin("b", 2, &["shop/x"])).await.unwrap();
    assert_eq!((old.plugins().count(), world.catalogue().plugins().count()), (1, 2));
}

async fn a_plugin_that_is_gone_loses_its_routes(world: &mut World) {
    let gone = PluginRow { missing_since: Some(NOW), ..plugin("a", 1, &["shop/x"]) };
    world.put_plugin(gone).await.unwrap();
    assert!(world.retire_plugin(&plugin_name("a"), NOW).await.unwrap());
    world.pause();
    assert!(world.catalogue().route("shop", "x").is_empty());
    assert!(!world.retire_plugin(&plugin_name("a"), NOW).await.unwrap());
}

async fn a_plugin_that_has_come_back_keeps_its_routes(world: &mut World) {
    world.put_plugin(plugin("a", 1, &["shop/x"])).await.unwrap();
    assert!(!world.retire_plugin(&plugin_name("a"), NOW).await.unwrap());
    assert!(!world.retire_plugin(&plugin_name("nobody"), NOW).await.unwrap());
    world.pause();
    assert_eq!(world.catalogue().route("shop", "x").len(), 1);
}

fn command(digest: u8, asked: u64) -> PluginCommand {
    PluginCommand { asked: Timestamp(asked), wish: Wish::Activate { digest: Digest([digest; 32]) }, answer: None }
}

const ANSWER: CommandAnswer = CommandAnswer { at: NOW, refused: None };

async fn a_command_is_kept_until_it_is_answered(world: &mut World) {
    let (a, b) = (plugin_name("a"), plugin_name("b"));
    assert!(world.command_plugin(&a, command(1, 5)).await.unwrap());
    world.put_plugin(plugin("a", 1, &["shop/x"])).await.unwrap();
    world.pause();
    assert!(!world.command_plugin(&a, command(2, 6)).await.unwrap());
    assert!(world.command_plugin(&b, command(2, 6)).await.unwrap());
    assert_eq!(world.catalogue().commands().get(&a), Some(&command(1, 5)));
    world.answer_plugin(&a, Timestamp(5), ANSWER).await.unwrap();
    world.pause();
    let answered = PluginCommand { answer: Some(ANSWER), ..command(1, 5) };
    assert_eq!(world.catalogue().commands().get(&a), Some(&answered));
    assert!(world.command_plugin(&a, command(2, 7)).await.unwrap());
    assert_eq!(world.catalogue().commands().get(&a), Some(&command(2, 7)));
}

async fn an_answer_is_for_one_command(world: &mut World) {
    let a = plugin_name("a");
    world.answer_plugin(&a, Timestamp(5), ANSWER).await.unwrap();
    assert!(world.command_plugin(&a, command(1, 5)).await.unwrap());
    world.answer_plugin(&a, Timestamp(4), ANSWER).await.unwrap();
    assert_eq!(world.catalogue().commands().get(&a), Some(&command(1, 5)));
    world.answer_plugin(&a, Timestamp(5), ANSWER).await.unwrap();
    world.answer_plugin(&a, Timestamp(5), CommandAnswer { at: Timestamp(9), ..ANSWER }).await.unwrap();
    let kept = world.catalogue().commands().get(&a).and_then(|kept| kept.answer.clone());
    assert_eq!(kept, Some(ANSWER));
}

async fn commands_are_bounded(world: &mut World) {
    let waits = plugin_name("waits");
    assert!(world.command_plugin(&waits, command(1, 0)).await.unwrap());
    let mut asking = JoinSet::new();
    for number in 1..COMMANDS_MAX as u64 {
        let store = world.store.clone();
        asking.spawn(async move {
            let name = plugin_name(&format!("p{number}"));
            assert!(store.command_plugin(&name, command(1, number)).await.unwrap());
            store.answer_plugin(&name, Timestamp(number), ANSWER).await.unwrap();
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    assert_eq!(world.catalogue().commands().len(), COMMANDS_MAX);
    assert!(world.command_plugin(&plugin_name("last"), command(1, 0)).await.unwrap());
    world.pause();
    let catalogue = world.catalogue();
    assert_eq!(catalogue.commands().len(), COMMANDS_MAX);
    assert!(!catalogue.commands().contains_key(&plugin_name("p1")), "the oldest that was answered makes room");
    assert!(catalogue.commands().contains_key(&waits) && catalogue.commands().contains_key(&plugin_name("last")));
}

async fn whoever_waits_for_the_catalogue_is_told(world: &mut World) {
    let store = world.store.clone();
    let told = store.signals().catalogue.notified();
    tokio::pin!(told);
    assert!(!told.as_mut().enable());
    store.command_plugin(&plugin_name("a"), command(1, 5)).await.unwrap();
    told.await;
}
