//! A handler whose runs wait does not take the queue from the others.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::http::{Request, StatusCode};
use hookbox_core::name::{HandlerName, HandlerRef, PluginName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::run::CancelCause;
use hookbox_http::ingress::IngressLimits;
use hookbox_http::providers::Providers;
use hookbox_store::PluginRow;
use hookbox_store::types::{Cancellable, PageRequest, RunFilter};
use serde_json::json;

use crate::harness::{Answer, Host, Logs, NOW, SECRET, WEBHOOKS, ask, live, shop};

/// Runs that may wait, and how many of them of one handler.
const QUEUE: u64 = 8;
const SHARE: u64 = 6;

/// `slow` takes `slow.*` and `both.*`, `quick` takes `quick.*` and `both.*`.
async fn host() -> (Host, Router) {
    let host = Host::new();
    let name = PluginName::parse("work").unwrap();
    let patterns = |handler: &str| ["my-shop", "mesh"].map(|sender| format!("{sender}/{handler}.*")).to_vec();
    let handler = |handler: &str| Handler {
        name: HandlerName::parse(handler).unwrap(),
        trigger: Trigger::Events(
            [patterns(handler), patterns("both")].concat().iter().map(|pattern| pattern.parse().unwrap()).collect(),
        ),
        description: None,
        policy: PolicyPatch::default(),
        filter: None,
    };
    let handlers = vec![handler("slow"), handler("quick")];
    let info = PluginInfo { name: name.clone(), version: "1".into(), description: None, handlers };
    let mut row = PluginRow::new(name);
    row.activated(Digest([1; 32]), info, NOW);
    host.store.put_plugin(row).await.unwrap();
    let providers = [live("my-shop", "generic", None), live("mesh", "cloudevents", None)];
    host.providers.store(Arc::new(Providers::new(providers)));
    let limits = IngressLimits { queue_max: QUEUE, ..IngressLimits::default() };
    let router = host.ingress_with(limits, IpAddr::V4(Ipv4Addr::LOCALHOST));
    (host, router)
}

async fn send(router: &Router, event_type: &str, id: u64) -> Answer {
    let body = json!({ "type": format!("{event_type}.done"), "event_id": format!("{event_type}-{id}") });
    ask(router.clone(), shop(&body.to_string())).await
}

async fn fill(router: &Router) {
    for id in 0..SHARE {
        assert_eq!(send(router, "slow", id).await.status, StatusCode::ACCEPTED, "{id}");
    }
}

fn is_put_off(answer: &Answer) -> bool {
    answer.status == StatusCode::SERVICE_UNAVAILABLE && !answer.header("retry-after").is_empty()
}

#[tokio::test]
async fn events_of_a_handler_that_has_its_share_are_put_off_and_others_are_taken() {
    let ((host, router), logs) = (host().await, Logs::capture());
    fill(&router).await;
    logs.take();
    let answer = send(&router, "slow", SHARE).await;
    assert!(is_put_off(&answer), "{answer:?}");
    assert!(logs.take()[0].contains("reason=\"handler-full\""));
    let refusals = host.get("/api/v1/providers/my-shop").await.body;
    assert!(refusals.contains("its share of server.limits.queue"), "{refusals}");

    for id in SHARE..QUEUE {
        assert_eq!(send(&router, "quick", id).await.status, StatusCode::ACCEPTED, "{id}");
    }
    assert!(is_put_off(&send(&router, "quick", QUEUE).await), "all have no more than may wait");
    assert_eq!((host.store.counts().pending, host.store.counts().events), (QUEUE, QUEUE));
}

#[tokio::test]
async fn a_handler_that_works_again_takes_its_events_again() {
    let (host, router) = host().await;
    fill(&router).await;
    assert!(is_put_off(&send(&router, "slow", SHARE).await));
    let page = PageRequest { before: None, limit: 1 };
    let run = host.store.runs(page, RunFilter::default()).await.unwrap().runs[0].id;
    host.store.cancel(vec![run], Cancellable::Alive, CancelCause::Operator, NOW).await.unwrap();
    assert_eq!(send(&router, "slow", SHARE).await.status, StatusCode::ACCEPTED);
    let slow = HandlerRef { plugin: "work".parse().unwrap(), handler: "slow".parse().unwrap() };
    assert_eq!(host.store.waiting_of(&slow), SHARE);
}

#[tokio::test]
async fn an_event_for_several_handlers_waits_for_each_of_them() {
    let (host, router) = host().await;
    assert_eq!(send(&router, "both", 0).await.status, StatusCode::ACCEPTED);
    for id in 1..SHARE {
        assert_eq!(send(&router, "slow", id).await.status, StatusCode::ACCEPTED, "{id}");
    }
    let before = host.store.counts();
    assert!(is_put_off(&send(&router, "both", 1).await));
    assert_eq!(host.store.counts(), before, "the sender sends it again as a whole");
}

#[tokio::test]
async fn a_batch_is_held_to_the_share_as_a_whole() {
    let (host, router) = host().await;
    let batch = |events: u64| {
        let event = |id| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "slow.done", "data": 1 });
        let events: Vec<_> = (0..events).map(|id| event(id.to_string())).collect();
        Request::post(format!("{WEBHOOKS}/mesh"))
            .header("authorization", format!("Bearer {SECRET}"))
            .header("content-type", "application/cloudevents-batch+json")
            .body(serde_json::to_string(&events).unwrap().into())
            .unwrap()
    };
    assert!(is_put_off(&ask(router.clone(), batch(SHARE + 1)).await));
    assert!(host.is_untouched());
    assert_eq!(ask(router, batch(SHARE)).await.status, StatusCode::ACCEPTED);
}
