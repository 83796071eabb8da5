//! Senders that mean harm, or are merely many.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use ureq::http::Request;

use crate::harness::{Host, Project, Webhook, shop, until};

/// Posts of one delivery at one time.
const STORM: usize = 1000;
/// Connections that send next to nothing, of each kind.
const SLOW: usize = 500;
/// Connections at one time that the host must bear.
const MANY: usize = 10_000;
const STACK_BYTES: usize = 128 * 1024;

/// The request as bytes; the last of them is sent apart.
fn request(host: &Host<'_>, webhook: &Webhook) -> Vec<u8> {
    let headers: String = webhook.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST /api/v1/webhooks/webhook/{} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        webhook.provider,
        authority(host),
        webhook.body.len()
    );
    [head.as_bytes(), &webhook.body].concat()
}

fn authority<'a>(host: &'a Host<'_>) -> &'a str {
    host.ingress.strip_prefix("http://").unwrap()
}

fn connect(host: &Host<'_>) -> TcpStream {
    TcpStream::connect(authority(host)).unwrap()
}

#[test]
fn a_storm_of_one_delivery_makes_one_run() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let webhook = shop("user.created", "storm-1", json!({ "name": "Ada" }));
    let request = Arc::new(request(&host, &webhook));
    let ready = Arc::new(Barrier::new(STORM));
    let posts: Vec<_> = (0..STORM)
        .map(|_| {
            let (mut stream, request, ready) = (connect(&host), Arc::clone(&request), Arc::clone(&ready));
            let post = move || {
                let (last, rest) = request.split_last().unwrap();
                stream.write_all(rest).unwrap();
                ready.wait();
                stream.write_all(&[*last]).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                answer
            };
            thread::Builder::new().stack_size(STACK_BYTES).spawn(post).unwrap()
        })
        .collect();
    let answers: Vec<String> = posts.into_iter().map(|post| post.join().unwrap()).collect();
    let with = |status: &str| answers.iter().filter(|answer| answer.starts_with(status)).count();
    assert_eq!((with("HTTP/1.1 202"), with("HTTP/1.1 200")), (1, STORM - 1));
    let ids: std::collections::BTreeSet<&str> =
        answers.iter().map(|answer| answer.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), 1, "everybody is told the same id");
    let event = ids.into_iter().next().unwrap();
    assert_eq!(host.get(&format!("events/{event}"))["runs"].as_array().unwrap().len(), 1);
    let seen = host.get("providers/shop");
    assert_eq!((&seen["accepted"], &seen["duplicates"]), (&json!(1), &json!(STORM - 1)), "{seen}");
}

#[test]
fn senders_that_never_finish_do_not_keep_others_out() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let slow_heads: Vec<TcpStream> = (0..SLOW)
        .map(|_| {
            let mut stream = connect(&host);
            stream.write_all(b"POST /api/v1/webhooks/webhook/shop HTTP/1.1\r\nHost: x\r\nX-A: ").unwrap();
            stream
        })
        .collect();
    let slow_bodies: Vec<TcpStream> = (0..SLOW)
        .map(|_| {
            let mut stream = connect(&host);
            let head = "POST /api/v1/webhooks/webhook/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    for number in 0..20 {
        host.accept(&shop("user.created", &format!("among-slow-{number}"), json!({ "name": "Ada" })));
    }
    assert_eq!(host.ask("health").status, 200);
    drop((slow_heads, slow_bodies));
}

/// This process holds the other end of each.
fn allow_files(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    assert_eq!(allowed, wanted, "the hard limit of open files is too low for this test: ulimit -Hn");
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
}

