//! Which handlers events reach, why not the others, and routing again what reached none.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hookbox_core::event::{Event, HOPS_MAX, Source};
use hookbox_core::name::{HandlerName, PluginName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, PolicyPatch, Trigger};
use hookbox_core::route::Pattern;
use hookbox_core::run::RunStatus;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::RefusedVersion;
use hookbox_store::types::NewEvent;
use serde_json::{Value, json};

use crate::harness::{Answer, Host, JSON, NOW, OPERATOR, ask, shop, webhook};

/// One handler for each pattern and filter.
fn plugin(name: &str, handlers: &[(&str, &str, Option<&str>)]) -> PluginRow {
    let name = PluginName::parse(name).unwrap();
    let handlers = handlers.iter().map(|(handler, pattern, filter)| Handler {
        name: HandlerName::parse(handler).unwrap(),
        trigger: Trigger::Events(vec![Pattern::parse(pattern).unwrap()]),
        description: None,
        policy: PolicyPatch::default(),
        filter: filter.map(|filter| filter.parse().unwrap()),
    });
    let info = PluginInfo { name: name.clone(), version: "1".into(), description: None, handlers: handlers.collect() };
    let mut row = PluginRow::new(name);
    row.activated(Digest([1; 32]), info, NOW);
    row
}

fn books() -> PluginRow {
    plugin(
        "books",
        &[
            ("all", "my-shop/order.*", None),
            ("large", "my-shop/order.paid", Some("data.amount > 1000")),
            ("europe", "my-shop/*", Some("headers['x-shop'] == 'eu' && type == 'order.paid'")),
            ("users", "my-shop/user.*", None),
        ],
    )
}

fn order(id: u32, amount: Value) -> String {
    json!({ "type": "order.paid", "event_id": format!("o-{id}"), "data": { "amount": amount } }).to_string()
}

async fn post(host: &Host, path: &str, body: Value) -> Answer {
    let request = Request::post(path).header("host", OPERATOR).header(JSON.0, JSON.1);
    ask(host.operator(), request.body(Body::from(body.to_string())).unwrap()).await
}

