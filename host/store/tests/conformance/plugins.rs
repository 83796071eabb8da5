//! The rows of plugins and the routes that follow from them.

use hookbox_core::name::HandlerName;
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_store::PluginRow;

use crate::world::{NOW, World, handler, plugin_name};

conformance! {
    a_plugin_and_its_routes_are_kept,
    a_row_is_exchanged_whole,
    a_large_row_is_kept,
    an_older_catalogue_stays_as_it_was,
    a_plugin_that_is_gone_loses_its_routes,
    a_plugin_that_has_come_back_keeps_its_routes,
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
