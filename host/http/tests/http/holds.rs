//! Holding runs back, and making jobs by hand.

use axum::http::StatusCode;
use hookbox_core::time::Millis;
use serde_json::json;

use crate::harness::{Logs, NOW};
use crate::operator::host;

#[tokio::test]
async fn a_host_a_plugin_and_a_handler_are_held_and_released() {
    let (host, _) = host().await;
    let logs = Logs::capture();
    for (path, target, known, waiting) in [
        ("*", "*", true, 1),
        ("welcome", "welcome", true, 1),
        ("welcome/on-user", "welcome/on-user", true, 1),
        ("welcome%2Fdigest", "welcome/digest", true, 0),
        ("not-yet-there", "not-yet-there", false, 0),
    ] {
        let answer = host.write("PUT", &format!("/api/v1/holds/{path}"), json!({ "note": "until\nnoon" })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let view = answer.json();
        assert_eq!(
            (&view["target"], &view["known"], &view["pending"]),
            (&json!(target), &json!(known), &json!(waiting))
        );
        assert_eq!(view["note"], "untilnoon");
    }
    assert_eq!(logs.take().len(), 5);
    let again = host.write("PUT", "/api/v1/holds/welcome", json!({ "note": "other" })).await.json();
    assert_eq!(again["note"], "untilnoon", "what is held keeps its note");
    let listed = host.get("/api/v1/holds").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 5);
    assert_eq!(host.get("/api/v1/health").await.json()["held"].as_array().unwrap().len(), 5);
    let metrics = host.get("/metrics").await.body;
    for line in
        ["hookbox_held{target=\"welcome/on-user\"} 1", "hookbox_runs_pending{plugin=\"welcome\",handler=\"on-user\"} 1"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let answer = host.write("DELETE", "/api/v1/holds/welcome%2Fdigest", json!({})).await;
    assert_eq!((answer.status, answer.json()["target"].clone()), (StatusCode::OK, json!("welcome/digest")));
    for target in ["*", "welcome", "welcome/on-user", "not-yet-there"] {
        assert_eq!(host.write("DELETE", &format!("/api/v1/holds/{target}"), json!({})).await.status, StatusCode::OK);
    }
    assert!(host.store.holds().0.is_empty());
}

#[tokio::test]
async fn what_cannot_be_held_or_is_not_held_is_refused() {
    let (host, _) = host().await;
    for (method, path, body, status, cure) in [
        ("DELETE", "welcome", json!({}), 404, "welcome is not held"),
        ("DELETE", "welcome", json!({ "x": 1 }), 400, "no members"),
        ("PUT", "A%20B", json!({}), 404, "a plugin's name must be"),
        ("PUT", "a/b/c", json!({}), 404, "a handler's name must be"),
        ("PUT", "welcome", json!({ "reason": "x" }), 400, "unknown field"),
        ("POST", "welcome", json!({}), 405, "Allow"),
    ] {
        let answer = host.write(method, &format!("/api/v1/holds/{path}"), body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(cure), "{cure}: {}", answer.body);
    }
    assert!(host.store.holds().0.is_empty());
}

#[tokio::test]
async fn an_operator_makes_a_job_by_hand() {
    let (host, _) = host().await;
    let asked = json!({ "data": { "full": true }, "delay": "5m", "unique_key": "once" });
    let answer = host.write("POST", "/api/v1/handlers/welcome/repair/run", asked.clone()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let run = host.get(answer.header("location")).await.json();
    assert_eq!((&run["handler"], &run["state"]), (&json!("repair"), &json!("pending")));
    assert_eq!(run["due"], json!(NOW.plus(Millis(300_000)).to_string()));
    assert_eq!((&run["job_detail"]["origin"], &run["created"]), (&json!("operator"), &json!(NOW.to_string())));
    assert_eq!(run["job_detail"]["payload"]["data"], r#"{"full":true}"#);

    let same = host.write("POST", "/api/v1/handlers/welcome/repair/run", asked).await;
    assert_eq!(same.status, StatusCode::OK);
    assert_eq!(same.json(), json!({ "run": run["id"], "new": false, "waited": null }));
    let bare = host.post("/api/v1/handlers/welcome/digest/run").await;
    assert_eq!((bare.status, bare.json()["new"].clone()), (StatusCode::CREATED, json!(true)));
}

#[tokio::test]
async fn a_job_that_no_handler_could_take_is_refused() {
    let (host, _) = host().await;
    let logs = Logs::capture();
    for (path, body, status, cure) in [
        ("welcome/on-user", json!({}), 409, "takes events"),
        ("welcome/nobody", json!({}), 404, "no handler welcome/nobody"),
        ("other/repair", json!({}), 404, "plugins show other"),
        ("A%20B/repair", json!({}), 404, "in the path"),
        ("welcome/repair", json!({ "delay": "31d" }), 422, "at most 30d"),
        ("welcome/repair", json!({ "delay": "soon" }), 422, "delay: must be a duration"),
        ("welcome/repair", json!({ "unique_key": "" }), 422, "unique_key"),
        ("welcome/repair", json!({ "text": "x".repeat((256 << 10) + 1) }), 413, "at most 262144"),
        ("welcome/repair", json!({ "payload": 1 }), 400, "unknown field"),
    ] {
        let answer = host.write("POST", &format!("/api/v1/handlers/{path}/run"), body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(cure), "{cure}: {}", answer.body);
    }
    assert_eq!(host.store.counts().pending, 1);
    assert_eq!(logs.take().len(), 8, "all but the one whose path names nothing");
}
