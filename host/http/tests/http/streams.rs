//! Streams of runs and of one run's log.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use hookbox_core::attempt::{Attempt, Log, LogLine, Outcome};
use hookbox_core::live_logs::Shown;
use hookbox_core::retry::DeadCause;
use hookbox_core::run::{Run, RunEvent};
use hookbox_core::time::{Millis, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Answer, Host, NOW, OPERATOR, ask, shop};
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
    let first = format!("1-{}-1", NOW.0);
    assert_eq!((line.kind, line.id, &line.data["message"]), ("log".to_owned(), first, &json!("welcomed Ada")));
    assert_eq!((&line.data["attempt"], &line.data["level"]), (&json!(1), &json!("info")));
    let rest = log.all().await;
    let kinds: Vec<(&str, &str)> = rest.iter().map(|event| (event.kind.as_str(), event.id.as_str())).collect();
    let ended = format!("1-{}-end", NOW.0);
    assert_eq!(kinds, [("attempt", ended.as_str()), ("end", "end")]);
    assert_eq!((&rest[0].data["outcome"], &rest[1].data["state"]), (&json!("completed"), &json!("succeeded")));

    let again = open(&router, &path, None).await.all().await;
    assert_eq!((again.len(), &again[1..]), (3, &rest[..]), "one that has ended is told as it was");
    let behind = open(&router, &path, Some(&ended)).await.all().await;
    assert_eq!(behind, rest[1..]);
    let over = ask(router.clone(), get(&path, Some("end"))).await;
    assert_eq!((over.status.as_u16(), over.body.as_str()), (204, ""));
    for none in ["x", "", "3", "500", "0-1-1", "9-1-end"] {
        assert_eq!(open(&router, &path, Some(none)).await.all().await, again, "{none} begins anew");
    }
    assert_eq!(host.get("/api/v1/runs/run_01JABCDEFGHJKMNPQRSTVWXYZ0/logs/stream").await.status, 404);
}

#[tokio::test]
async fn lines_are_told_while_their_attempt_is_under_way() {
    let (host, _) = host().await;
    let router = host.operator();
    let run = claim(&host).await;
    let path = format!("/api/v1/runs/{}/logs/stream", run.id);
    let mut log = open(&router, &path, None).await;
    let shown = show(&host, &run, NOW, &["one", "two", "three"]);
    let mut told = Vec::new();
    for _ in 0..3 {
        let event = log.next().await.unwrap();
        told.push((event.id, event.data["message"].as_str().unwrap().to_owned()));
    }
    let id = |of: &str| format!("1-{}-{of}", NOW.0);
    let pair = |(line, message): (&str, &str)| (id(line), message.to_owned());
    assert_eq!(told, [("1", "one"), ("2", "two"), ("3", "three")].map(pair));

    // The attempt begins again and has less to say.
    drop(shown);
    let shown = show(&host, &run, NOW, &["welcomed Ada"]);
    let repeated = log.next().await.unwrap();
    assert_eq!((repeated.id, &repeated.data["message"]), (id("1"), &json!("welcomed Ada")));
    drop(shown);
    let attempt = attempt(&run, Outcome::Completed { output: None });
    end(&host, &run, RunEvent::Succeeded { attempt }).await;
    let rest: Vec<(String, String)> = log.all().await.into_iter().map(|event| (event.kind, event.id)).collect();
    let all = [("attempt".to_owned(), id("end")), ("end".to_owned(), "end".to_owned())];
    assert_eq!(rest, all, "the line was told already");
}

fn lines(run: &Run, messages: &[&str]) -> Vec<LogLine> {
    let line = attempt(run, Outcome::Completed { output: None }).log.lines.remove(0);
    messages.iter().map(|message| LogLine { message: (*message).to_owned(), ..line.clone() }).collect()
}

/// An attempt that is under way has logged these.
fn show(host: &Host, run: &Run, began: Timestamp, messages: &[&str]) -> Shown {
    let (lines, attempt) = (lines(run, messages), run.lease().unwrap().attempt);
    host.live_logs.show(run.id, attempt, began, move |from| lines.get(from..).unwrap_or_default().to_vec())
}

