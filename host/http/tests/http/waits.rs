//! Waiting for a result, and the runs that a run has asked for.

use axum::body::Body;
use axum::http::Request;
use hookbox_core::attempt::{Outcome, Output};
use hookbox_core::event::{Job, JobOrigin};
use hookbox_core::id::{JobId, RunId};
use hookbox_core::name::PluginName;
use hookbox_core::policy::Terms;
use hookbox_core::queue::Room;
use hookbox_core::run::{Run, RunEvent};
use hookbox_core::time::Millis;
use hookbox_store::types::{Changes, NewJob, NewRun, Record, Recorded};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Answer, Host, JSON, NOW, OPERATOR, ask};
use crate::operator::{attempt, claim, die, end, host, target};

/// A request that is under way.
fn waiting(host: &Host, method: &str, path: &str) -> JoinHandle<Answer> {
    let request = Request::builder().method(method).uri(path).header("host", OPERATOR).header(JSON.0, JSON.1);
    let body = if method == "GET" { Body::empty() } else { Body::from("{}") };
    tokio::spawn(ask(host.operator(), request.body(body).unwrap()))
}

async fn a_while() {
    tokio::time::sleep(Millis(3000).as_duration()).await;
}

async fn say(host: &Host, run: &Run, text: &str) {
    let output = Output { content_type: "text/plain".into(), data: text.as_bytes().to_vec() };
    let attempt = attempt(run, Outcome::Completed { output: Some(output) });
    end(host, run, RunEvent::Succeeded { attempt }).await;
}

#[tokio::test(start_paused = true)]
async fn a_result_is_given_as_soon_as_there_is_one() {
    let (host, _) = host().await;
    let run = claim(&host).await;
    let asked = waiting(&host, "GET", &format!("/api/v1/runs/{}/result?wait=60", run.id));
    a_while().await;
    assert!(!asked.is_finished());
    let begun = tokio::time::Instant::now();
    say(&host, &run, "welcomed").await;
    let answer = asked.await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "welcomed"));
    assert!(begun.elapsed() < Millis(1000).as_duration(), "it is told, and not at the end of the wait");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_by_itself_and_with_the_host() {
    let (host, _) = host().await;
    let run = claim(&host).await;
    let path = |wait: &str| format!("/api/v1/runs/{}/result?wait={wait}", run.id);
    let answer = waiting(&host, "GET", &path("2")).await.unwrap();
    assert!(answer.status == 404 && answer.body.contains("it is leased"), "{answer:?}");
    assert_eq!(waiting(&host, "GET", &path("0")).await.unwrap().status, 404);
    for bad in ["61", "-1", "soon", "", "1&wait=1"] {
        assert_eq!(waiting(&host, "GET", &path(bad)).await.unwrap().status, 422, "{bad}");
    }
    let asked = waiting(&host, "GET", &path("60"));
    a_while().await;
    assert!(!asked.is_finished());
    let begun = tokio::time::Instant::now();
    host.lifecycle.begin_draining();
    assert_eq!(asked.await.unwrap().status, 404);
    assert!(begun.elapsed() < Millis(1000).as_duration());
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_may() {
    let (host, _) = host().await;
    let run = claim(&host).await;
    let router = host.operator();
    let path = format!("/api/v1/runs/{}/result?wait=60", run.id);
    let request = || Request::get(&path).header("host", OPERATOR).body(Body::empty()).unwrap();
    let asked: Vec<_> = (0..64).map(|_| tokio::spawn(ask(router.clone(), request()))).collect();
    a_while().await;
    let refused = ask(router.clone(), request()).await;
    assert!(refused.status == 503 && refused.body.contains("64 requests wait"), "{refused:?}");
    say(&host, &run, "welcomed").await;
    for answer in asked {
        assert_eq!(answer.await.unwrap().body, "welcomed");
    }
    assert_eq!(ask(router, request()).await.body, "welcomed", "their places are free");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_made_and_waited_for() {
    let (host, _) = host().await;
    die(&host).await;
    let asked = waiting(&host, "POST", "/api/v1/handlers/welcome/digest/run?wait=60");
    a_while().await;
    let run = claim(&host).await;
    say(&host, &run, "done").await;
    let answer = asked.await.unwrap();
    let made = answer.json();
    assert_eq!((answer.status.as_u16(), &made["run"], &made["new"]), (201, &json!(run.id), &json!(true)));
    assert_eq!((&made["waited"]["state"], &made["waited"]["result"]["data"]), (&json!("succeeded"), &json!("done")));

    let late = waiting(&host, "POST", "/api/v1/handlers/welcome/digest/run?wait=1").await.unwrap().json();
    assert_eq!((&late["waited"]["state"], &late["waited"]["result"]), (&json!("pending"), &Value::Null));
    let at_once = host.post("/api/v1/handlers/welcome/digest/run").await.json();
    assert_eq!(at_once["waited"], Value::Null);
    assert_eq!(host.post("/api/v1/handlers/welcome/digest/run?wait=x").await.status, 422);
}

#[tokio::test]
async fn what_a_run_has_asked_for_is_linked_both_ways() {
    let (host, _) = host().await;
    let run = claim(&host).await;
    let job = Job {
        id: JobId::new(NOW, 77),
        origin: JobOrigin::Plugin(PluginName::parse("welcome").unwrap()),
        scheduled_at: NOW,
        content_type: "text/plain".into(),
        data: b"work".to_vec(),
        hops: 1,
        trace: None,
    };
    let child = NewRun {
        id: RunId::new(NOW, 78),
        target: target("welcome", "digest"),
        dead: None,
        made_by: Some(run.id),
        terms: Terms::default(),
    };
    let child_id = child.id.to_string();
    let changes = Changes {
        plugin: PluginName::parse("welcome").unwrap(),
        reads: Vec::new(),
        scans: Vec::new(),
        writes: Vec::new(),
        kv_bytes_max: 1 << 20,
        room: Room(1000),
        jobs: vec![NewJob { job, run: child, due: NOW }],
        events: Vec::new(),
    };
    let event = RunEvent::Succeeded { attempt: attempt(&run, Outcome::Completed { output: None }) };
    let record = Record { run: run.id, lease: run.lease().unwrap(), event, changes: Some(changes), now: NOW };
    assert_eq!(host.store.record(record).await.unwrap(), Recorded::Done);

    let found = host.get(&format!("/api/v1/runs?made_by={}", run.id)).await.json();
    assert_eq!((&found["items"][0]["id"], &found["items"][0]["made_by"]), (&json!(child_id), &json!(run.id)));
    assert_eq!(found["total"], json!({ "count": 1, "exact": true }));
    let none = host.get(&format!("/api/v1/runs?made_by={child_id}")).await.json();
    assert_eq!(none["items"], json!([]));
    let page = host.get(&format!("/runs/{}", run.id)).await.body;
    assert!(page.contains("Runs that it asked for") && page.contains(&format!("/runs/{child_id}")), "{page}");
    assert!(page.contains(&format!("data-copy=\"{}\"", run.id)), "{page}");
    let page = host.get(&format!("/runs/{child_id}")).await.body;
    assert!(page.contains("Asked for by") && page.contains(&format!("/runs/{}", run.id)), "{page}");
}
