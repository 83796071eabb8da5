//! Bodies that are checked by JSON Schema before they are taken in.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::body_schema::{BodySchema, Otherwise};
use hookbox_core::name::{HandlerName, PluginName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::run::RunState;
use hookbox_http::providers::{LiveProvider, Providers, SchemaRule};
use hookbox_store::PluginRow;
use serde_json::{Value, json};

use crate::harness::{Host, JSON, NOW, OPERATOR, ask, live, shop, signed, webhook};

const AMOUNT: &str = r#"{"properties":{"data":{"required":["amount"],"properties":{"amount":{"type":"integer"}}}}}"#;

/// Its shop's orders must have an amount.
async fn host(otherwise: Otherwise, plugins: &[PluginRow]) -> Host {
    let host = Host::new();
    let rule = SchemaRule {
        events: Pattern::parse("my-shop/order.*").unwrap(),
        schema: BodySchema::compile(AMOUNT).unwrap(),
        otherwise,
    };
    let (name, shop) = live("my-shop", "generic", None);
    let (hub, github) = live("hub", "github", None);
    let of_hub = SchemaRule { events: Pattern::parse("hub/*").unwrap(), ..rule.clone() };
    host.providers.store(Arc::new(Providers::new([
        (name, LiveProvider { schemas: vec![rule], ..shop }),
        (hub, LiveProvider { schemas: vec![of_hub], ..github }),
    ])));
    for plugin in plugins {
        host.store.put_plugin(plugin.clone()).await.unwrap();
    }
    host
}

/// One handler for everything of the shop.
fn plugin() -> PluginRow {
    let name = PluginName::parse("books").unwrap();
    let handler = Handler {
        name: HandlerName::parse("all").unwrap(),
        trigger: Trigger::Events(vec![Pattern::parse("my-shop/*").unwrap()]),
        description: None,
        policy: PolicyPatch::default(),
        filter: None,
    };
    let info = PluginInfo { name: name.clone(), version: "1".into(), description: None, handlers: vec![handler] };
    let mut row = PluginRow::new(name);
    row.activated(Digest([1; 32]), info, NOW);
    row
}

fn order(id: &str, amount: Value) -> String {
    json!({ "event_id": id, "type": "order.paid", "data": { "amount": amount } }).to_string()
}

#[tokio::test]
async fn a_body_that_its_schema_does_not_allow_is_refused_with_the_place_of_the_fault() {
    let host = host(Otherwise::Refuse, &[]).await;
    assert_eq!(host.deliver(shop(&order("1", 5.into()))).await.status, StatusCode::ACCEPTED);
    let answer = host.deliver(shop(&order("2", "hush".into()))).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = answer.json();
    assert_eq!(
        (&problem["pointer"], &problem["type"]),
        (&json!("/data/amount"), &json!("urn:hookbox:problem:invalid-body"))
    );
    assert!(!answer.body.contains("hush"), "values are not quoted: {}", answer.body);
    assert_eq!(host.store.counts().events, 1);
    let seen = host.get("/api/v1/providers/my-shop").await.json();
    assert_eq!(seen["refused"], json!({ "invalid-body": 1 }));
    assert_eq!(seen["recent_refusals"][0]["message"], r#"/data/amount: the value is not of type "integer""#);
    // Mended by its sender, it is no duplicate.
    assert_eq!(host.deliver(shop(&order("2", 6.into()))).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_schema_is_for_its_own_types_alone() {
    let host = host(Otherwise::Refuse, &[]).await;
    let body = json!({ "event_id": "1", "type": "user.created", "data": {} }).to_string();
    assert_eq!(host.deliver(shop(&body)).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_json_in_a_form_is_what_is_checked() {
    let host = host(Otherwise::Refuse, &[]).await;
    for (json, status) in [(r#"{"data":{"amount":1}}"#, 202), (r#"{"data":{}}"#, 422), ("", 422)] {
        let form = form_urlencoded(json);
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let answer =
            host.deliver(webhook("hub", "github", json, form.as_bytes(), &[kind, ("x-github-event", "push")])).await;
        assert_eq!(answer.status.as_u16(), status, "{json}: {}", answer.body);
    }
}

fn form_urlencoded(json: &str) -> String {
    let encoded: String = json.bytes().map(|b| format!("%{b:02X}")).collect();
    format!("payload={encoded}")
}

#[tokio::test]
async fn a_stranger_is_told_nothing_of_a_schema() {
    let host = host(Otherwise::Refuse, &[]).await;
    let other = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";
    let body = order("1", "x".into());
    let forged = host.deliver(signed("my-shop", "generic", other, NOW, "", body.as_bytes(), &[JSON])).await;
    assert_eq!(forged.status, StatusCode::UNAUTHORIZED);
    assert!(host.is_untouched());
}

#[tokio::test]
async fn where_it_is_so_configured_the_runs_are_dead_letters_that_say_why() {
    let host = host(Otherwise::DeadLetter, &[plugin()]).await;
    let answer = host.deliver(shop(&order("1", "hush".into()))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let event = host.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!(event["attributes"]["schema-fault"], r#"/data/amount: the value is not of type "integer""#);
    let run = host.store.run(event["run_ids"][0].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert!(matches!(run.state, RunState::Dead { cause, .. } if cause.code() == "invalid-body"));
    // An operator may run it all the same.
    let replay = host.post(&format!("/api/v1/runs/{}/replay", run.id)).await;
    assert_eq!(replay.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_event_with_a_fault_that_finds_its_handler_later_is_a_dead_letter_too() {
    let host = host(Otherwise::DeadLetter, &[]).await;
    let answer = host.deliver(shop(&order("1", "x".into()))).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(host.store.counts().unrouted, 1);
    host.store.put_plugin(plugin()).await.unwrap();
    let routed = host.post(&format!("/api/v1/events/{id}/route")).await.json();
    let run = host.store.run(routed["runs"][0].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert!(matches!(run.state, RunState::Dead { cause, .. } if cause.code() == "invalid-body"));
}

#[tokio::test]
async fn a_trial_tells_of_the_schema() {
    for (otherwise, outcome) in [(Otherwise::Refuse, "refused"), (Otherwise::DeadLetter, "dead")] {
        let host = host(otherwise, &[plugin()]).await;
        let asked = json!({ "provider": "my-shop", "headers": [["content-type", "application/json"]], "body": order("1", "x".into()) });
        let request = Request::post("/api/v1/routes/test").header("host", OPERATOR).header(JSON.0, JSON.1);
        let told = ask(host.operator(), request.body(Body::from(asked.to_string())).unwrap()).await.json();
        assert_eq!(
            (&told["schema_fault"]["pointer"], &told["schema_fault"]["outcome"]),
            (&json!("/data/amount"), &json!(outcome))
        );
    }
}
