//! Streams of runs and of one run's log.

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use hookbox_core::attempt::{LogLine, Outcome};
use hookbox_core::run::{Run, RunEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Answer, Host, OPERATOR, ask, shop};
use crate::operator::{attempt, claim, die, end, host};

/// A stream, event by event.
struct Events {
    body: BodyDataStream,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    kind: String,
    id: String,
    data: Value,
}

fn get(path: &str, last: Option<&str>) -> Request<Body> {
    let mut request = Request::get(path).header("host", OPERATOR);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    request.body(Body::empty()).unwrap()
}

async fn open(router: &Router, path: &str, last: Option<&str>) -> Events {
    let response = router.clone().oneshot(get(path, last)).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Events { body: response.into_body().into_data_stream(), text: String::new() }
}

impl Events {
    /// Nothing where the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.map(str::to_owned).next().unwrap_or_default()
                };
                let found = (field("event"), field("id"), field("data"));
                self.text = rest.to_owned();
                if let (kind, id, data) = found
                    && !kind.is_empty()
                {
                    return Some(Event { kind, id, data: serde_json::from_str(&data).unwrap() });
                }
                continue;
            }
            self.text.push_str(std::str::from_utf8(&self.body.next().await?.unwrap()).unwrap());
        }
    }

    /// A stream of runs says first that it listens.
    async fn ready(mut self) -> Events {
        assert_eq!(self.next().await.unwrap().kind, "ready");
        self
    }

    async fn all(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

async fn deliver(host: &Host, id: &str) -> Answer {
    host.deliver(shop(&json!({ "type": "user.created", "event_id": id }).to_string())).await
}

#[tokio::test]
async fn runs_are_told_as_they_change() {
    let (host, _) = host().await;
    let router = host.operator();
    let mut all = open(&router, "/api/v1/runs/stream", None).await.ready().await;
    let dead = "/api/v1/runs/stream?state=dead&plugin=welcome";
    let mut dead = open(&router, dead, None).await.ready().await;
    let run = claim(&host).await;
    let told = all.next().await.unwrap();
    assert_eq!((told.kind.as_str(), &told.data["id"]), ("run", &json!(run.id)));
    assert_eq!(told.data["state"], "leased");
    deliver(&host, "e-2").await;
    let pending = all.next().await.unwrap();
    assert_eq!(pending.data["state"], "pending");
    let buried = die(&host).await;
    let seen = dead.next().await.unwrap();
    assert_eq!((&seen.data["id"], &seen.data["state"]), (&json!(buried.id), &json!("dead")));

    // Who comes back goes on behind what was seen.
    let mut again = open(&router, "/api/v1/runs/stream", Some(&pending.id)).await.ready().await;
    assert_eq!(again.next().await.unwrap().data["id"], json!(buried.id));
}

#[tokio::test]
async fn who_was_away_for_a_start_is_told_that_something_is_missed() {
    let (host, _) = host().await;
    for last in ["1-1", "nonsense", ""] {
        let mut events = open(&host.operator(), "/api/v1/runs/stream", Some(last)).await;
        assert_eq!(events.next().await.unwrap().kind, "missed", "{last}");
        assert_eq!(events.next().await.unwrap().kind, "ready", "{last}");
    }
    let answer = ask(host.operator(), get("/api/v1/runs/stream?colour=red", None)).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, "application/problem+json"));
}

#[tokio::test]
async fn a_log_is_told_until_its_run_ends() {
    let (host, _) = host().await;
    let router = host.operator();
    let run = claim(&host).await;
    let path = format!("/api/v1/runs/{}/logs/stream", run.id);
    let mut log = open(&router, &path, None).await;
    let attempt = attempt(&run, Outcome::Completed { output: None });
    end(&host, &run, RunEvent::Succeeded { attempt }).await;
    let line = log.next().await.unwrap();
    assert_eq!((line.kind.as_str(), line.id.as_str(), &line.data["message"]), ("log", "1", &json!("welcomed Ada")));
    assert_eq!((&line.data["attempt"], &line.data["level"]), (&json!(1), &json!("info")));
    let rest = log.all().await;
    let kinds: Vec<(&str, &str)> = rest.iter().map(|event| (event.kind.as_str(), event.id.as_str())).collect();
    assert_eq!(kinds, [("attempt", "2"), ("end", "3")]);
    assert_eq!((&rest[0].data["outcome"], &rest[1].data["state"]), (&json!("completed"), &json!("succeeded")));

    let again = open(&router, &path, None).await.all().await;
    assert_eq!((again.len(), &again[1..]), (3, &rest[..]), "one that has ended is told as it was");
    let behind = open(&router, &path, Some("2")).await.all().await;
    assert_eq!(behind, rest[1..]);
    let over = ask(router.clone(), get(&path, Some("3"))).await;
    assert_eq!((over.status.as_u16(), over.body.as_str()), (204, ""));
    assert_eq!(ask(router, get(&path, Some("x"))).await.status, 422);
    assert_eq!(host.get("/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/logs/stream").await.status, 404);
}

#[tokio::test]
async fn lines_are_told_while_their_attempt_is_under_way() {
    let (host, _) = host().await;
    let router = host.operator();
    let run = claim(&host).await;
    let path = format!("/api/v1/runs/{}/logs/stream", run.id);
    let mut log = open(&router, &path, None).await;
    let line = |message: &str| LogLine { message: message.to_owned(), ..attempt_line(&run) };
    let first = [line("one"), line("two"), line("three")].to_vec();
    let shown = host.live_logs.show(run.id, 1, move |from| first.get(from..).unwrap_or_default().to_vec());
    let mut told = Vec::new();
    for _ in 0..3 {
        let event = log.next().await.unwrap();
        told.push((event.id, event.data["message"].as_str().unwrap().to_owned()));
    }
    let pair = |(id, message): (&str, &str)| (id.to_owned(), message.to_owned());
    assert_eq!(told, [("1", "one"), ("2", "two"), ("3", "three")].map(pair));

    // The attempt begins again and has less to say.
    drop(shown);
    let again = [line("welcomed Ada")].to_vec();
    let shown = host.live_logs.show(run.id, 1, move |from| again.get(from..).unwrap_or_default().to_vec());
    let repeated = log.next().await.unwrap();
    assert_eq!((repeated.id.as_str(), &repeated.data["message"]), ("1", &json!("welcomed Ada")));
    drop(shown);
    let attempt = attempt(&run, Outcome::Completed { output: None });
    end(&host, &run, RunEvent::Succeeded { attempt }).await;
    let rest: Vec<(String, String)> = log.all().await.into_iter().map(|event| (event.kind, event.id)).collect();
    assert_eq!(rest, [("attempt", "2"), ("end", "3")].map(pair), "the line was told already");
}

fn attempt_line(run: &Run) -> LogLine {
    attempt(run, Outcome::Completed { output: None }).log.lines[0].clone()
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_host() {
    let (host, _) = host().await;
    let router = host.operator();
    let mut open_streams = Vec::new();
    for _ in 0..64 {
        open_streams.push(open(&router, "/api/v1/runs/stream", None).await);
    }
    let refused = ask(router.clone(), get("/api/v1/runs/stream", None)).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "2"));
    open_streams.pop();
    open_streams.push(open(&router, "/api/v1/runs/stream", None).await);
    host.lifecycle.begin_draining();
    for stream in open_streams {
        assert_eq!(stream.ready().await.all().await, []);
    }
}