/// What is told, without ids.
fn told(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| match event.kind.as_str() {
        "log" => event.data["message"].as_str().unwrap().to_owned(),
        "attempt" => format!("attempt {} {}", event.data["attempt"], event.data["outcome"].as_str().unwrap()),
        _ => format!("run {}", event.data["state"].as_str().unwrap()),
    };
    events.iter().map(word).collect()
}

/// The last attempt of a run, with these lines.
async fn fail(host: &Host, run: &Run, started: Timestamp, messages: &[&str]) {
    let failed = attempt(run, Outcome::Permanent { message: "no such user".into() });
    let log = Log { lines: lines(run, messages), bytes_dropped: 0 };
    let attempt = Attempt { started, finished: started.plus(Millis(12)), log, ..failed };
    end(host, run, RunEvent::FailedForGood { attempt, cause: DeadCause::Permanent }).await;
}

/// A reader has seen three lines of a run that nobody has recorded when the host stops: tells the last id, and where the
/// stream is.
async fn cut_off(host: &mut Host, run: &Run) -> (String, String) {
    let path = format!("/api/v1/runs/{}/logs/stream", run.id);
    let mut log = open(&host.operator(), &path, None).await;
    let _shown = show(host, run, NOW, &["one", "two", "three"]);
    let mut last = None;
    for _ in 0..3 {
        last = log.next().await;
    }
    host.live_logs = Arc::default();
    (last.unwrap().id, path)
}

#[tokio::test]
async fn who_has_seen_lines_that_a_restart_has_lost_is_told_what_came_in_their_place() {
    let (mut host, _) = host().await;
    let first = claim(&host).await;
    let (last, path) = cut_off(&mut host, &first).await;
    end(&host, &first, RunEvent::Drained { at: NOW }).await;
    let run = claim(&host).await;
    assert_eq!(run.lease().unwrap().attempt, 1);
    // One is back before the attempt ends, and its lines were never under way.
    let waits = open(&host.operator(), &path, Some(&last)).await;
    fail(&host, &run, NOW.plus(Millis::SECOND), &["another"]).await;
    let whole = ["another", "attempt 1 permanent", "run dead"];
    assert_eq!(told(&waits.all().await), whole);
    assert_eq!(told(&open(&host.operator(), &path, Some(&last)).await.all().await), whole);
    // Who has seen the line that took their place goes on behind it.
    let later = format!("1-{}-1", NOW.plus(Millis::SECOND).0);
    assert_eq!(told(&open(&host.operator(), &path, Some(&later)).await.all().await), whole[1..]);
}

#[tokio::test]
async fn who_has_seen_lines_of_an_attempt_that_was_lost_is_told_so_and_of_the_next() {
    let (mut host, _) = host().await;
    let first = claim(&host).await;
    let (last, path) = cut_off(&mut host, &first).await;
    end(&host, &first, RunEvent::LeaseLost { at: NOW.plus(Millis(500)), due: NOW }).await;
    let run = claim(&host).await;
    let under_way = show(&host, &run, NOW.plus(Millis::SECOND), &["two again"]);
    let mut log = open(&host.operator(), &path, Some(&last)).await;
    assert_eq!(told(&[log.next().await.unwrap(), log.next().await.unwrap()]), ["attempt 1 lost", "two again"]);
    drop(under_way);
    fail(&host, &run, NOW.plus(Millis::SECOND), &["two again", "more"]).await;
    assert_eq!(told(&log.all().await), ["more", "attempt 2 permanent", "run dead"]);
}

#[tokio::test]
async fn who_was_away_while_an_attempt_was_recorded_is_told_the_rest_of_it() {
    let (mut host, _) = host().await;
    let run = claim(&host).await;
    let (last, path) = cut_off(&mut host, &run).await;
    // What is under way in the sandbox began a little after the attempt did.
    fail(&host, &run, Timestamp(NOW.0 - 3), &["one", "two", "three", "four"]).await;
    let rest = open(&host.operator(), &path, Some(&last)).await.all().await;
    assert_eq!(told(&rest), ["four", "attempt 1 permanent", "run dead"]);
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
    let ends = open_streams.into_iter().map(async |stream| stream.ready().await.all().await);
    assert!(futures::future::join_all(ends).await.iter().all(Vec::is_empty));
}
