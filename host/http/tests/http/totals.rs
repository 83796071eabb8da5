//! How many there are of what is listed page by page.

use serde_json::{Value, json};

use crate::harness::{Host, shop};
use crate::operator::{die, host};

async fn total(host: &Host, path: &str) -> Value {
    host.get(&format!("/api/v1/{path}")).await.json()["total"].take()
}

#[tokio::test]
async fn a_total_is_of_all_pages() {
    let (host, _) = host().await;
    die(&host).await;
    for id in ["e-2", "e-3", "e-4"] {
        host.deliver(shop(&json!({ "type": "user.created", "event_id": id }).to_string())).await;
    }
    host.deliver(shop(&json!({ "type": "nobody.wants", "event_id": "e-5" }).to_string())).await;
    for (path, count) in [
        ("runs?limit=2", 4),
        ("runs?limit=1&state=pending", 3),
        ("runs?state=dead", 1),
        ("runs?limit=1&plugin=welcome", 4),
        ("runs?limit=1&plugin=welcome&not_state=dead", 3),
        ("runs?error=no%20such%20user", 1),
        ("runs?error=nothing-says-this", 0),
        ("events?limit=2", 5),
        ("events?unrouted=true", 1),
        ("suppressed", 0),
        ("plugins", 1),
        ("holds", 0),
    ] {
        assert_eq!(total(&host, path).await, json!({ "count": count, "exact": true }), "{path}");
    }
    let first = host.get("/api/v1/runs?limit=2").await.json();
    let next = first["next"].as_str().unwrap();
    let second = host.get(&format!("/api/v1/runs?limit=2&cursor={next}")).await.json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["total"]), (2, &first["total"]));
}
