//! Alerts as an operator sees them, and tests of channels.

use axum::http::StatusCode;
use hookbox_core::alert::{Book, Condition, Judged, Rule, Terms};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_http::alerts::{Shown, Told};
use serde_json::json;

use crate::harness::{Host, Logs, NOW};

/// `wrong` fires; `right` did.
fn shown() -> Shown {
    let terms = Terms { group: Millis(0), settle: Millis(0), usual: vec!["ops".into()], ..Terms::default() };
    let judged = |abouts: &[&str]| Judged {
        wrong: abouts
            .iter()
            .map(|about| Condition {
                rule: Rule::HandlerFailing,
                about: (*about).into(),
                text: format!("{about} <fails>"),
            })
            .collect(),
        ..Judged::default()
    };
    let mut book = Book::default();
    for (abouts, seconds) in [(&["right"][..], 0), (&["wrong"], 60), (&["wrong"], 120)] {
        book.step(judged(abouts), &terms, Timestamp(NOW.0 - 600_000 + seconds * 1000));
    }
    let ops = Told { kind: "slack", delivered: 3, lost: 1, failure: Some("it answered with 500".into()) };
    Shown { book, channels: [("ops".to_owned(), ops)].into() }
}

#[tokio::test]
async fn what_is_wrong_and_what_was_is_told_by_the_api_and_the_page() {
    let host = Host::new();
    assert_eq!(host.get("/api/v1/alerts").await.json(), json!({ "firing": [], "history": [], "channels": [] }));
    let page = host.get("/alerts").await.body;
    assert!(page.contains("Nothing is wrong.") && page.contains("Nobody is told."), "{page}");
    host.alerts.show(shown());
    let told = host.get("/api/v1/alerts").await.json();
    let firing = &told["firing"][0];
    assert_eq!((&firing["rule"], &firing["about"]), (&json!("handler-failing"), &json!("wrong")), "{told:#}");
    assert_eq!((&firing["told"], &firing["resolved"]), (&json!(["ops"]), &json!(null)));
    assert_eq!(told["history"][0]["about"], "right");
    let channel = json!({
        "name": "ops", "kind": "slack", "delivered": 3, "lost": 1, "waiting": 2, "failure": "it answered with 500",
    });
    assert_eq!(told["channels"], json!([channel]));
    assert!(host.get("/").await.body.contains("alerts that fire: 1"));
    let page = host.get("/alerts").await.body;
    for part in
        ["wrong &lt;fails&gt;", "/api/v1/alerts/channels/ops/test", "it answered with 500", "aria-current=\"page\""]
    {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
}

#[tokio::test]
async fn a_channel_is_tested_and_says_why_it_did_not_take_it() {
    let host = Host::new();
    let logs = Logs::capture();
    let path = "/api/v1/alerts/channels/ops/test";
    let unknown = host.post(path).await;
    assert_eq!((unknown.status, unknown.body.contains("none is set")), (StatusCode::NOT_FOUND, true), "{unknown:?}");
    host.alerts.show(shown());
    let mut tests = host.tests.lock().unwrap().take().unwrap();
    let sender = async {
        for answer in [Ok(()), Err("it answered with 404".to_owned())] {
            let test = tests.recv().await.unwrap();
            assert_eq!(test.channel, "ops");
            test.answer.send(answer).unwrap();
        }
    };
    let asking = async {
        let good = host.post(path).await;
        assert_eq!((good.status, good.json()), (StatusCode::OK, json!({ "channel": "ops", "delivered": true })));
        let bad = host.post(path).await;
        assert_eq!(
            (bad.status, bad.json()["detail"].clone()),
            (StatusCode::BAD_GATEWAY, json!("it answered with 404"))
        );
    };
    tokio::join!(sender, asking);
    let lines = logs.take();
    assert!(lines.iter().filter(|line| line.contains("test alerts of ops")).count() == 3, "{lines:?}");
}