async fn reached(host: &Host, answer: &Answer) -> Vec<String> {
    let record = host.store.event(answer.json()["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    let mut handlers = Vec::new();
    for run in record.runs {
        handlers.push(host.store.run(run).await.unwrap().target.handler.to_string());
    }
    handlers.sort();
    handlers
}

#[tokio::test]
async fn a_webhook_reaches_every_handler_whose_pattern_and_filter_take_it() {
    let host = Host::new();
    host.store.put_plugin(books()).await.unwrap();
    let large = host.deliver(shop(&order(1, 1500.into()))).await;
    assert_eq!(reached(&host, &large).await, ["all", "large"]);
    let small = host.deliver(shop(&order(2, 1000.into()))).await;
    assert_eq!(reached(&host, &small).await, ["all"]);
    let body = order(3, "a lot".into());
    let european = webhook("my-shop", "generic", "", body.as_bytes(), &[JSON, ("X-Shop", "eu")]);
    let european = host.deliver(european).await;
    assert_eq!(reached(&host, &european).await, ["all", "europe"]);
    let routes = host.get("/api/v1/routes").await.json();
    let told: Vec<_> =
        routes["items"].as_array().unwrap().iter().map(|r| (&r["handler"], &r["passed_over"], &r["faults"])).collect();
    let (all, large, europe, users) = (json!("all"), json!("large"), json!("europe"), json!("users"));
    let (none, one, two) = (json!(0), json!(1), json!(2));
    assert_eq!(told, [(&all, &none, &none), (&large, &one, &one), (&europe, &none, &two), (&users, &none, &none)]);
}

#[tokio::test]
async fn an_event_that_every_filter_passes_over_is_unrouted() {
    let host = Host::new();
    host.store.put_plugin(plugin("books", &[("large", "my-shop/*", Some("data.amount > 1000"))])).await.unwrap();
    host.deliver(shop(&order(1, 1500.into()))).await;
    let passed_over = host.deliver(shop(&order(2, 1.into()))).await;
    assert_eq!(passed_over.status, StatusCode::ACCEPTED);
    let listed = host.get("/api/v1/events?unrouted=true").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], passed_over.json()["id"]);
    assert_eq!(host.get("/api/v1/events?unrouted=false").await.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(host.get("/api/v1/events?unrouted=yes").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(host.get("/api/v1/health").await.json()["counts"]["unrouted"], 1);
}

#[tokio::test]
async fn a_test_says_who_would_get_a_delivery_and_why_not_the_others() {
    let host = Host::new();
    host.store.put_plugin(books()).await.unwrap();
    let mut gone = plugin("gone", &[("on-order", "my-shop/order.*", None)]);
    gone.missing_since = Some(NOW);
    host.store.put_plugin(gone).await.unwrap();
    let mut retired = plugin("retired", &[("on-order", "my-shop/*", None)]);
    (retired.active, retired.missing_since) = (None, Some(NOW));
    host.store.put_plugin(retired).await.unwrap();
    let mut refused = PluginRow::new(PluginName::parse("refused").unwrap());
    let reason = "describe() is not accepted: it has no handlers".to_owned();
    refused.refused = Some(RefusedVersion { digest: None, at: NOW, code: "bad-description".to_owned(), reason });
    host.store.put_plugin(refused).await.unwrap();

    let asked = json!({ "provider": "my_shop", "headers": [["Content-Type", "application/json"], ["X-Shop", "us"]],
        "body": order(1, "1500".into()) });
    let told = post(&host, "/api/v1/routes/test", asked).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let told = told.json();
    assert_eq!((&told["topic"], &told["reached"]), (&json!("my-shop/order.paid"), &json!(2)));
    let rows = told["handlers"].as_array().unwrap();
    let row = |n: usize| {
        (
            rows[n]["plugin"].as_str().unwrap(),
            rows[n]["handler"].as_str(),
            rows[n]["why"].as_str().unwrap(),
            rows[n]["detail"].as_str().unwrap(),
        )
    };
    assert_eq!(row(0), ("books", Some("all"), "reached", "by my-shop/order.*"));
    assert_eq!(
        row(1),
        (
            "books",
            Some("large"),
            "filter-fault",
            "data.amount > 1000: a value is of another type than the filter takes"
        )
    );
    assert_eq!((row(2).1, row(2).2), (Some("europe"), "filter-false"));
    assert_eq!(row(3), ("books", Some("users"), "no-pattern", "it takes my-shop/user.*"));
    assert!(row(4).0 == "gone" && row(4).2 == "reached" && row(4).3.contains("is gone: the run waits"), "{rows:?}");
    assert_eq!(row(5), ("refused", None, "plugin-refused", "describe() is not accepted: it has no handlers"));
    assert_eq!((row(6).0, row(6).2), ("retired", "plugin-retired"));
    assert!(host.is_untouched());
    assert_eq!(host.get("/api/v1/routes").await.json()["items"][1]["faults"], 0);
}

#[tokio::test]
async fn a_test_agrees_with_what_then_happens() {
    let host = Host::new();
    host.store.put_plugin(books()).await.unwrap();
    for (n, (amount, shop_header)) in [(1500, "eu"), (1, "eu"), (1500, "us"), (1, "us")].into_iter().enumerate() {
        let body = order(n as u32, amount.into());
        let headers = [JSON, ("X-Shop", shop_header)];
        let asked = json!({ "provider": "my-shop", "headers": headers, "body": body });
        let told = post(&host, "/api/v1/routes/test", asked).await.json();
        let told = told["handlers"].as_array().unwrap().iter().filter(|row| row["reached"] == true);
        let mut told: Vec<String> = told.map(|row| row["handler"].as_str().unwrap().to_owned()).collect();
        told.sort();
        let happened = host.deliver(webhook("my-shop", "generic", "", body.as_bytes(), &headers)).await;
        assert_eq!(told, reached(&host, &happened).await, "{amount} {shop_header}");
    }
}

#[tokio::test]
async fn a_test_takes_a_type_and_a_sender_that_is_not_live() {
    let host = Host::new();
    host.store
        .put_plugin(plugin("books", &[("on-done", "sync/done", Some("n == 1 && headers['x-a'] == 'b'"))]))
        .await
        .unwrap();
    let asked = json!({ "provider": "sync", "type": "done", "headers": [["X-A", "b"]], "body_base64": "eyJuIjoxfQ==" });
    assert_eq!(post(&host, "/api/v1/routes/test", asked).await.json()["reached"], 1);
    let forced = json!({ "provider": "my-shop", "type": "done", "body": "{}" });
    assert_eq!(post(&host, "/api/v1/routes/test", forced).await.json()["topic"], "my-shop/done");
    for (bad, status, part) in [
        (json!({ "provider": "sync", "body": "{}" }), 422, "type: is needed"),
        (json!({ "provider": "No Name", "type": "a" }), 422, "provider: "),
        (json!({ "provider": "sync", "type": "a", "body": "", "body_base64": "" }), 422, "give one"),
        (json!({ "provider": "sync", "type": "a", "body_base64": "?" }), 422, "is no base64"),
        (json!({ "provider": "sync", "type": "a", "headers": vec![["a", "b"]; 101] }), 422, "at most 100"),
        (json!({ "provider": "my-shop", "headers": [JSON], "body": "{" }), 400, "refused"),
        (json!({ "type": "a" }), 400, "provider"),
        (json!({ "provider": "sync", "types": "a" }), 400, "types"),
    ] {
        let told = post(&host, "/api/v1/routes/test", bad.clone()).await;
        assert!(told.status.as_u16() == status && told.body.contains(part), "{bad}: {told:?}");
    }
    let large = json!({ "provider": "sync", "type": "a", "body": "x".repeat(2 << 20) });
    assert_eq!(post(&host, "/api/v1/routes/test", large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(host.is_untouched());
}

#[tokio::test]
async fn an_unrouted_event_is_routed_once_a_handler_is_there() {
    let host = Host::new();
    let accepted = host.deliver(shop(&order(1, 1500.into()))).await.json();
    let path = format!("/api/v1/events/{}/route", accepted["id"].as_str().unwrap());
    let nobody = host.post(&path).await;
    assert!(nobody.status == StatusCode::CONFLICT && nobody.body.contains("no handler takes"), "{nobody:?}");
    host.store.put_plugin(books()).await.unwrap();
    let routed = host.post(&path).await;
    assert_eq!(routed.status, StatusCode::OK, "{}", routed.body);
    assert_eq!(routed.json()["event"], accepted["id"]);
    let event = host.get(&format!("/api/v1/events/{}", accepted["id"].as_str().unwrap())).await.json();
    assert_eq!(event["run_ids"], routed.json()["runs"]);
    let handlers: Vec<&Value> = event["runs"].as_array().unwrap().iter().map(|run| &run["handler"]).collect();
    assert_eq!(handlers, ["all", "large"]);
    let again = host.post(&path).await;
    assert!(again.status == StatusCode::CONFLICT && again.body.contains("routed already"), "{again:?}");
    assert_eq!(host.store.counts().pending, 2);
    assert_eq!(host.get("/api/v1/events?unrouted=true").await.json()["items"], json!([]));
    let unknown = host.post("/api/v1/events/evt_01JYMPZKKB0000000000000000/route").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unrouted_events_are_routed_all_at_once_after_a_dry_run() {
    let host = Host::new();
    for n in 0..120 {
        host.deliver(shop(&order(n, (n * 10).into()))).await;
    }
    for n in 0..3 {
        host.deliver(webhook(
            "large",
            "generic",
            "",
            format!(r#"{{"type":"order.paid","event_id":"{n}"}}"#).as_bytes(),
            &[JSON],
        ))
        .await;
    }
    let all = |handler| plugin(handler, &[("large", "my-shop/order.*", Some("data.amount >= 1000"))]);
    host.store.put_plugin(all("books")).await.unwrap();
    host.store.put_plugin(plugin("audit", &[("on-any", "large/*", None)])).await.unwrap();

    async fn walk(host: &Host, dry_run: bool, provider: Option<&str>) -> (u64, u64, Value) {
        let (mut after, mut routed, mut unmatched, mut handlers) = (Value::Null, 0, 0, json!({}));
        loop {
            let asked = json!({ "dry_run": dry_run, "provider": provider, "after": after });
            let page = post(host, "/api/v1/events/route", asked).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            let page = page.json();
            routed += page["routed"].as_u64().unwrap();
            unmatched += page["unmatched"].as_u64().unwrap();
            for (handler, runs) in page["handlers"].as_object().unwrap() {
                handlers[handler] = (handlers[handler].as_u64().unwrap_or(0) + runs.as_u64().unwrap()).into();
            }
            after = page["next"].clone();
            if after.is_null() {
                return (routed, unmatched, handlers);
            }
        }
    }

    let everything = (23, 100, json!({ "books/large": 20, "audit/on-any": 3 }));
    assert_eq!(walk(&host, true, None).await, everything);
    assert_eq!((host.store.counts().pending, host.store.counts().unrouted), (0, 123));
    assert_eq!(walk(&host, false, Some("large")).await, (3, 0, json!({ "audit/on-any": 3 })));
    assert_eq!((host.store.counts().pending, host.store.counts().unrouted), (3, 120));
    let (one, two) = tokio::join!(walk(&host, false, None), walk(&host, false, None));
    assert_eq!(one.0 + two.0, 20);
    assert_eq!((host.store.counts().pending, host.store.counts().unrouted), (23, 100));
    assert_eq!(walk(&host, false, None).await, (0, 100, json!({})));
    let unknown = post(&host, "/api/v1/events/route", json!({ "dry-run": true })).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_event_that_went_round_too_often_is_routed_to_the_dead_letters() {
    let host = Host::new();
    let id = host.mint.event(NOW);
    let event = Event {
        id,
        source: Source::Plugin(PluginName::parse("sync").unwrap()),
        namespace: "sync".to_owned(),
        event_type: "done".to_owned(),
        subject: None,
        time: NOW,
        content_type: "application/json".to_owned(),
        data: b"{}".to_vec(),
        attributes: Vec::new(),
        hops: HOPS_MAX + 1,
    };
    host.store.accept(NewEvent { event, dedupe: Vec::new(), fingerprint: [0; 16], runs: Vec::new() }).await.unwrap();
    host.store.put_plugin(plugin("books", &[("on-done", "sync/*", None)])).await.unwrap();
    let routed = host.post(&format!("/api/v1/events/{id}/route")).await.json();
    let run = host.store.run(routed["runs"][0].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(run.status(), RunStatus::Dead);
}