#[test]
fn ten_thousand_connections_are_borne_and_others_are_served() {
    allow_files(MANY as u64 + 1000);
    let project = Project::with(&["welcome"]);
    let mut host = project.serve();
    let many: Vec<TcpStream> = (0..MANY)
        .map(|n| {
            let mut stream = connect(&host);
            if n % 2 == 0 {
                stream.write_all(b"POST /api/v1/webhooks/webhook/shop HTTP/1.1\r\nHost: x\r\n").unwrap();
            }
            stream
        })
        .collect();
    for number in 0..20 {
        let webhook = shop("user.created", &format!("among-many-{number}"), json!({ "name": "Ada" }));
        assert_eq!(host.follow(&webhook)["state"], "succeeded");
    }
    // The many are not cut off: the youngest, whose time for a head is not over yet, may still send.
    let webhook = shop("user.created", "of-the-many", json!({ "name": "Ada" }));
    let rest = request(&host, &webhook);
    let mut many = many;
    let mut one = many.pop().unwrap();
    one.write_all(&rest).unwrap();
    let mut answer = String::new();
    one.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    host.assert_alive();
}

#[test]
fn a_host_whose_places_are_all_taken_by_silence_serves_whoever_comes() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", "server: { limits: { connections: 64 } }\n");
    let host = project.serve();
    let silent: Vec<TcpStream> = (0..200).map(|_| connect(&host)).collect();
    for number in 0..20 {
        host.accept(&shop("user.created", &format!("among-silent-{number}"), json!({ "name": "Ada" })));
    }
    drop(silent);
}

#[test]
fn who_never_finishes_a_body_loses_its_place_to_others() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", "server: { limits: { in_flight: 8 } }\n");
    let host = project.serve();
    let head =
        "POST /api/v1/webhooks/webhook/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    let mut slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = connect(&host);
            stream.write_all(head.as_bytes()).unwrap();
            // The host asks for the body: the place is taken.
            stream.read_exact(&mut [0; 25]).unwrap();
            stream
        })
        .collect();
    let webhook = shop("user.created", "after-slow", json!({ "name": "Ada" }));
    let busy = host.post(&webhook);
    assert_eq!((busy.status, busy.headers.contains_key("retry-after")), (503, true), "every place is taken");
    until("a place is free", || (host.post(&webhook).status == 202).then_some(()));
    for stream in &mut slow {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[test]
fn limits_of_hooks_yaml_are_in_force() {
    let project = Project::with(&[]).env("WEBHOOK_SECRET_META", "hush-meta").env("WEBHOOK_VERIFY_TOKEN_META", "hush-v");
    project.write(
        "hooks.yaml",
        "server: { limits: { queue: 1, body: 4KiB } }\n\
         providers:\n\
         \x20 shop: { rate: 1/s, limits: { body: 1KiB } }\n\
         \x20 github: { allow_from: [192.0.2.0/24] }\n\
         \x20 meta: {}\n",
    );
    let host = project.serve();
    let status = |webhook: &Webhook| host.post(webhook).status;
    let large = "x".repeat(2 << 10);
    assert_eq!(status(&shop("a", "large", json!({ "x": large }))), 413, "the provider's own limit");
    assert_eq!(status(&crate::harness::STRIPE.sign("", format!(r#"{{"id":"evt_1","x":"{large}"}}"#))), 202);
    let larger = "x".repeat(5 << 10);
    assert_eq!(status(&crate::harness::STRIPE.sign("", format!(r#"{{"id":"evt_2","x":"{larger}"}}"#))), 413);
    assert_eq!(status(&crate::harness::GITHUB.sign("1", "{}")), 401, "another network");
    let burst: Vec<u16> = (0..20).map(|n| status(&shop("a", &n.to_string(), json!({})))).collect();
    assert!(burst.starts_with(&[202, 202, 202]) && burst.contains(&429), "{burst:?}");
    let ask = |token: &str| {
        let url = host.webhook_url("meta");
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
        host.request(Request::get(format!("{url}?{query}")).body(Vec::new()).unwrap())
    };
    let told = ask("hush-v");
    assert_eq!((told.status, told.text.as_str()), (200, "1158201444"));
    assert_eq!(ask("other").status, 401);
    let seen = host.get("providers/github");
    let why = seen["recent_refusals"][0]["message"].as_str().unwrap();
    assert!(why.contains("allow_from"), "{why}");
}
