//! Whether all is well, and the host itself: as the API says it, and as the pages do.

use std::sync::Arc;

use hookbox_core::attempt::{Cost, Executed, Outcome};
use hookbox_core::time::Millis;
use hookbox_store::StoreError;
use serde_json::{Value, json};

use crate::faulty::Faulty;
use crate::harness::{Host, shop};
use crate::operator::{host, target};

#[tokio::test]
async fn the_overview_says_the_same_to_machines_as_on_its_page() {
    let host = Host::new();
    let overview = host.get("/api/v1/overview").await.json();
    assert_eq!((&overview["verdict"], &overview["concerns"]), (&json!("healthy"), &json!([])));
    host.deliver(shop(r#"{"type":"nobody.wants","event_id":"e-1"}"#)).await;
    let overview = host.get("/api/v1/overview").await.json();
    assert_eq!(overview["verdict"], "attention");
    let expected = json!([{ "text": "events that reached no handler: 1", "page": "/events?unrouted=true" }]);
    assert_eq!(overview["concerns"], expected);
    let page = host.get("/").await.body;
    assert!(page.contains("<a href=\"/events?unrouted=true\">events that reached no handler: 1</a>"), "{page}");
    let host = Host::over(Arc::new(Faulty::with(StoreError::Unavailable("disk gone".to_owned()))));
    let overview = host.get("/api/v1/overview").await.json();
    assert_eq!((&overview["verdict"], &overview["lately"]), (&json!("unhealthy"), &Value::Null), "{overview}");
    let page = host.get("/").await.body;
    assert!(page.contains(overview["said"].as_str().unwrap()), "{page}");
}

#[tokio::test]
async fn what_is_looked_back_on_is_told_in_parts() {
    let (host, _) = host().await;
    // Ten looks, 20 s apart, with an event between any two.
    for number in 0..10 {
        host.look().await;
        host.clock.advance(Millis(20_000));
        host.deliver(shop(&json!({ "type": "user.created", "event_id": format!("n-{number}") }).to_string())).await;
    }
    let overview = host.get("/api/v1/overview?span=1h").await.json();
    let parts = overview["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3, "a minute each, of those that were seen as a whole: {overview}");
    assert!(parts.iter().all(|part| part["accepted"].as_u64() >= Some(3)), "{overview}");
    assert_eq!(overview["lately"]["accepted"], 10);
    let refused = host.get("/api/v1/overview?span=2h").await;
    assert!(refused.status == 422 && refused.body.contains("must be one of 1h, 6h, 24h"), "{refused:?}");
}

#[tokio::test]
async fn the_system_is_told_as_it_counts_and_not_as_it_was_configured() {
    let host = Host::new();
    let system = host.get("/api/v1/system").await.json();
    let limit = |option: &str| {
        let limits = system["limits"].as_array().unwrap();
        limits.iter().find(|limit| limit["option"] == option).unwrap()["value"].as_str().unwrap().to_owned()
    };
    let folder = host.plugins.path().display().to_string();
    assert_eq!((limit("store"), system["store"].as_str()), (folder.clone(), Some(folder.as_str())));
    assert_eq!(limit("server.listen"), "127.0.0.1:8080, without TLS");
    assert_eq!(limit("operator.listen"), "127.0.0.1:5555, without TLS");
    assert_eq!(limit("server.limits.connections"), "1,000", "as many as there are descriptors for");
    assert!(system["disk_free_bytes"].as_u64() > Some(0) && system["disk_size_bytes"].as_u64() > Some(0));
    assert!(system["load_average"].as_array().is_some_and(|load| load.len() == 3) && system["cpus"].as_u64() > Some(0));
    std::fs::create_dir_all(host.plugins.path().join("versions")).unwrap();
    std::fs::write(host.plugins.path().join("versions/one"), [0; 5000]).unwrap();
    let grown = host.get("/api/v1/system").await.json();
    assert_eq!(grown["store_bytes"].as_u64(), system["store_bytes"].as_u64().map(|bytes| bytes + 5000));
    let page = host.get("/system").await.body;
    for limit in system["limits"].as_array().unwrap() {
        for part in ["option", "what", "value"] {
            let part = limit[part].as_str().unwrap();
            assert!(page.contains(part), "{part}: {page}");
        }
    }
    assert!(page.contains(" free of ") && page.contains("/api/v1/openapi.json"), "{page}");
}

#[tokio::test]
async fn what_a_plugin_has_cost_is_told_by_handler() {
    let (host, _) = host().await;
    assert_eq!(host.get("/api/v1/plugins/welcome").await.json()["cost"], json!([]));
    let cost = Cost { wall_us: 3000, cpu_us: 2000, memory_peak_bytes: 1 << 20, ..Cost::default() };
    let executed = Executed { cost, ..Executed::bare(Outcome::Completed { output: None }) };
    host.spending.add(&target("welcome", "on-user"), &executed);
    host.spending.add(&target("welcome", "on-user"), &executed);
    let told = &host.get("/api/v1/plugins/welcome").await.json()["cost"][0];
    let expected = json!({
        "handler": "on-user", "attempts": 2, "wall_us": 6000, "cpu_us": 4000,
        "memory_peak_bytes": 1 << 20, "log_bytes": 0, "host_calls": {},
    });
    assert_eq!(told, &expected);
    let page = host.get("/plugins/welcome").await.body;
    assert!(page.contains("3.0 ms") && page.contains("1.0 MiB"), "{page}");
}
