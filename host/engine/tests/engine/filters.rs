//! Filters on what plugins emit, and those that the operator puts in place of a plugin's own.

use std::sync::Arc;

use hookbox_core::effects::{Effects, EventRequest};
use hookbox_core::id::Mint;
use hookbox_core::run::RunStatus;
use hookbox_engine::Settings;
use hookbox_store::{PluginRow, Store};

use crate::host::{Host, NOON, manual, on};
use crate::script::{done, done_with, handler};

fn order(mint: &Mint, amount: u32) -> EventRequest {
    EventRequest {
        id: mint.event(NOON),
        namespace: "shop".into(),
        event_type: "ordered".into(),
        subject: None,
        content_type: "application/json".into(),
        data: format!(r#"{{"amount":{amount}}}"#).into_bytes(),
    }
}

/// With these filters of hooks.yaml.
async fn configure(host: &Host, filters: &[(&str, &str)]) {
    let filters = filters.iter().map(|(target, filter)| (handler(target), filter.parse().unwrap()));
    let settings = Settings { filters: filters.collect(), ..Settings::default() };
    let row = host.store.catalogue().plugin(&"shop".parse().unwrap()).cloned().unwrap();
    let mut active = row.active.clone().unwrap();
    active.info = settings.configured(&active.info);
    host.store.put_plugin(PluginRow { active: Some(active), ..row }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_emitted_event_reaches_the_handlers_whose_filters_want_it() {
    let host = Host::started().await;
    let handlers = [manual("sell"), on("book", "shop/ordered"), on("boast", "shop/*"), on("pity", "shop/ordered")];
    host.plugin("shop", &handlers).await;
    configure(&host, &[("shop/boast", "amount > 1000"), ("shop/pity", "amount <= 1000"), ("shop/sell", "false")]).await;
    for target in ["shop/book", "shop/boast", "shop/pity"] {
        host.script.on(target, |_| async { Ok(done()) });
    }
    let mint = Arc::new(Mint::new([2; 32]));
    host.script.on("shop/sell", move |_| {
        let effects = Effects { events: vec![order(&mint, 1500)], ..Effects::default() };
        async move { Ok(done_with(effects)) }
    });
    let id = host.job("shop/sell").await;
    host.until_status(id, RunStatus::Succeeded).await;
    let mut made: Vec<String> = host.all_runs().await.iter().map(|run| run.target.to_string()).collect();
    made.sort();
    assert_eq!(made, ["shop/boast", "shop/book", "shop/sell"]);
}

#[tokio::test(start_paused = true)]
async fn the_operators_filter_comes_before_the_plugins_and_goes_with_its_line() {
    let host = Host::started().await;
    host.plugin("shop", &[on("book", "shop/ordered"), manual("sell")]).await;
    let declared = host.store.catalogue().plugin(&"shop".parse().unwrap()).cloned().unwrap().active.unwrap().info;
    let mut own = declared.clone();
    own.handlers[0].filter = Some("amount > 1".parse().unwrap());
    let settings =
        Settings { filters: [(handler("shop/book"), "amount > 2".parse().unwrap())].into(), ..Settings::default() };
    assert_eq!(settings.configured(&own).handlers[0].filter, Some("amount > 2".parse().unwrap()));
    assert_eq!(Settings::default().configured(&own), own);
    let misplaced =
        Settings { filters: [(handler("shop/sell"), "true".parse().unwrap())].into(), ..Settings::default() };
    assert_eq!(misplaced.configured(&declared), declared);
}
