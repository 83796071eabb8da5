//! The operator's pages, as a browser gets them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use hookbox_core::attempt::Outcome;
use hookbox_core::clock::Clock;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::RunEvent;
use hookbox_core::time::Millis;
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{Answer, Host, OPERATOR, shop};
use crate::operator::{attempt, claim, end, host};

/// What a sender or a plugin might write to have it run in an operator's browser.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&";

/// Two dead runs, the second of an event; both say something hostile.
async fn with_dead_runs() -> (Host, String, String) {
    let (host, _) = host().await;
    let hostile = serde_json::json!({ "type": "user.deleted", "event_id": "e-2", "note": HOSTILE }).to_string();
    host.deliver(shop(&hostile)).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let run = claim(&host).await;
        let attempt = attempt(&run, Outcome::Permanent { message: HOSTILE.to_owned() });
        end(&host, &run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }).await;
        ids.push(run.id.to_string());
    }
    let event = host.get("/api/v1/events").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    (host, ids.remove(1), event)
}

fn assert_page(path: &str, answer: &Answer) {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    let page = &answer.body;
    for part in ["<html lang=\"en\">", "<main id=\"main\"", "<h1>", "name=\"viewport\"", "class=\"skip\""] {
        assert!(page.contains(part), "{path} has no {part}: {page}");
    }
    assert_eq!(page.matches("<h1>").count(), 1, "{path}");
    let leads_elsewhere =
        |part: &&str| part.starts_with("http") && !part.starts_with("https://github.com/hookbox/hookbox");
    assert_eq!(page.split("href=\"").skip(1).find(leads_elsewhere), None, "{path}");
    let page = page.replace("href=\"https://github.com/hookbox/hookbox", "");
    // The policy above would stop them anyway.
    for part in [" style=", "onclick", "<style", "javascript:", "http://", "https://", "<img", "onerror=alert(1)>"] {
        assert!(!page.contains(part), "{path} has {part}: {page}");
    }
}

#[tokio::test]
async fn every_page_is_whole_and_shows_hostile_text_as_text() {
    let (host, run, event) = with_dead_runs().await;
    for path in [
        "/".to_owned(),
        "/runs".to_owned(),
        "/runs?state=dead".to_owned(),
        "/runs?state=dead&error=nothing+like+it&plugin=&cursor=".to_owned(),
        format!("/runs/{run}"),
        "/events".to_owned(),
        "/events?unrouted=true".to_owned(),
        format!("/events/{event}"),
        "/schedules".to_owned(),
        "/schedules/nightly".to_owned(),
        "/?span=24h".to_owned(),
        "/runs?sort=-duration&columns=run,source,topic,size,result,version,cpu,memory&state=dead&state=pending"
            .to_owned(),
        "/runs?sort=handler&error=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&error=other&since=".to_owned(),
        "/runs?sort=created".to_owned(),
        "/runs?count=true&payload=note&not_state=succeeded&not_error=nothing".to_owned(),
        "/new-schedule".to_owned(),
        "/new-schedule?edit=nightly".to_owned(),
        format!(
            "/new-schedule?name=x&target={}&kind=cron&when={0}&payload={0}",
            "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
        ),
        "/plugins".to_owned(),
        "/plugins/welcome".to_owned(),
        "/providers".to_owned(),
        "/providers/my-shop".to_owned(),
        "/alerts".to_owned(),
        "/system".to_owned(),
    ] {
        let answer = host.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert_page(&path, &answer);
    }
    let page = host.get(&format!("/runs/{run}")).await.body;
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "{page}");
    assert!(page.contains("Replay") && page.contains("Edit and replay"), "{page}");
}

#[tokio::test]
async fn an_empty_host_says_what_to_do() {
    let host = Host::new();
    for (path, command) in [
        ("/", "hookbox send PROVIDER"),
        ("/runs", "hookbox send PROVIDER"),
        ("/events", "hookbox send PROVIDER"),
        ("/schedules", "hookbox schedules put"),
        ("/plugins", "hookbox new"),
        ("/suppressed", "hookbox check"),
        ("/providers/my-shop", "hookbox verify --provider my-shop"),
        ("/alerts", "hookbox check"),
        ("/audit", "hookbox tokens create"),
        ("/tokens", "hookbox tokens create"),
        ("/runs?error=x", "hookbox runs list --follow"),
        ("/events?unrouted=true", "hookbox routes"),
    ] {
        let answer = host.get(path).await;
        assert_page(path, &answer);
        assert!(answer.body.contains(command), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_with_the_cure() {
    let host = Host::new();
    let none = "01JABCDEFGHJKMNPQRSTVWXYZ0";
    for (path, status, cure) in [
        (format!("/runs/run_{none}"), 404, "there is no run"),
        ("/runs?state=red".to_owned(), 422, "must be one of pending"),
        ("/schedules/none".to_owned(), 404, "none"),
        ("/plugins/none".to_owned(), 404, "there is no plugin none"),
        ("/providers/none".to_owned(), 404, "hookbox check says why"),
    ] {
        let answer = host.get(&path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_page(&path, &answer);
        assert!(answer.body.contains(cure), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_overview_says_whether_all_is_well() {
    let host = Host::new();
    assert!(host.get("/").await.body.contains("Healthy: all is well."));
    let (host, ..) = with_dead_runs().await;
    let page = host.get("/").await.body;
    assert!(
        page.contains("Healthy; somebody should look at this:") && page.contains("wait for an operator: 2"),
        "{page}"
    );
    assert!(page.contains("<a href=\"/plugins/welcome\">the latest file of welcome was refused</a>"), "{page}");
    let left = async || host.get("/api/v1/runs?state=dead&replayed=false").await.json()["total"].clone();
    assert_eq!(left().await, serde_json::json!({ "count": 2, "exact": true }));
    host.write("POST", "/api/v1/runs/replay", serde_json::json!({ "all": true })).await;
    assert!(!host.get("/").await.body.contains("wait for an operator"), "each was replayed");
    assert_eq!(left().await["count"], 0);
    assert_eq!(host.get("/api/v1/runs?replayed=true").await.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(host.get("/api/v1/runs?replayed=yes").await.status, 422);
}

#[tokio::test]
async fn assets_are_kept_by_browsers_and_named_by_their_contents() {
    let host = Host::new();
    let page = host.get("/").await.body;
    let paths: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(paths.len(), 4, "{page}");
    for path in paths {
        let answer = host.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.header("cache-control").contains("immutable"), "{path}");
    }
    assert_eq!(host.get("/assets/0000000000000000-style.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_watched_is_told_of_changes_until_the_host_stops() {
    let host = Host::new();
    host.meters.scheduler.beat(host.clock.monotonic());
    let request = Request::get("/live").header("host", OPERATOR).body(Body::empty()).unwrap();
    let answer = host.operator().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut told = answer.into_body().into_data_stream();
    let none = tokio::time::timeout(Millis(5000).as_duration(), told.next()).await;
    assert!(none.is_err(), "nothing has changed: {none:?}");
    let changed = "event: changed\ndata: counts\n\n";
    host.deliver(shop(r#"{"type":"user.created","event_id":"e-1"}"#)).await;
    let first = told.next().await.unwrap().unwrap();
    assert_eq!(first, changed, "a browser passes over an event without data");
    host.deliver(Request::post("/api/v1/webhooks/webhook/shop").body(Body::from("forged")).unwrap()).await;
    assert_eq!(told.next().await.unwrap().unwrap(), changed, "what was refused is shown, too");
    assert_eq!(host.write("PUT", "/api/v1/holds/*", json!({})).await.status, StatusCode::OK);
    assert_eq!(told.next().await.unwrap().unwrap(), changed, "what somebody holds");
    host.clock.advance(Millis(61_000));
    assert_eq!(told.next().await.unwrap().unwrap(), changed, "schedules that nobody looks at");
    let tick = told.next().await.unwrap().unwrap();
    assert_eq!(tick, "event: changed\ndata: time\n\n", "what is counted nowhere shows up within ten seconds");
    host.lifecycle.begin_draining();
    while let Some(more) = told.next().await {
        assert!(more.unwrap().starts_with(b":"), "only what keeps the connection open");
    }
}

#[tokio::test]
async fn a_page_too_many_is_told_so_and_a_place_is_free_once_one_is_closed() {
    let router = Host::new().operator();
    let watch = async || {
        let request = Request::get("/live").header("host", OPERATOR).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(watch().await);
    }
    assert!(open.iter().all(|answer| answer.status() == StatusCode::OK));
    assert_eq!(watch().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let request = Request::get("/runs").header("host", OPERATOR).body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(request).await.unwrap().status(), StatusCode::OK, "it reads by hand");
    open.pop();
    assert_eq!(watch().await.status(), StatusCode::OK);
}
